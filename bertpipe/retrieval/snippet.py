"""The part of a passage that shows why it was found."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from itertools import accumulate

from bertpipe.retrieval.analysis import UNMARKED, analyse, matching_spans
from bertpipe.text.sentences import split_sentences

ELLIPSIS = "…"
LONGEST_TEXT = 20_000
"""Characters of a text that are looked at; passages are far shorter."""

# White space, controls (a terminal would obey them) and marks that turn the reading direction around.
_BLANK = re.compile("[\\s\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
# A line may be cut beside a space and beside a wide character, but not where a mark would lose its base.
_WIDE = "\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\U0001f300-\U0003fffd"
_MARK = "\u0300-\u036f\u200d\u3099\u309a\ufe00-\ufe0f"
_CUT = re.compile(f"(?<= )|(?= )|(?<=[{_WIDE}])(?![{_MARK}])|(?=[{_WIDE}])")


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of text to show.

    Attributes:
        text: One line, with an ellipsis at each end where the passage goes on.
        spans: (start, end) offsets into ``text`` of what matches the query, in order, without overlap.
    """

    text: str
    spans: list[tuple[int, int]]


def snippet(text: str, query_terms: Collection[str], width: int) -> Snippet:
    """Chooses the window of a text that shows the most different terms of a query.

    It begins with a sentence where that leaves room, else with a word; equal windows are decided by how much
    they show, then by which comes first. Without any match it is the beginning of the text.

    Args:
        text: A passage's text. White space is collapsed and control characters are dropped.
        query_terms: What `bertpipe.retrieval.analysis.analyse` made of the query.
        width: Columns it may take, ellipses included; Chinese, Japanese and Korean characters take two.

    Raises:
        ValueError: The width is below 10 columns.
    """
    if width < 10:
        raise ValueError(f"{width} columns are too few for a snippet")
    line = _SURROGATE.sub("\ufffd", _BLANK.sub(" ", text[:LONGEST_TEXT])).strip()
    spans = matching_spans(line, query_terms)
    columns = list(accumulate((_columns(character) for character in line), initial=0))
    if columns[-1] <= width:
        return Snippet(line, spans)
    window = _Window(line, columns, width)
    starts = {0} | {window.start_for(*span) for span in spans}
    sought = set(query_terms) - UNMARKED or set(query_terms)
    terms = [sought.intersection(analyse(line[start:end])) for start, end in spans]

    def worth(start: int) -> tuple[int, int, int]:
        end = window.end_for(start)
        first = bisect_left(spans, (start, start))
        inside = [place for place in range(first, len(spans)) if spans[place][1] <= end]
        return len(set().union(*(terms[place] for place in inside))), len(inside), -start

    start = window.filled(max(starts, key=worth))
    end = window.end_for(start)
    before = ELLIPSIS if start else ""
    after = ELLIPSIS if end < len(line) else ""
    shown = line[start:end].rstrip()
    shift = len(before) - start
    kept = [(a + shift, b + shift) for a, b in spans if start <= a and b <= end]
    return Snippet(f"{before}{shown}{after}", kept)


def excerpt(text: str, start: int, end: int, width: int) -> Snippet:
    """The part of a text around a span of it, from a sentence's beginning where that leaves room.

    Args:
        text: A passage's text. White space is collapsed and control characters are dropped.
        start: First character of the span.
        end: Character after the last.
        width: Columns it may take, ellipses included; a span that is wider is cut.

    Raises:
        ValueError: The width is below 10 columns.
    """
    if width < 10:
        raise ValueError(f"{width} columns are too few for an excerpt")
    # Far from the span nothing can be shown, and looking at all of a long text would take long.
    earliest = max(0, start - LONGEST_TEXT // 2)
    parts = (text[earliest:start], text[start:end], text[end : end + LONGEST_TEXT // 2])
    before, inside, after = (_SURROGATE.sub("\ufffd", _BLANK.sub(" ", part)) for part in parts)
    before, after = before.lstrip(), after.rstrip()
    line = before + inside + after
    first, last = len(before), len(before) + len(inside)
    columns = list(accumulate((_columns(character) for character in line), initial=0))
    if columns[-1] <= width:
        return Snippet(line, [(first, last)])
    window = _Window(line, columns, width)
    place = window.filled(window.start_for(first, last))
    until = window.end_for(place)
    ahead = ELLIPSIS if place else ""
    shown = line[place:until].rstrip()
    shift = len(ahead) - place
    stop = min(last, place + len(shown))
    return Snippet(f"{ahead}{shown}{ELLIPSIS if until < len(line) else ''}", [(first + shift, stop + shift)])


class _Window:
    """Where a window over a line can begin and end.

    Args:
        line: The text, without line breaks.
        columns: Columns before each character, and of the whole.
        width: Columns that a window may take, ellipses included.
    """

    def __init__(self, line: str, columns: list[int], width: int) -> None:
        self.line = line
        self.columns = columns
        self.width = width
        self.cuts = sorted({0, len(line)} | {match.start() for match in _CUT.finditer(line)})
        self.words = [cut for cut in self.cuts if cut < len(line) and line[cut] != " "]
        self.sentences = [start for start, _ in split_sentences(line)]

    def start_for(self, first: int, last: int) -> int:
        """The beginning of the window for a match at ``first`` to ``last``."""
        for starts, lead in ((self.sentences, self.width // 2), (self.words, self.width // 4)):
            place = bisect_left(starts, self._back(first, lead))
            # The sentence that the match is in, but the earliest word that leaves room.
            if starts is self.sentences:
                place = max(place, bisect_right(starts, first) - 1)
            if place < len(starts) and starts[place] <= first and self.end_for(starts[place]) >= last:
                return starts[place]
        return first

    def end_for(self, start: int) -> int:
        """Where a window from ``start`` ends: at a cut, or within a word that is longer than the window."""
        room = self.width - bool(start)
        if self.columns[-1] - self.columns[start] <= room:
            return len(self.line)
        furthest = bisect_right(self.columns, self.columns[start] + room - 1) - 1
        place = bisect_right(self.cuts, furthest) - 1
        cut, following = self.cuts[place], self.cuts[place + 1]
        endless = self.columns[following] - self.columns[max(cut, start)] >= room
        return furthest if cut <= start or endless else cut

    def filled(self, start: int) -> int:
        """Moves the start of a window that reaches the end of the line back until it is full."""
        if not start or self.end_for(start) < len(self.line):
            return start
        earliest = self._back(len(self.line), self.width - 1)
        for starts in (self.sentences, self.words):
            place = bisect_left(starts, earliest)
            if place < len(starts) and starts[place] < start:
                return starts[place]
        return start

    def _back(self, place: int, columns: int) -> int:
        return bisect_left(self.columns, self.columns[place] - columns)


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
