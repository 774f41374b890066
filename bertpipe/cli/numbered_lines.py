"""Lines that a person gives, on standard input or in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from bertpipe.errors import InputError


def numbered_lines(file: Iterable[bytes], origin: str | Path) -> Iterator[tuple[int, str]]:
    """Lines of UTF-8 with their numbers, without white space around them.

    Args:
        file: Lines.
        origin: What an error names.

    Raises:
        InputError: A line is not UTF-8.
    """
    for place, line in enumerate(file, start=1):
        try:
            yield place, line.decode("utf-8-sig" if place == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise InputError("not UTF-8", path=origin, line=place, why=str(error)) from error
