"""Whether a model is right as often as it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def calibration_of(confidence: np.ndarray, correct: np.ndarray) -> dict[str, Any]:
    """Expected calibration error and reliability diagram (Guo et al. 2017, section 2).

    Args:
        confidence: (N,), the probability of each prediction.
        correct: (N,), whether it was right.

    Returns:
        ``ece``, and ``bins`` with ``confidence``, ``accuracy`` and ``count``.
    """
    from bertpipe.tasks.calibration import expected_calibration_error, reliability

    bins = [
        {"confidence": round(one.confidence, 4), "accuracy": round(one.accuracy, 4), "count": one.items}
        for one in reliability(confidence, correct)
    ]
    return {"ece": round(expected_calibration_error(confidence, correct), 4), "bins": bins}
