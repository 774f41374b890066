"""Breaks text into lines of a terminal, between words and between Chinese characters."""

from __future__ import annotations

from typing import Final

# What must not begin a line: closing marks. (The mark before them stays with them.)
_CLOSING: Final = frozenset("。，、；：？！）」』】》〉”’…％,.;:?!)]}%")


def line_ends(text: str, columns: int) -> list[int]:
    """Where each line but the last ends, as offsets into a text without line breaks.

    Lines end after a space or beside a wide character; a word that is wider than a line is cut.

    Args:
        text: The text.
        columns: Columns of a line; a wide character takes two of them.

    Raises:
        ValueError: There is no room for a wide character.
    """
    from rich.cells import cell_len

    if columns < 2:
        raise ValueError(f"{columns} columns are too few for a line")

    ends: list[int] = []
    start = used = cut = 0  # of the line; where it may end
    for place, mark in enumerate(text):
        width = cell_len(mark)
        if place > start and mark != " " and _may_break(text, place):
            cut = place
        while used + width > columns and mark != " ":  # a space at the end of a line is not shown
            start = cut if cut > start else place
            ends.append(start)
            used = cell_len(text[start:place])
        used += width
    return ends


def _may_break(text: str, place: int) -> bool:
    """Whether a line may end before a character."""
    from rich.cells import cell_len

    before, after = text[place - 1], text[place]
    if before == " ":
        return True
    return after not in _CLOSING and (cell_len(before) == 2 or cell_len(after) == 2)
