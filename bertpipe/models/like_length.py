"""Texts of like length together in a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def like_length(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Batches of near neighbours, so that results can be given out in turn.

    Args:
        lengths: Tokens of each text.
        batch_tokens: Tokens in a batch, padding included; a longer text is a batch by itself.

    Yields:
        Numbers of texts; each is in one batch.
    """
    window = max(1, batch_tokens)
    start = 0
    while start < len(lengths):
        # A stretch of a few batches is sorted by length.
        stop, tokens = start, 0
        while stop < len(lengths) and (tokens < 4 * window or stop == start):
            tokens += lengths[stop]
            stop += 1
        batch: list[int] = []
        longest = 0
        for number in sorted(range(start, stop), key=lambda number: (lengths[number], number)):
            longest = max(longest, lengths[number])
            if batch and longest * (len(batch) + 1) > window:
                yield batch
                batch, longest = [], lengths[number]
            batch.append(number)
        if batch:
            yield batch
        start = stop
