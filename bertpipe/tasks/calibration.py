"""Whether a model is as sure as it is right, and the temperature that makes it so."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from bertpipe.tasks.bootstrap import check_finite

BINS = 15
_COOLEST, _HOTTEST = 0.05, 20.0


class ReliabilityBin(NamedTuple):
    """The predictions of like confidence.

    Attributes:
        low: The confidence above which they are; the first bin has 0 in it.
        high: The confidence up to which they are.
        items: How many they are.
        confidence: Their mean confidence; 0 if there are none.
        accuracy: The share of them that is right; 0 if there are none.
    """

    low: float
    high: float
    items: int
    confidence: float
    accuracy: float


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature T for which the probabilities of ``logits / T`` make the true labels most likely.

    Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks", section 4.2. Dividing by T changes
    no decision, only how sure it is.

    Args:
        logits: (N, C), of examples that the model did not learn from.
        labels: The numbers of the true classes, (N,), for a softmax over classes; or truth values (N, C) for a sigmoid
            on each.

    Returns:
        0.05 to 20. 1 where every decision is right: the likelihood then has no maximum, as any T can be beaten by a
        lower one, and there is nothing to learn from.

    Raises:
        ValueError: There are no examples, the shapes do not fit, a logit is not finite, or a label is none.
    """
    scores, true = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    if scores.ndim != 2 or not scores.size:
        raise ValueError(f"logits have the shape {scores.shape} instead of (N, C)")
    check_finite("logits", scores)
    if true.shape == scores.shape:
        if not np.isin(true, (0, 1)).all():
            raise ValueError("labels of shape (N, C) have to be truth values")
        signs = np.where(true == 1, 1.0, -1.0)
        margins = (signs * scores).ravel()  # above 0 where the decision is right

        def loss(log_temperature: float) -> float:
            return float(-special.log_expit(margins / np.exp(log_temperature)).mean())

    elif true.shape == scores.shape[:1] and true.dtype.kind in "iu":
        if not 0 <= true.min() <= true.max() < scores.shape[1]:
            raise ValueError(f"labels have numbers that name none of {scores.shape[1]} classes")
        rest = scores - scores[np.arange(len(true)), true][:, None]  # (N, C), 0 at the true class
        others = np.arange(scores.shape[1])[None, :] != true[:, None]
        margins = -rest[others]

        def loss(log_temperature: float) -> float:
            return float(special.logsumexp(rest / np.exp(log_temperature), axis=1).mean())

    else:
        raise ValueError(f"labels {true.shape} do not fit logits {scores.shape}")
    if (margins >= 0).all():
        return 1.0
    # The loss is convex in 1/T, so it has one minimum in log T as well.
    found = optimize.minimize_scalar(
        loss, bounds=(np.log(_COOLEST), np.log(_HOTTEST)), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> list[ReliabilityBin]:
    """Confidence against accuracy in bins of equal width, as a reliability diagram draws them.

    Args:
        confidence: The probability of each prediction, (N,).
        correct: Whether it is right, (N,) of truth values.
        bins: How many.

    Raises:
        ValueError: There are no predictions, the shapes do not fit, or a confidence is no probability.
    """
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct)
    if sure.ndim != 1 or sure.shape != right.shape or not len(sure):
        raise ValueError(f"confidence {sure.shape} and correct {right.shape} have to be rows of the same length")
    check_finite("confidences", sure)
    if sure.min() < -1e-6 or sure.max() > 1 + 1e-6:  # single precision may give a little more than 1
        raise ValueError("a confidence is no probability: it is below 0 or above 1")
    if not np.isin(right, (0, 1)).all():
        raise ValueError("correct holds something else than truth values")
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], np.clip(sure, 0, 1), side="left")  # (N,), a bin ends with its upper edge
    counts = np.bincount(place, minlength=bins)
    filled = np.maximum(counts, 1)
    means = np.bincount(place, weights=sure, minlength=bins) / filled
    shares = np.bincount(place, weights=right.astype(np.float64), minlength=bins) / filled
    rows = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), means.tolist(), shares.tolist(), strict=True)
    return [ReliabilityBin(*row) for row in rows]


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> float:
    """How far confidence and accuracy are apart on average, 0 to 1 (Naeini, Cooper and Hauskrecht 2015).

    Args:
        confidence: The probability of each prediction, (N,).
        correct: Whether it is right, (N,) of truth values.
        bins: How many bins of equal width; figures compare only with those for the same number.

    Raises:
        ValueError: As `reliability`.
    """
    found = reliability(confidence, correct, bins)
    apart = sum(one.items * abs(one.accuracy - one.confidence) for one in found)
    return apart / sum(one.items for one in found)
