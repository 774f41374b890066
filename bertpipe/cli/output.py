"""Numbers, sizes and times in words, and results on standard output."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

# They stand in strings only; line ends between two fields are json's own.
_OBEYED: Final = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def print_json(document: Any, *, one_line: bool = False) -> None:
    """Writes one JSON document to standard output, at once; on one line where it is one of several."""
    sys.stdout.write(json_text(document, one_line=one_line) + "\n")
    sys.stdout.flush()


def json_text(document: Any, *, one_line: bool = False) -> str:
    """One JSON document as standard output can show it.

    What a terminal would obey is written as JSON's escapes: `json` itself leaves DEL, the controls beyond it, and marks
    that turn the reading direction around. So is half a character, which UTF-8 does not have.
    """
    readable = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    text = json.dumps(document, ensure_ascii=not readable, indent=None if one_line else 2)
    return _OBEYED.sub(lambda mark: f"\\u{ord(mark[0]):04x}", text)


def tell(notes: Iterable[str]) -> None:
    """Writes what is to be said beside a result to standard error."""
    for note in notes:
        sys.stderr.write(f"{plain(note)}\n")


def number(value: float) -> str:
    """A number in at most six characters or so: ``812``, ``4,812``, ``6.8M``, ``0.0312``."""
    if isinstance(value, float) and not value.is_integer() and abs(value) < 100_000:
        return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
    for limit, mark in ((1e9, "G"), (1e6, "M"), (1e5, "k")):
        if abs(value) >= limit:
            unit = 1e3 if mark == "k" else limit
            return f"{value / unit:.3g}{mark}"
    return f"{value:,.0f}"


def counted(value: float, plural: str) -> str:
    """A number of things: ``4,812 documents``, ``1 query``."""
    if value == 1:
        plural = f"{plural[:-3]}y" if plural.endswith("ies") else plural.removesuffix("s")
    return f"{number(value)} {plural}".strip()


def size(count: int) -> str:
    """A number of bytes: ``812 B``, ``4.2 MB``."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def duration(seconds: float) -> str:
    """A time span: ``0.3s``, ``12s``, ``4m02s``, ``1h05m``."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def ago(created: str) -> str:
    """How long a moment (ISO 8601) is past: ``just now``, ``5 min ago``, ``2 days ago``."""
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()
    except (ValueError, TypeError):
        return created
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 86400:
        return f"{seconds // 3600:.0f} h ago"
    days = int(seconds // 86400)
    return f"{days} day{'s' if days > 1 else ''} ago"


def plain(text: str) -> str:
    """A text of the user's on one line, without what a terminal would obey (escape sequences, line ends)."""
    return " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())


def tail_of(text: str, columns: int) -> str:
    """The end of a text that is too long for a number of columns: of a path, that says most."""
    from rich.cells import cell_len

    if cell_len(text) <= columns:
        return text
    while text and cell_len(text) >= columns:
        text = text[1:]
    return f"…{text}"


def figures(values: Mapping[str, Any]) -> list[str]:
    """Metrics in words, in their order: ``4,812 documents``, ``vocab size 8,000``, ``loss 5.21``.

    Tables, lists and counts of nothing are left out.
    """
    words = []
    for name, value in values.items():
        label = name.replace("_", " ")
        if isinstance(value, bool):
            words.append(label if value else f"no {label}")
        elif isinstance(value, int | float) and name.endswith("_per_second"):
            words.append(f"{number(round(value))} {label.removesuffix(' per second')}/s")
        elif isinstance(value, int):
            if value:
                # A plural is what was counted; anything else is a measure.
                words.append(counted(value, label) if label.endswith("s") else f"{label} {number(value)}")
        elif isinstance(value, float | str):
            words.append(f"{label} {number(value) if isinstance(value, float) else value}")
    return words
