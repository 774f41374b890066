"""Learning to classify, as a LightningModule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import expit, log_expit, log_softmax
from torch import Tensor
from torch.nn import functional

from bertpipe.models.text_classifier import TextClassifier
from bertpipe.tasks.classification_scores import score_classes, score_label_sets
from bertpipe.training.calibrating import best_threshold
from bertpipe.training.dev_scored import DevScored
from bertpipe.training.labelled_batches import LabelledBatch


class Classification(DevScored):
    """Trains a classifier with the cross-entropy of the labels.

    With ``consistency``, every text is read twice with different units dropped, and what is said about it is drawn
    together (R-Drop: Liang et al. 2021, section 2.2).

    Args:
        model: The classifier.
        labels: Their names, C.
        truth: Labels of the dev set: int (N,), or 0 and 1 (N, C) where a text may have several.
        multi_label: A text may have any number of labels.
        weights: Float (C,), how much a label counts; None: all alike.
        consistency: Weight of the divergence of the two readings, in nats; 0: texts are read once.
        **recipe: As for `DevScored`.
    """

    weights: Tensor | None

    def __init__(
        self,
        model: TextClassifier,
        *,
        labels: Sequence[str],
        truth: np.ndarray,
        multi_label: bool,
        weights: Tensor | None,
        consistency: float = 0.0,
        **recipe: Any,
    ) -> None:
        super().__init__(model, dev_size=len(truth), **recipe)
        self.labels, self.truth, self.multi_label, self.consistency = labels, truth, multi_label, consistency
        self.register_buffer("weights", weights, persistent=False)

    def loss(self, batch: LabelledBatch) -> Tensor:
        """Cross-entropy of the label, or the mean of the binary ones of all labels; and the divergence."""
        logits = self.outputs(batch).float()  # (B, C)
        if not self.consistency:
            return self._cross_entropy(logits, batch)
        again = self.outputs(batch).float()
        cross_entropy = (self._cross_entropy(logits, batch) + self._cross_entropy(again, batch)) / 2
        return cross_entropy + self.consistency * divergence(logits, again, multi_label=self.multi_label)

    def _cross_entropy(self, logits: Tensor, batch: LabelledBatch) -> Tensor:
        if self.multi_label:
            return functional.binary_cross_entropy_with_logits(logits, batch.labels, pos_weight=self.weights)
        return functional.cross_entropy(logits, batch.labels, weight=self.weights)

    def figures(self, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """Loss without weights, and the scores; of several labels, those above the best threshold are taken."""
        logits = np.stack(outputs).astype(np.float64)  # (N, C)
        if self.multi_label:
            found = score_label_sets(expit(logits) > best_threshold(logits, self.truth), self.truth, self.labels)
        else:
            found = score_classes(logits.argmax(1), self.truth, self.labels)
        scores = {name: score.value for name, score in found.scores.items()}
        return {"loss": negative_log_likelihood(logits, self.truth), **scores}


def divergence(one: Tensor, other: Tensor, *, multi_label: bool) -> Tensor:
    """Mean of the two Kullback-Leibler divergences of what two rows of logits say, in nats, over the texts.

    Args:
        one: (B, C).
        other: (B, C).
        multi_label: Each label is a choice of its own; the mean is over texts and labels.
    """
    if multi_label:
        one, other = (functional.logsigmoid(torch.stack([logits, -logits], dim=-1)) for logits in (one, other))
    else:
        one, other = functional.log_softmax(one, dim=-1), functional.log_softmax(other, dim=-1)
    return ((one.exp() - other.exp()) * (one - other)).sum(-1).mean() / 2


def negative_log_likelihood(logits: np.ndarray, truth: np.ndarray) -> float:
    """Mean negative log-likelihood in nats, of a text's label or of each of its labels.

    Args:
        logits: (N, C).
        truth: (N,) classes, or (N, C) of 0 and 1.
    """
    if truth.ndim == 1:
        return float(-log_softmax(logits, axis=1)[np.arange(len(truth)), truth].mean())
    return float(-np.where(truth > 0, log_expit(logits), log_expit(-logits)).mean())


def balanced_weights(labels: Sequence[Sequence[str]], names: Sequence[str], *, multi_label: bool) -> np.ndarray:
    """How much each label has to count for all to count alike.

    Args:
        labels: Of every text.
        names: All labels, C.
        multi_label: A text may have several: then each label's positives together weigh what its negatives do.

    Returns:
        float32 (C,).
    """
    counts = Counter(label for one in labels for label in one)
    found = np.array([counts[name] for name in names], dtype=np.float64)
    weights = (len(labels) - found) / np.maximum(found, 1) if multi_label else len(labels) / (len(names) * found)
    return np.maximum(weights, 1e-3).astype(np.float32)
