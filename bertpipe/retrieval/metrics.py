"""How good a ranking is.

A ranking is a sequence of ids, best first. `rank` makes one from scores and refuses scores that are not
finite: NaN compares false with everything, so a broken encoder would otherwise look like one that finds all.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np

from bertpipe.tasks.bootstrap import check_finite


def rank(ids: Sequence[int] | np.ndarray, scores: np.ndarray, k: int | None = None) -> list[int]:
    """Orders ``ids`` by falling score; equal scores by rising id.

    Args:
        ids: One id for each score.
        scores: (C,).
        k: Keep only the first k.

    Raises:
        ValueError: A score is NaN or infinite, or there are not as many scores as ids.
    """
    numbers, values = np.asarray(ids), np.asarray(scores)
    if numbers.shape != values.shape or values.ndim != 1:
        raise ValueError(f"{values.shape} scores do not fit {numbers.shape} ids")
    check_finite("scores", values)
    return numbers[np.lexsort((numbers, -values))][:k].tolist()


def ndcg(ranking: Sequence[Hashable], relevant: Collection[Hashable] | Mapping[Hashable, float], k: int) -> float:
    """Normalised discounted cumulative gain of the first ``k``: 0 to 1.

    The gain of an id is its grade, discounted by log2(rank + 1); the ideal ranking has the best grades first
    (Järvelin and Kekäläinen 2002, with linear gain, as trec_eval computes it).

    Args:
        ranking: Ids, best first, each at most once.
        relevant: The relevant ids, or their grades (not negative; an id without one counts 0).
        k: At least 1.

    Raises:
        ValueError: Nothing is relevant, a grade is negative or not finite, an id repeats, or k is below 1.
    """
    grades = relevant if isinstance(relevant, Mapping) else dict.fromkeys(relevant, 1.0)
    gains = np.fromiter(grades.values(), dtype=np.float64, count=len(grades))
    check_finite("grades", gains)
    if np.any(gains < 0):
        raise ValueError("a grade is negative")
    _check(ranking, k, bool(np.any(gains > 0)))
    ideal = _discounted(np.sort(gains)[::-1][:k])
    return float(_discounted(np.array([grades.get(one, 0.0) for one in ranking[:k]])) / ideal)


def reciprocal_rank(ranking: Sequence[Hashable], relevant: Collection[Hashable], k: int) -> float:
    """One over the rank of the first relevant id among the first ``k``; 0 if there is none.

    Raises:
        ValueError: As `ndcg`.
    """
    _check(ranking, k, len(relevant) > 0)
    return next((1.0 / place for place, one in enumerate(ranking[:k], 1) if one in relevant), 0.0)


def recall(ranking: Sequence[Hashable], relevant: Collection[Hashable], k: int) -> float:
    """The share of the relevant ids that stand among the first ``k``.

    Raises:
        ValueError: As `ndcg`.
    """
    _check(ranking, k, len(relevant) > 0)
    return sum(one in relevant for one in ranking[:k]) / len(set(relevant))


def _discounted(gains: np.ndarray) -> float:
    return float(np.sum(gains / np.log2(np.arange(2, len(gains) + 2))))


def _check(ranking: Sequence[Hashable], k: int, any_relevant: bool) -> None:
    if k < 1:
        raise ValueError(f"k = {k}, but a ranking is cut at 1 or later")
    if not any_relevant:
        raise ValueError("nothing is relevant to the query, so its ranking cannot be measured")
    if len(set(ranking[:k])) != len(ranking[:k]):
        raise ValueError("an id stands twice in the ranking, and would count twice")
