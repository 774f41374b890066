"""A text cut into parts of like length."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

from bertpipe.text.sentences import split_sentences

_WORD_START = re.compile(r"(?<=\s)\S")


def even_parts(text: str, count: int) -> list[tuple[int, int]]:
    """Cuts a text into parts of like length, at a sentence's start where one is near, or else at a word's.

    Args:
        text: The text.
        count: How many parts.

    Returns:
        The parts' places, start and end, one after the other; together they are the whole text. The whole is the only
        part of a text that has fewer characters than parts were asked for.
    """
    if count > len(text):
        return [(0, len(text))]
    reach = len(text) / (2 * count)
    sentences = [start for start, _ in split_sentences(text)]
    words = [match.start() for match in _WORD_START.finditer(text)]
    bounds = [0]
    for part in range(1, count):
        even = len(text) * part / count
        nearest = (_nearest(starts, even) for starts in (sentences, words))
        near = (one for one in nearest if one is not None and abs(one - even) < reach)
        bounds.append(max(bounds[-1] + 1, next(near, int(even))))
    return list(zip(bounds, [*bounds[1:], len(text)], strict=True))


def _nearest(places: Sequence[int], wanted: float) -> int | None:
    """The place nearest to one; of two as near the earlier."""
    after = bisect_left(places, wanted)
    return min(places[max(0, after - 1) : after + 1], key=lambda place: abs(place - wanted), default=None)
