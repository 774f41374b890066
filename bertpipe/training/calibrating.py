"""Probabilities that mean what they say: a temperature for the logits of a trained model (Guo et al. 2017)."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, softmax

from bertpipe.tasks.calibration import expected_calibration_error, fit_temperature

# Thresholds that are tried; with few texts a finer grid would follow chance.
THRESHOLDS = np.arange(1, 20) / 20


def calibrate(logits: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Finds the temperature, and says what it mends.

    Args:
        logits: (N, C) of the dev set.
        truth: The class of each, (N,); or 0 and 1, (N, C), where each label is decided by itself.

    Returns:
        ``temperature``, and the expected calibration error ``ece`` with it and ``ece_before`` without.
    """
    logits = logits.astype(np.float64)
    temperature = fit_temperature(logits, truth)
    return {
        "temperature": temperature,
        "ece": _error(logits / temperature, truth),
        "ece_before": _error(logits, truth),
    }


def _error(logits: np.ndarray, truth: np.ndarray) -> float:
    if truth.ndim == 2:
        yes = expit(logits).ravel()
        return expected_calibration_error(np.maximum(yes, 1 - yes), (yes > 0.5) == (truth.ravel() > 0))
    probabilities = softmax(logits, axis=1)
    return expected_calibration_error(probabilities.max(1), probabilities.argmax(1) == truth)


def best_threshold(logits: np.ndarray, truth: np.ndarray) -> float:
    """The probability above which a label of several is best taken: for the highest F1 of all decisions.

    Args:
        logits: (N, C).
        truth: 0 and 1, (N, C).
    """
    probabilities = expit(logits)
    known = truth > 0

    def f1(threshold: float) -> float:
        taken = probabilities > threshold
        return 2 * float((taken & known).sum()) / max(1.0, float(taken.sum() + known.sum()))

    # Of equally good ones the one nearest to a half.
    return float(max(THRESHOLDS, key=lambda one: (f1(one), -abs(one - 0.5))))
