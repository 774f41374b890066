"""Passages: windows of whole sentences, small enough to encode and to read at a glance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bertpipe.text.sentences import split_sentences
from bertpipe.text.sequences import MAX_TITLE_TOKENS


class PieceCounter(Protocol):
    """What passages need of a tokenizer."""

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The piece ids of many texts."""

    def encode_offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each piece of a text stands in it, as character offsets (start, end)."""


@dataclass(frozen=True, slots=True)
class Window:
    """A passage's place in its document.

    Attributes:
        start: First character.
        end: Character after the last.
    """

    start: int
    end: int


def document_windows(
    title: str, text: str, tokenizer: PieceCounter, passage_tokens: int, overlap: int = 0
) -> Iterator[Window]:
    """Cuts a document so that every passage fits the encoder together with the document's title.

    Args:
        title: Stands above every passage.
        text: The document's text.
        tokenizer: Counts tokens.
        passage_tokens: Most tokens that the encoder reads, title and special pieces included.
        overlap: See `passage_windows`; at most half of what a window holds is used.
    """
    above = min(len(tokenizer.encode_batch([title])[0]), MAX_TITLE_TOKENS, passage_tokens // 2)
    limit = max(1, passage_tokens - 3 - above)
    return passage_windows(text, tokenizer, limit, min(overlap, limit // 2))


def passage_windows(text: str, tokenizer: PieceCounter, limit: int, overlap: int = 0) -> Iterator[Window]:
    """Cuts a text into windows of whole sentences of up to ``limit`` tokens.

    A sentence longer than that (a table, a listing) is cut between pieces, at a space where there is one near.

    Args:
        text: The document's text.
        tokenizer: Counts tokens.
        limit: Most tokens in a window.
        overlap: A window begins with up to this many tokens' worth of whole sentences from the end of the one
            before it.

    Yields:
        Windows in order. Together they hold every sentence.

    Raises:
        ValueError: ``overlap`` is not smaller than ``limit``.
    """
    if not 0 <= overlap < limit:
        raise ValueError(f"an overlap of {overlap} tokens does not fit windows of {limit}")
    spans = split_sentences(text)
    # With the space before it, which is no token for some tokenizers and several for others.
    before = [0, *(end for _, end in spans)]
    sentences = [text[begin:end] for begin, (_, end) in zip(before, spans, strict=False)]
    lengths = [len(ids) for ids in tokenizer.encode_batch(sentences)]
    units: list[tuple[int, int, int]] = []  # start, end, tokens
    for (start, end), length in zip(spans, lengths, strict=True):
        if length <= limit:
            units.append((start, end, length))
        else:
            units.extend(_cut(text, start, end, tokenizer, limit))
    first = 0
    while first < len(units):
        last, total = first, units[first][2]
        while last + 1 < len(units) and total + units[last + 1][2] <= limit:
            last += 1
            total += units[last][2]
        yield Window(units[first][0], units[last][1])
        if last + 1 == len(units):
            return
        following = last + 1
        # Step back over sentences that fit the overlap, but never so far that the next sentence has no room.
        room = min(overlap, limit - units[following][2])
        while following - 1 > first and units[following - 1][2] <= room:
            following -= 1
            room -= units[following][2]
        first = following


def _cut(text: str, start: int, end: int, tokenizer: PieceCounter, limit: int) -> Iterator[tuple[int, int, int]]:
    offsets = tokenizer.encode_offsets(text[start:end])

    def part(begin: int, after: int) -> tuple[int, int]:
        """Where the pieces before number ``after`` end, and how many tokens the text up to there has."""
        stop = end if after == len(offsets) else start + offsets[after][0]
        return stop, len(tokenizer.encode_batch([text[begin:stop].strip()])[0])

    first = 0
    begin = start
    while first < len(offsets):
        # What begins inside a word costs one more token: read by itself, it gets a mark of a word's beginning.
        mark = 1 if first else 0
        after = min(first + max(1, limit - mark), len(offsets))
        if after < len(offsets):
            for candidate in range(after, max(first + 1, after - limit // 4), -1):
                place = start + offsets[candidate][0]
                if text[place : place + 1].isspace() or text[place - 1 : place].isspace():
                    after = candidate
                    break
        stop, tokens = part(begin, after)
        # Read by itself, a part may take more pieces than inside of its word.
        while tokens > limit and after > first + 1:
            after = max(first + 1, after - (tokens - limit))
            stop, tokens = part(begin, after)
        # The pieces that spell one character are all at its place.
        while stop <= begin and after < len(offsets):
            after += 1
            stop, tokens = part(begin, after)
        piece = text[begin:stop]
        if piece.strip():
            left = len(piece) - len(piece.lstrip())
            # Together with the next part it has the pieces that it has inside of the sentence.
            yield begin + left, begin + len(piece.rstrip()), max(tokens, after - first + mark)
        first, begin = after, stop
