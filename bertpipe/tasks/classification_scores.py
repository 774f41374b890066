"""How well texts were sorted into classes, with one label each or several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertpipe.errors import InputError
from bertpipe.tasks.bootstrap import resampled_intervals
from bertpipe.tasks.estimate import Estimate, estimates
from bertpipe.tasks.f_measure import FMeasure, f_measures


@dataclass(frozen=True, slots=True)
class ClassificationScores:
    """How good predicted classes are.

    Attributes:
        items: How many were predicted.
        labels: The names of the classes, in the order of their numbers.
        scores: ``accuracy``, ``macro_f1``, ``micro_f1``, 0 to 1, and with one label to an item ``mcc``, -1 to 1.
            Accuracy is the share of items whose label, or set of labels, is exactly right. Macro F1 is the mean over
            the labels that occur, in truth or in predictions; micro F1 that of all decisions together, with one label
            to an item the accuracy. MCC is Matthews' coefficient for many classes (Gorodkin 2004, "Comparing two
            K-category assignments by a K-category correlation coefficient"), 0 where it is not defined.
        majority: The accuracy of always saying what is most frequent among the true.
        by_label: Precision, recall and F1 of every label.
        confusion: With one label to an item how many of each class (row) were taken for each (column), (C, C). With
            several, for each label [[true negatives, false positives], [false negatives, true positives]], (C, 2, 2).
    """

    items: int
    labels: tuple[str, ...]
    scores: Mapping[str, Estimate]
    majority: float
    by_label: Mapping[str, FMeasure]
    confusion: np.ndarray

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "items": self.items,
            "labels": list(self.labels),
            "scores": {name: score.as_json(4) for name, score in self.scores.items()},
            "majority": round(self.majority, 4),
            "by_label": {name: measure.as_json() for name, measure in self.by_label.items()},
            "confusion": self.confusion.tolist(),
        }


def score_classes(
    predicted: Sequence[int] | np.ndarray,
    gold: Sequence[int] | np.ndarray,
    labels: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> ClassificationScores:
    """Scores predictions of one label to an item.

    Args:
        predicted: The numbers of the predicted labels, (N,).
        gold: The numbers of the true ones, (N,).
        labels: Their names, C of them.
        seed: Of the bootstrap over items. The result is a pure function of the arguments.
        resamples: Of the bootstrap; 0 for no intervals, which take most of the time.

    Raises:
        InputError: There is nothing to score.
        ValueError: The arrays do not fit, or a number names no label.
    """
    ours, true = (_numbers(name, one, len(labels)) for name, one in (("predicted", predicted), ("gold", gold)))
    _check_same(ours, true)
    count = len(labels)
    cells = true * count + ours  # (N,)

    def table(taken: np.ndarray) -> np.ndarray:
        return np.bincount(cells[taken], minlength=count * count).reshape(count, count)

    def figures(confusion: np.ndarray) -> list[float]:
        hits, found, there = np.diagonal(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
        accuracy = float(hits.sum() / confusion.sum())
        return [accuracy, _macro_f1(hits, found, there), accuracy, _mcc(hits, found, there)]

    confusion = table(np.arange(len(true)))
    values = figures(confusion)
    intervals = resampled_intervals(len(true), lambda taken: figures(table(taken)), seed, resamples)
    names = ("accuracy", "macro_f1", "micro_f1", "mcc")
    return ClassificationScores(
        items=len(true),
        labels=tuple(labels),
        scores=estimates(names, values, intervals),
        majority=float(confusion.sum(axis=1).max() / len(true)),
        by_label=_by_label(labels, np.diagonal(confusion), confusion.sum(axis=0), confusion.sum(axis=1)),
        confusion=confusion,
    )


def score_label_sets(
    predicted: np.ndarray, gold: np.ndarray, labels: Sequence[str], *, seed: int = 0, resamples: int = 1000
) -> ClassificationScores:
    """Scores predictions of any number of labels to an item.

    Args:
        predicted: Which labels were predicted, (N, C) of truth values.
        gold: Which are true, (N, C).
        labels: Their names, C of them.
        seed: Of the bootstrap over items. The result is a pure function of the arguments.
        resamples: Of the bootstrap; 0 for no intervals, which take most of the time.

    Raises:
        InputError: There is nothing to score.
        ValueError: The arrays do not fit, or hold anything but truth values.
    """
    ours, true = (_truth_values(name, one, len(labels)) for name, one in (("predicted", predicted), ("gold", gold)))
    _check_same(ours, true)
    exact = (ours == true).all(axis=1, keepdims=True)  # (N, 1)
    counted = np.concatenate([ours & true, ours, true, exact], axis=1).astype(np.float64)  # (N, 3C + 1)

    def figures(taken: np.ndarray) -> list[float]:
        # How often each item is taken, times what it counts: taking out the rows takes twice as long.
        sums = np.bincount(taken, minlength=len(true)) @ counted
        hits, found, there = sums[:-1].reshape(3, -1)
        micro = f_measures(*(one.sum(keepdims=True) for one in (hits, found, there)))[2]
        return [float(sums[-1] / len(taken)), _macro_f1(hits, found, there), float(micro[0])]

    values = figures(np.arange(len(true)))
    intervals = resampled_intervals(len(true), figures, seed, resamples)
    hits, found, there = (ours & true).sum(axis=0), ours.sum(axis=0), true.sum(axis=0)
    negatives = len(true) - found - there + hits
    _, sets = np.unique(true, axis=0, return_counts=True)
    names = ("accuracy", "macro_f1", "micro_f1")
    return ClassificationScores(
        items=len(true),
        labels=tuple(labels),
        scores=estimates(names, values, intervals),
        majority=float(sets.max() / len(true)),
        by_label=_by_label(labels, hits, found, there),
        confusion=np.stack([negatives, found - hits, there - hits, hits], axis=1).reshape(-1, 2, 2),
    )


def _numbers(name: str, values: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    numbers = np.asarray(values)
    if numbers.ndim != 1 or (len(numbers) and numbers.dtype.kind not in "iu"):
        raise ValueError(f"{name} has to be a row of whole numbers")
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < count:
        raise ValueError(f"{name} has numbers that name none of {count} labels")
    return numbers.astype(np.int64)


def _truth_values(name: str, values: np.ndarray, count: int) -> np.ndarray:
    table = np.asarray(values)
    if table.ndim != 2 or table.shape[1] != count:
        raise ValueError(f"{name} has to have one column for each of {count} labels")
    if not np.isin(table, (0, 1)).all():
        raise ValueError(f"{name} holds something else than truth values")
    return table.astype(bool)


def _check_same(ours: np.ndarray, true: np.ndarray) -> None:
    if len(ours) != len(true):
        raise ValueError(f"{len(ours)} predictions do not fit {len(true)} true labels")
    if not len(true):
        raise InputError("there is nothing to score", why="no prediction and no label")


def _macro_f1(hits: np.ndarray, found: np.ndarray, there: np.ndarray) -> float:
    occurs = (found > 0) | (there > 0)
    return float(f_measures(hits, found, there)[2][occurs].mean()) if occurs.any() else 0.0


def _mcc(hits: np.ndarray, found: np.ndarray, there: np.ndarray) -> float:
    # In Python's whole numbers: squares of large counts have no bound there.
    right, found_each, there_each = int(hits.sum()), found.tolist(), there.tolist()
    items = sum(there_each)
    covariance = right * items - sum(a * b for a, b in zip(found_each, there_each, strict=True))
    spread = (items**2 - sum(a * a for a in found_each)) * (items**2 - sum(b * b for b in there_each))
    return covariance / math.sqrt(spread) if spread else 0.0


def _by_label(labels: Sequence[str], hits: np.ndarray, found: np.ndarray, there: np.ndarray) -> dict[str, FMeasure]:
    measures = zip(*(one.tolist() for one in (*f_measures(hits, found, there), there)), strict=True)
    return {label: FMeasure(*measure) for label, measure in zip(labels, measures, strict=True)}
