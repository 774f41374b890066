"""Precision, recall and their harmonic mean, from counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class FMeasure(NamedTuple):
    """How well what is there was found, 0 to 1; 0 where nothing was found or nothing is there.

    Attributes:
        precision: The share of the found that is right.
        recall: The share of the right that was found.
        f1: Their harmonic mean.
        support: How many there are to find.
    """

    precision: float
    recall: float
    f1: float
    support: int

    def as_json(self) -> dict[str, float]:
        """JSON values, to four decimals."""
        shares = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {name: round(share, 4) for name, share in shares.items()} | {"support": self.support}


def f_measures(hits: np.ndarray, found: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of each of several kinds.

    Args:
        hits: How many of each kind were found and are right, (K,).
        found: How many were found, (K,).
        there: How many there are to find, (K,).

    Returns:
        Three arrays (K,), 0 wherever a division has nothing to divide by.
    """
    precision = _share(hits, found)
    recall = _share(hits, there)
    return precision, recall, _share(2 * precision * recall, precision + recall)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole == 0, 0.0, part / np.where(whole == 0, 1, whole))
