"""Tables: CSV with quotes, TSV without.

A CSV field may be quoted, and then hold commas, line breaks and doubled quotes. In a TSV file a quotation
mark is a quotation mark. The first row names the columns; a table without such a row is read by column
numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bertpipe.errors import InputError
from bertpipe.text.readers.file_text import read_lines, too_large
from bertpipe.text.readers.problem import problem
from bertpipe.text.readers.record import Record


def read_table(path: Path, limit: int, *, header: bool = True) -> Iterator[Record | InputError]:
    """The rows of a ``.csv`` or ``.tsv`` file, one in memory at a time; blank lines are left out.

    Args:
        path: The file; its ending tells the format.
        limit: The most bytes that a line, and the most characters that a row may have.
        header: Whether the first row names the columns; otherwise they are called ``"1"``, ``"2"`` and so on.

    Yields:
        The rows, and an `InputError` in the place of each that cannot be read or has another width than the
        first.
    """
    lines = read_lines(path, limit)
    rows = _tab_rows(lines) if path.suffix.lower() == ".tsv" else _comma_rows(lines, path, limit)
    names: list[str] | None = None
    for row in rows:
        if isinstance(row, InputError):
            yield row
            if names is None and header:
                return  # without the columns' names nothing else can be understood
            continue
        number, cells = row
        if names is None:
            if header:
                names = [cell.replace("\ufeff", "").strip() for cell in cells]
                double = sorted({name for name in names if names.count(name) > 1}) if len(names) < 10_000 else []
                if double:
                    what = f"the column name {double[0]!r} stands twice in the header"
                    yield problem(what, path, number, mend="Name the columns apart")
                    return
                continue
            names = [str(place) for place in range(1, len(cells) + 1)]
        if len(cells) != len(names):
            what = f"{_columns(len(cells))} instead of {len(names)}"
            mend = "Check the quotes and separators" if path.suffix.lower() == ".csv" else "Check the tabs"
            yield problem(what, path, number, mend=mend)
            continue
        yield Record(number, dict(zip(names, cells, strict=True)))


def read_header(path: Path, limit: int) -> list[str]:
    """The names that the first row gives the columns; empty if there is no first row that can be read."""
    lines = read_lines(path, limit)
    rows = _tab_rows(lines) if path.suffix.lower() == ".tsv" else _comma_rows(lines, path, limit)
    row = next(rows, None)
    if row is None or isinstance(row, InputError):
        return []
    return [cell.replace("\ufeff", "").strip() for cell in row[1]]


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


_Row = tuple[int, list[str]]


def _tab_rows(lines: Iterator[tuple[int, str] | InputError]) -> Iterator[_Row | InputError]:
    for item in lines:
        if isinstance(item, InputError):
            yield item
        elif item[1].strip():
            yield item[0], item[1].split("\t")


def _comma_rows(lines: Iterator[tuple[int, str] | InputError], path: Path, limit: int) -> Iterator[_Row | InputError]:
    cells: list[str] = []
    quoted: list[str] | None = None  # the pieces of the quoted field that is open
    begin = size = 0
    for item in lines:
        if isinstance(item, InputError):
            yield item
            quoted = None  # a row that was open is lost with it
            continue
        number, line = item
        if quoted is None:
            if not line.strip():
                continue
            cells, begin, size = [], number, 0
        else:
            quoted.append("\n")
        size += len(line) + 1
        if size > limit:
            yield too_large("row", path, begin, limit)
            quoted = None
            continue
        at = 0
        while True:
            if quoted is None:
                if line.startswith('"', at):
                    quoted = []
                    at += 1
                    continue
                comma = line.find(",", at)
                if comma < 0:
                    cells.append(line[at:])
                    yield begin, cells
                    break
                cells.append(line[at:comma])
                at = comma + 1
                continue
            quote = line.find('"', at)
            if quote < 0:
                quoted.append(line[at:])  # the field goes on in the next line
                break
            quoted.append(line[at:quote])
            at = quote + 1
            if line.startswith('"', at):
                quoted.append('"')
                at += 1
                continue
            comma = line.find(",", at)
            cells.append("".join(quoted) + (line[at:] if comma < 0 else line[at:comma]))
            quoted = None
            if comma < 0:
                yield begin, cells
                break
            at = comma + 1
    if quoted is not None:
        yield problem("a quoted field is not closed", path, begin, mend="Close the quotation mark")
