"""How sure an answer must be: the threshold under which "no answer" is the better answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bertpipe.tasks.bootstrap import check_finite

# Points of a curve that are kept, for a table or a plot.
POINTS = 50


@dataclass(frozen=True)
class ThresholdPoint:
    """What answering from a threshold on is worth.

    Attributes:
        threshold: Answers with this score or a higher one are given.
        coverage: Share of the questions that get an answer.
        f1: Mean over all questions, 0 to 100; an unanswerable question counts 100 if it gets no answer, else 0.
        answered_f1: Mean over the questions that get an answer; 0 if none does.
    """

    threshold: float
    coverage: float
    f1: float
    answered_f1: float


@dataclass(frozen=True)
class ThresholdCurve:
    """F1 over coverage.

    Attributes:
        points: From answering nothing to answering everything.
        best: The point of the highest F1; of several the one that answers most, or nothing if that is as good.
    """

    points: tuple[ThresholdPoint, ...]
    best: ThresholdPoint

    def as_json(self) -> dict[str, Any]:
        """As ``thresholds.json`` has it."""
        return {"best": asdict(self.best), "curve": [asdict(point) for point in self.points]}


def threshold_curve(
    scores: Sequence[float] | np.ndarray, f1: Sequence[float] | np.ndarray, answerable: Sequence[bool] | np.ndarray
) -> ThresholdCurve:
    """Measures every threshold (the search of SQuAD 2.0's official scorer, over F1).

    Args:
        scores: (Q,), of the best answer to each question, 0 to 1.
        f1: (Q,), 0 to 1, of those answers; not looked at where the question is unanswerable.
        answerable: (Q,).

    Raises:
        ValueError: There is no question, or a figure is not finite.
    """
    values, gains = np.asarray(scores, dtype=np.float64), np.asarray(f1, dtype=np.float64)
    possible = np.asarray(answerable, dtype=bool)
    check_finite("scores", values)
    check_finite("F1", gains)
    count = len(values)
    if not count:
        raise ValueError("a threshold needs at least one question")
    order = np.argsort(-values, kind="stable")
    gained = np.where(possible, gains, 0.0)[order]
    lost = np.where(possible, 0.0, 1.0)[order]
    answered = np.arange(count + 1)
    right = np.concatenate([[0.0], np.cumsum(gained)])
    whole = lost.sum() - np.concatenate([[0.0], np.cumsum(lost)]) + right
    ranked = values[order]
    # Equal scores are answered together or not at all.
    ends = np.flatnonzero(np.concatenate([[True], ranked[1:] < ranked[:-1], [True]])) if count > 1 else answered
    points = [
        ThresholdPoint(
            threshold=_between(ranked, int(cut)),
            coverage=int(cut) / count,
            f1=100 * float(whole[cut]) / count,
            answered_f1=100 * float(right[cut]) / max(1, int(cut)),
        )
        for cut in ends
    ]
    best = max(points, key=lambda point: (round(point.f1, 9), point.coverage))
    if best.f1 < points[0].f1 + 1e-9:
        best = points[0]
    kept = sorted({round(place) for place in np.linspace(0, len(points) - 1, min(POINTS, len(points)))})
    return ThresholdCurve(tuple(points[place] for place in kept), best)


def _between(ranked: np.ndarray, cut: int) -> float:
    """A threshold that lets the first ``cut`` scores through."""
    if cut == len(ranked):
        return 0.0
    if cut == 0:  # a sure answer's probability may round to 1
        return max(1.0, float(np.nextafter(ranked[0], np.inf)))
    return float((ranked[cut - 1] + ranked[cut]) / 2)
