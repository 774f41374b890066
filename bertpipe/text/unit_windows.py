"""Windows over a sentence that is longer than what a tagger reads at once: nothing is cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class UnitWindow:
    """A stretch of a sentence's units, and the part of it that the window answers for.

    Attributes:
        start: First unit that is read.
        stop: The one after the last.
        own_start: First unit that this window tags: every unit belongs to the window that shows more around it.
        own_stop: The one after the last.
    """

    start: int
    stop: int
    own_start: int
    own_stop: int


def unit_windows(sizes: Sequence[int], room: int, overlap: int) -> list[UnitWindow]:
    """Covers a sentence with windows.

    Args:
        sizes: Pieces of each unit, at least one unit; a unit larger than ``room`` is a window by itself.
        room: Pieces that a window holds.
        overlap: Pieces that two neighbouring windows share, if their units allow it; at most half of ``room``.

    Returns:
        Windows in order; each unit belongs to exactly one.
    """
    bounds: list[tuple[int, int]] = []
    start = 0
    while True:
        stop, held = start, 0
        while stop < len(sizes) and (stop == start or held + sizes[stop] <= room):
            held += sizes[stop]
            stop += 1
        bounds.append((start, stop))
        if stop == len(sizes):
            break
        back, shared = stop, 0
        while back - 1 > start and shared + sizes[back - 1] <= min(overlap, room - sizes[stop]):
            back -= 1
            shared += sizes[back]
        start = back
    # Between two windows the one that a unit lies deeper in answers for it.
    cuts = [0, *((after[0] + before[1]) // 2 for before, after in pairwise(bounds)), len(sizes)]
    return [UnitWindow(*bound, *own) for bound, own in zip(bounds, pairwise(cuts), strict=True)]
