"""Words of a text, and which pieces of a tokenizer make them: what gets a tag.

A sentence of a tagged corpus is a list of words. Where words stand apart by spaces, the word is what gets one tag. In
Chinese and Japanese text nobody writes words apart, so that nobody could give them to a tagger: there each *piece* gets
a tag, and a word of the corpus is only a place where a tag begins.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from bertpipe.text.tokenizer import Tokenizer

_UNSPACED = "\u2e80-\u312f\u3190-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_ALL_UNSPACED = re.compile(f"[{_UNSPACED}]+")
# A chunk between spaces loses the punctuation around it; "@name", "#tag" and "$5" keep what stands before them.
_BEFORE, _BEHIND = "\"'`“”‘’«»([{<.,;:!?¿¡…*", "\"'`“”‘’«»)]}>.,;:!?…*"


@dataclass(frozen=True)
class Unit:
    """What gets one tag.

    Attributes:
        word: The word that it begins in.
        start: Where it begins in the text.
        end: Where it ends.
        pieces: Its piece ids, at least one.
        labelled: Which of the pieces the tag is read from.
    """

    word: int
    start: int
    end: int
    pieces: tuple[int, ...]
    labelled: int


def is_unspaced(word: str) -> bool:
    """Whether a word is of a script that writes no spaces, punctuation of full width included."""
    return bool(_ALL_UNSPACED.fullmatch(word))


def find_words(text: str) -> list[tuple[int, int]]:
    """The words of a text that nobody has cut into words, as (start, end).

    Chunks between spaces, with the punctuation around them apart; runs of Chinese or Japanese apart from the rest.
    """
    found: list[tuple[int, int]] = []
    for chunk in re.finditer(r"\S+", text):
        for run in re.finditer(f"[{_UNSPACED}]+|[^{_UNSPACED}]+", chunk[0]):
            start, end = chunk.start() + run.start(), chunk.start() + run.end()
            if is_unspaced(run[0]):
                found.append((start, end))
                continue
            first, last = start, end
            while first < last - 1 and text[first] in _BEFORE:
                first += 1
            while last > first + 1 and text[last - 1] in _BEHIND:
                last -= 1
            found += [(place, place + 1) for place in range(start, first)]
            found.append((first, last))
            found += [(place, place + 1) for place in range(last, end)]
    return found


def join_words(words: Sequence[str]) -> tuple[str, list[int]]:
    """Words as people write them, with spaces between where the script has spaces, and where each begins."""
    text, starts = "", []
    for place, word in enumerate(words):
        if place and not (is_unspaced(words[place - 1]) and is_unspaced(word)):
            text += " "
        starts.append(len(text))
        text += word
    return text, starts


def units_of(words: Sequence[str], tokenizer: Tokenizer) -> list[Unit]:
    """Cuts a sentence into what gets tags.

    The tokenizer reads all words at once, as a text with spaces between them where the script has spaces.

    Args:
        words: In their order; none is empty.
        tokenizer: The model's.

    Returns:
        Units by their place. ``start`` and ``end`` count in the words put one behind the other, without spaces. A word
        whose beginning is the end of a piece has no unit of its own; one without any piece has the unknown's.
    """
    text, starts = join_words(words)
    plain = [0, *accumulate(map(len, words))]
    units: list[Unit] = []
    covered = 0  # up to which place of the plain text there are units
    leading: list[int] = []

    def fill(upto: int) -> None:
        """Gives the unknown piece to words before one, that have no piece."""
        known = units[-1].word + 1 if units else 0
        for word in range(known, upto):
            if plain[word] >= covered:
                units.append(Unit(word, plain[word], plain[word + 1], (tokenizer.unk_id,), 0))

    for piece, (begin, end) in zip(tokenizer.encode(text), tokenizer.encode_offsets(text), strict=True):
        # Characters that the tokenizer drops are counted to the piece behind them; no piece has a space in it.
        inside = re.search(r"\S+(?=\s*$)", text[begin:end])
        begin, end = (begin + inside.start(), begin + inside.end()) if inside else (end, end)
        if begin == end:  # the mark of a space, or of nothing
            leading.append(piece)
            continue
        first = bisect_right(starts, begin) - 1
        last = min(bisect_right(starts, end - 1) - 1, len(words) - 1)
        place, stop = plain[first] + begin - starts[first], plain[last] + end - starts[last]
        if not is_unspaced(words[first]):
            place, stop = plain[first], plain[first + 1]
        goes_on = bool(units) and units[-1].word == first and not is_unspaced(words[first])
        if goes_on or place < covered:  # the latter: a byte of a character that another piece began
            units[-1] = replace(units[-1], end=max(stop, covered), pieces=(*units[-1].pieces, *leading, piece))
        else:
            fill(first)
            units.append(Unit(first, place, stop, (*leading, piece), len(leading)))
        leading = []
        covered = units[-1].end
    fill(len(words))
    return units
