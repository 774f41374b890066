"""One HTML page that needs nothing else: its frame, its tables, its file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from bertpipe.cli.evaluation_plots import require_matplotlib
from bertpipe.errors import ConfigError, StorageError

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 0.5rem 0 }
th, td { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; border-bottom: 1px solid #ddd; vertical-align: top }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums }
h2 { margin-top: 2rem } .dim { color: #777 } svg { max-width: 100%; height: auto }
"""


def html_page(title: str, parts: Iterable[str]) -> str:
    """A page.

    Args:
        title: Of the page, as text.
        parts: HTML.
    """
    head = f"<meta charset='utf-8'><title>{escape(title)}</title><style>{_STYLE}</style>"
    return f"<!doctype html><html><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def html_table(names: Sequence[str], rows: Iterable[Sequence[str]], figures: Iterable[int] = ()) -> str:
    """A table of texts, which are escaped.

    Args:
        names: Of the columns.
        rows: As many cells each.
        figures: Numbers of the columns that hold figures.
    """
    right = set(figures)

    def cells(tag: str, values: Sequence[str]) -> str:
        marked = (f"<{tag} class='figure'>" if place in right else f"<{tag}>" for place in range(len(values)))
        return "".join(f"{begin}{escape(value)}</{tag}>" for begin, value in zip(marked, values, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', names)}</tr>{body}</table>"


def check_page_file(path: str) -> None:
    """Asks for what a page with figures needs, before long work.

    Raises:
        BertpipeError: matplotlib is not installed.
        ConfigError: No file can be written there.
    """
    require_matplotlib()
    if Path(path).is_dir() or not Path(path).absolute().parent.is_dir():
        raise ConfigError(f"--html {path}: no file can be written there", hint="Check the path.")


def write_page(path: str, page: str) -> None:
    """Writes a page; half a character in it becomes U+FFFD.

    Raises:
        StorageError: The disk refused.
    """
    try:
        Path(path).write_text(page, encoding="utf-8", errors="replace")
    except OSError as error:
        raise StorageError(f"{path} cannot be written", why=error.strerror or str(error)) from error
