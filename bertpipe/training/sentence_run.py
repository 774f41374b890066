"""Whole sentences of one document in a row: the text that RoBERTa and the denoising objectives learn from."""

from __future__ import annotations

import numpy as np

from bertpipe.text.token_store import TokenStore


def sentence_run(store: TokenStore, position: int, most: int, rng: np.random.Generator) -> list[int]:
    """As many whole sentences of a document as fit into a number of tokens, that of a position among them.

    How much of the run stands before the position is random. If runs started there, little would be seen of a long
    document's first sentences, where its title is. Of a sentence too long for a run, a piece is taken.

    Args:
        store: The documents.
        position: A token of the stream.
        most: Tokens, at least 1.
        rng: Randomness.

    Returns:
        Where the run starts in the stream, and where each of its sentences ends; none is empty.
    """
    document = store.document_at(position)
    first, last = int(store.documents[document]), int(store.documents[document + 1])
    left = store.sentence_at(position)
    right = left + 1
    start, stop = int(store.sentences[left]), int(store.sentences[right])
    earliest = position - int(rng.integers(most))
    if stop - start > most:
        start = max(start, min(earliest, stop - most))
        return [start, start + most]
    earliest = max(earliest, stop - most)
    while left > first and store.sentences[left - 1] >= earliest:
        left -= 1
    start = int(store.sentences[left])
    while right < last and store.sentences[right + 1] - start <= most:
        right += 1
    stop = int(store.sentences[right])
    while left > first and stop - store.sentences[left - 1] <= most:
        left -= 1
    return np.unique(store.sentences[left : right + 1]).tolist()
