"""Lengths of time as people write them: ``90s``, ``4m``, ``1h30m``, ``2d``."""

from __future__ import annotations

import re
from typing import Final

_SECONDS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_WRITTEN: Final = re.compile(r"(?:\d+(?:\.\d+)?[smhd]\s*)+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def parse_duration(text: str) -> float:
    """Seconds of a length of time.

    Args:
        text: Numbers with the units s, m, h or d.

    Raises:
        ValueError: It is not written like that, or is zero.
    """
    squeezed = text.strip().lower()
    if _WRITTEN.fullmatch(squeezed):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(squeezed))
        if seconds > 0:
            return seconds
    raise ValueError(f'{text!r} is not a length of time; write for example "90s", "4m" or "1h30m"')


def format_duration(seconds: float) -> str:
    """A length of time in whole seconds, as `parse_duration` reads it: ``90s`` is ``1m30s``."""
    left = max(1, round(seconds))
    parts = []
    for unit, length in _SECONDS.items():
        if left >= length:
            parts.append(f"{left // length}{unit}")
            left %= length
    return "".join(parts)
