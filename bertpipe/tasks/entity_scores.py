"""How well entities were found: a span counts if its bounds and its type are both right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertpipe.errors import InputError
from bertpipe.tasks.bootstrap import resampled_intervals
from bertpipe.tasks.estimate import Estimate, estimates
from bertpipe.tasks.f_measure import FMeasure, f_measures
from bertpipe.tasks.tagging_scheme import Scheme, spans_of


@dataclass(frozen=True, slots=True)
class EntityScores:
    """How good predicted entities are.

    Attributes:
        sentences: How many were tagged.
        gold: How many entities there are.
        predicted: How many were predicted.
        scores: ``precision``, ``recall`` and ``f1`` of all entities together (micro), and the means over the types that
            occur, ``macro_f1`` and, weighted by how often each one does, ``weighted_f1``: 0 to 1. Where there is
            nothing to divide by, 0.
        by_type: Precision, recall and F1 of every type, in sorted order.
    """

    sentences: int
    gold: int
    predicted: int
    scores: Mapping[str, Estimate]
    by_type: Mapping[str, FMeasure]

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "sentences": self.sentences,
            "gold": self.gold,
            "predicted": self.predicted,
            "scores": {name: score.as_json(4) for name, score in self.scores.items()},
            "by_type": {name: measure.as_json() for name, measure in self.by_type.items()},
        }


def score_entities(
    predicted: Sequence[Sequence[str]],
    gold: Sequence[Sequence[str]],
    *,
    strict: Scheme | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> EntityScores:
    """Scores the tags of sentences, as seqeval does (Nakayama 2018), which follows the evaluation of CoNLL 2000.

    Args:
        predicted: The predicted tags of N sentences, in IOB2 or BIOES.
        gold: The true ones.
        strict: As in `spans_of`: seqeval's ``mode="strict"`` with this scheme; None is its default mode.
        seed: Of the bootstrap over sentences. The result is a pure function of the arguments.
        resamples: Of the bootstrap; 0 for no intervals, which take most of the time.

    Raises:
        InputError: There is nothing to score.
        ValueError: A sentence has another number of predicted tags than of true ones, or a tag is none.
    """
    if len(predicted) != len(gold):
        raise ValueError(f"{len(predicted)} predicted sentences do not fit {len(gold)} true ones")
    if not gold:
        raise InputError("there is nothing to score", why="no sentence")
    found, there = [], []
    for number, (ours, true) in enumerate(zip(predicted, gold, strict=True)):
        if len(ours) != len(true):
            raise ValueError(f"sentence {number} has {len(ours)} predicted tags, but {len(true)} true ones")
        found.append(set(spans_of(ours, strict)))
        there.append(set(spans_of(true, strict)))
    kinds = sorted({span.kind for spans in (*found, *there) for span in spans})
    numbers = {kind: number for number, kind in enumerate(kinds)}
    counts = np.zeros((3, len(gold), len(kinds)), dtype=np.int64)  # hits, found, there of each sentence and type
    for sentence, (ours_spans, true_spans) in enumerate(zip(found, there, strict=True)):
        for row, spans in enumerate((ours_spans & true_spans, ours_spans, true_spans)):
            for span in spans:
                counts[row, sentence, numbers[span.kind]] += 1

    names = ("precision", "recall", "f1", "macro_f1", "weighted_f1")
    whole = counts.sum(axis=1)  # (3, K)
    values = _figures(whole)
    intervals = resampled_intervals(len(gold), lambda taken: _figures(counts[:, taken].sum(axis=1)), seed, resamples)
    measures = zip(*(one.tolist() for one in (*f_measures(*whole), whole[2])), strict=True)
    return EntityScores(
        sentences=len(gold),
        gold=int(whole[2].sum()),
        predicted=int(whole[1].sum()),
        scores=estimates(names, values, intervals),
        by_type={kind: FMeasure(*measure) for kind, measure in zip(kinds, measures, strict=True)},
    )


def _figures(counts: np.ndarray) -> list[float]:
    """Precision, recall and F1 of all types together, macro and weighted F1, from the counts (3, K)."""
    counts = counts[:, counts.any(axis=0)]
    micro = [float(one[0]) for one in f_measures(*counts.sum(axis=1, keepdims=True))]
    each = f_measures(*counts)[2]  # (K,)
    macro = float(np.average(each)) if len(each) else 0.0
    weighted = float(np.average(each, weights=counts[2])) if counts[2].any() else 0.0
    return [*micro, macro, weighted]
