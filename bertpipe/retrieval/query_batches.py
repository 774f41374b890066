"""Many queries: they are encoded together, which is what takes longest when each comes alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bertpipe.retrieval.index import Index
from bertpipe.retrieval.search_result import Mode, SearchResult

AT_ONCE = 256
"""Queries that are encoded together."""


def encoded_queries(index: Index, queries: Sequence[str], mode: Mode | None = None) -> Iterator[np.ndarray | None]:
    """The vector of each query, float32 (D,), in their order; None where the mode needs none.

    Args:
        index: Whose encoder.
        queries: Any texts.
        mode: The mode to search in; the index's own if left out.
    """
    if (mode or index.settings.mode) == "bm25":
        yield from [None] * len(queries)
        return
    for start in range(0, len(queries), AT_ONCE):
        yield from index.encoder.encode_queries(queries[start : start + AT_ONCE])


def search_many(
    index: Index, queries: Sequence[str], k: int, mode: Mode | None = None, **how: Any
) -> Iterator[SearchResult]:
    """What `Index.search` finds for each query, in their order. ``took_ms`` leaves out the encoding.

    Args:
        index: Where to search.
        queries: Any texts.
        k: At most how many hits of each.
        mode: As in `Index.search`, and so is ``how``.
        **how: Its other arguments.

    Raises:
        ConfigError: As `Index.search`.
    """
    for query, vector in zip(queries, encoded_queries(index, queries, mode), strict=True):
        yield index.search(query, k, mode, vector=vector, **how)
