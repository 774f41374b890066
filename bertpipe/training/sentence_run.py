"""Whole sentences of one document in a row: the text that RoBERTa and the denoising objectives learn from."""

from __future__ import annotations

import numpy as np

from bertpipe.text.token_store import TokenStore


def sentence_run(store: TokenStore, position: int, most: int, rng: np.random.Generator) -> list[int]:
    """As many whole sentences of a document as fit into a number of tokens.

    The run starts at, or up to ``most`` tokens before, the position: visits that always started there would see little
    of a long document's first sentences, where its title is. A sentence that is too long by itself is cut into pieces.

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
    place = max(int(store.sentences[first]), position - int(rng.integers(most)))
    left = store.sentence_at(place)
    right = left + 1
    start, stop = int(store.sentences[left]), int(store.sentences[right])
    if stop - start > most:
        start = max(start, min(start + (place - start) // most * most, stop - most))
        return [start, start + most]
    while right < last and store.sentences[right + 1] - start <= most:
        right += 1
    stop = int(store.sentences[right])
    while left > first and stop - store.sentences[left - 1] <= most:
        left -= 1
    return np.unique(store.sentences[left : right + 1]).tolist()
