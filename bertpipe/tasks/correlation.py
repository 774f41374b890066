"""How well predicted similarities follow those that people gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertpipe.errors import InputError
from bertpipe.tasks.bootstrap import check_finite, resampled_intervals
from bertpipe.tasks.estimate import Estimate, estimates


@dataclass(frozen=True, slots=True)
class CorrelationScores:
    """How good predicted similarities are.

    Attributes:
        items: How many pairs were predicted.
        scores: ``pearson`` (of the figures) and ``spearman`` (of their ranks, ties sharing theirs), -1 to 1.
    """

    items: int
    scores: Mapping[str, Estimate]

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {"items": self.items, "scores": {name: score.as_json(4) for name, score in self.scores.items()}}


def score_similarities(
    predicted: Sequence[float] | np.ndarray, gold: Sequence[float] | np.ndarray, *, seed: int = 0, resamples: int = 1000
) -> CorrelationScores:
    """Pearson's and Spearman's correlation. Predictions that are all equal tell nothing, and get 0.

    Args:
        predicted: N figures on any scale.
        gold: N true ones.
        seed: Of the bootstrap over pairs. The result is a pure function of the arguments.
        resamples: Of the bootstrap; 0 for no intervals, which take most of the time.

    Raises:
        InputError: There are fewer than two pairs, or all true figures are equal: there is no correlation to measure.
        ValueError: The rows do not fit, or a figure is NaN or infinite.
    """
    ours, true = (np.asarray(one, dtype=np.float64) for one in (predicted, gold))
    if ours.ndim != 1 or ours.shape != true.shape:
        raise ValueError(f"predictions {ours.shape} do not fit true figures {true.shape}: two rows of the same length")
    check_finite("predictions", ours)
    check_finite("true figures", true)
    if len(true) < 2 or (true == true[0]).all():
        why = "all have the same score" if len(true) > 1 else f"there are {len(true)}"
        raise InputError("a correlation needs pairs with different scores", why=why, hint="Score more pairs.")

    def figures(taken: np.ndarray) -> list[float]:
        if (true[taken] == true[taken[0]]).all():
            return [np.nan, np.nan]
        ranks = [_ranks(one[taken]) for one in (ours, true)]
        return [_pearson(ours[taken], true[taken]), _pearson(*ranks)]

    values = figures(np.arange(len(true)))
    intervals = resampled_intervals(len(true), figures, seed, resamples)
    names = ("pearson", "spearman")
    return CorrelationScores(len(true), estimates(names, values, intervals))


def _pearson(ours: np.ndarray, true: np.ndarray) -> float:
    """Of rows of which the second is not constant."""
    if (ours == ours[0]).all():
        return 0.0
    # Scaled first: squares of figures like 1e-200 would vanish.
    ours, true = (one - one.mean() for one in (ours / np.abs(ours).max(), true / np.abs(true).max()))
    spread = float(np.linalg.norm(ours) * np.linalg.norm(true))
    return float(np.clip(ours @ true / spread, -1.0, 1.0)) if spread else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, ties sharing the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]
