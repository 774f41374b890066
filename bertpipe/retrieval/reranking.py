"""A better order for the first candidates of a search: a reranker reads as many of them as the time allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bertpipe.errors import ConfigError
from bertpipe.models.passage_ranker import PassageRanker
from bertpipe.retrieval.fusion import fuse

RERANK_MS = 200.0
"""Milliseconds that reranking may take, unless told otherwise."""
FEWEST, MOST = 5, 100
"""Candidates that are read at least, whatever the time, and at most, whatever is left of it."""
# Between two looks at the clock; with more, little is lost to padding.
_BLOCK = 16


@dataclass(frozen=True)
class Reranking:
    """How a search is to be reranked.

    Attributes:
        weight: Of the reranker beside the search's own score, 0 to 1.
        ms: Milliseconds to spend: as many candidates are read as fit, judging by those read so far.
        depth: Candidates to read, instead of a time: the same for the same query, on any machine.

    Raises:
        ConfigError: The time is not positive, or the depth is below 1.
    """

    weight: float
    ms: float = RERANK_MS
    depth: int | None = None

    def __post_init__(self) -> None:
        if not self.ms > 0:
            raise ConfigError(f"rerank_ms = {self.ms:g}", why="reading takes time", hint="Give 50 or more.")
        if self.depth is not None and self.depth < 1:
            raise ConfigError(f"rerank_depth = {self.depth}", why="there has to be a candidate to read")

    @property
    def candidates(self) -> int:
        """How many a search has to propose."""
        return MOST if self.depth is None else self.depth

    def read(
        self,
        ranker: PassageRanker,
        query: str,
        passages: Sequence[tuple[str, str]],
        clock: Callable[[], float] = time.perf_counter,
    ) -> np.ndarray:
        """Reads the first candidates.

        Args:
            ranker: The reranker.
            query: The query.
            passages: Titles and texts of the candidates, best first.
            clock: Tells seconds.

        Returns:
            float32 (R,), the reranker's scores of the first R.
        """
        if self.depth is not None:
            return ranker.scores(query, passages[: self.depth])
        passages = passages[:MOST]
        begin = clock()
        scores = ranker.scores(query, passages[:FEWEST])
        while len(scores) < len(passages):
            spent = (clock() - begin) * 1000
            fit = int(min(_BLOCK, (self.ms - spent) * len(scores) / max(spent, 1e-6)))
            if fit < 1:
                break
            more = passages[len(scores) : len(scores) + fit]
            scores = np.concatenate([scores, ranker.scores(query, more)])
        return scores


def mixed(found: np.ndarray, reranked: np.ndarray, weight: float) -> np.ndarray:
    """One score out of a search's and a reranker's.

    Both are divided by their standard deviation over the candidates that were read, and mixed. The others stay behind
    these, at their old distances.

    Args:
        found: (C,), the search's scores, falling.
        reranked: (R,), the reranker's scores of the first R.
        weight: Of the reranker, 0 to 1.

    Returns:
        float64 (C,). Comparable within the query only.

    Raises:
        ValueError: A score is not finite, more were read than found, or the weight is not within 0 to 1.
    """
    count = len(reranked)
    if count > len(found):
        raise ValueError(f"{count} of {len(found)} candidates were read")
    if not count:
        return found.astype(np.float64)
    first = fuse(found[:count], reranked, weight)
    deviation = float(found[:count].std()) or 1.0
    behind = (found[count - 1] - found[count:].astype(np.float64)) / deviation
    return np.concatenate([first, first.min() - behind])
