"""The passages that both sides propose for a query, each with both of its scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bertpipe.retrieval.fusion import fused_parts, scaled
from bertpipe.retrieval.lexical import LexicalIndex
from bertpipe.retrieval.vectors import VectorIndex

# Passages that each side proposes, at least. More were not measured to change the first ten.
DEPTH = 100


@dataclass(frozen=True)
class Candidates:
    """C passages.

    Attributes:
        numbers: int64 (C,), ascending.
        bm25: float32 (C,); 0 where no word matches.
        dense: float32 (C,), cosines.
        near: float64 (C,), how much of the query stands together (`LexicalIndex.nearness`); None where that has no say.
    """

    numbers: np.ndarray
    bm25: np.ndarray
    dense: np.ndarray
    near: np.ndarray | None = None

    @property
    def scores(self) -> dict[str, np.ndarray]:
        """The scores by name."""
        scores = {"bm25": self.bm25, "dense": self.dense}
        return scores if self.near is None else scores | {"nearness": self.near}

    def parts(self, weight: float, nearness: float = 0.0) -> dict[str, np.ndarray]:
        """What each score adds to that of the hybrid, which is their sum.

        Args:
            weight: Of the dense side, 0 to 1.
            nearness: Of words that stand together, in units of their standard deviation as well.

        Returns:
            float64 (C,) by name.

        Raises:
            ValueError: A score is not finite, or words that stand together were not looked for.
        """
        words, meaning = fused_parts(self.bm25, self.dense, weight)
        parts = {"dense": meaning, "bm25": words}
        if nearness:
            if self.near is None:
                raise ValueError("words that stand together were not looked for")
            near, spread = scaled("nearness", self.near)
            parts["nearness"] = nearness * near if spread else np.zeros_like(near)
        return parts

    def hybrid(self, weight: float, nearness: float = 0.0) -> np.ndarray:
        """The hybrid's scores, float64 (C,); see `parts`."""
        return np.add.reduce(list(self.parts(weight, nearness).values()))


def find_candidates(
    lexical: LexicalIndex,
    vectors: VectorIndex,
    query: str,
    query_vector: np.ndarray,
    depth: int = DEPTH,
    among: np.ndarray | None = None,
    *,
    near: bool = False,
) -> Candidates:
    """Unites the best of both sides, and gives every candidate its true score on the side that did not propose it.

    Args:
        lexical: The BM25 side.
        vectors: The dense side.
        query: The query's text.
        query_vector: float32 (D,).
        depth: Passages that each side proposes.
        among: bool (N,), the passages that may be proposed; all if None.
        near: Look for words that stand together as well.
    """
    by_words, word_scores = lexical.search(query, depth, among)
    by_vector, _ = vectors.search(query_vector, depth, among)
    numbers = _union(by_words, by_vector)
    bm25 = np.zeros(len(numbers), dtype=np.float32)
    known = numbers.searchsorted(by_words)
    bm25[known] = word_scores
    # With fewer word hits than asked for, every passage with a matching word is already known.
    if len(by_words) == depth:
        others = np.ones(len(numbers), dtype=bool)
        others[known] = False
        bm25[others] = lexical.scores(query, numbers[others])
    together = lexical.nearness(query, numbers) if near else None
    return Candidates(numbers, bm25, vectors.scores(query_vector, numbers), together)


def _union(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The numbers in either, ascending; what `numpy.union1d` does, which takes three times as long for so few."""
    both = np.concatenate([one, other])
    both.sort()
    first = np.ones(len(both), dtype=bool)
    np.not_equal(both[1:], both[:-1], out=first[1:])
    return both[first]
