"""Learning how similar two texts are, as a LightningModule around a bi-encoder (Reimers and Gurevych 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bertpipe.models.encoder import TextEncoder
from bertpipe.tasks.correlation import score_similarities
from bertpipe.training.dev_scored import DevScored
from bertpipe.training.labelled_batches import LabelledBatch

Loss = Literal["cosent", "mse"]
COSENT_SCALE = 20.0


class Similarity(DevScored):
    """Trains an encoder so that the cosine of two texts' vectors says how similar they are.

    A sequence of a batch holds both texts, one in either segment; they are encoded apart from each other.

    Args:
        model: The encoder.
        truth: Scores of the dev set, (N,).
        loss: "cosent" wants the cosines in the order of the scores (Su 2022, "CoSENT"); "mse" wants the scores, scaled
            to 0 to 1, themselves.
        pad_id: Of the tokenizer.
        **recipe: As for `DevScored`.
    """

    def __init__(self, model: TextEncoder, *, truth: np.ndarray, loss: Loss, pad_id: int, **recipe: Any) -> None:
        super().__init__(model, dev_size=len(truth), **recipe)
        self.truth, self.kind, self.pad_id = truth, loss, pad_id

    def outputs(self, batch: LabelledBatch) -> Tensor:
        """Cosines (B,)."""
        vectors = [self.model(*self._segment(batch, segment)) for segment in (0, 1)]  # (B, D) each
        return (vectors[0].float() * vectors[1].float()).sum(-1)

    def loss(self, batch: LabelledBatch) -> Tensor:
        """How far the cosines, or their order, are from the scores."""
        cosines = self.outputs(batch)  # (B,)
        if self.kind == "mse":
            return functional.mse_loss(cosines, batch.labels)
        apart = COSENT_SCALE * (cosines[None, :] - cosines[:, None])  # (B, B): how far the second is above the first
        wrong = apart[batch.labels[:, None] > batch.labels[None, :]]
        return torch.logsumexp(torch.cat([wrong.new_zeros(1), wrong]), dim=0)

    def figures(self, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """Correlations with the scores."""
        scores = score_similarities(np.array(outputs, dtype=np.float64), self.truth).scores
        return {name: score.value for name, score in scores.items()}

    def _segment(self, batch: LabelledBatch, segment: int) -> tuple[Tensor, Tensor]:
        """One text of every pair, (B, T), and where it is not padding."""
        mine = (batch.token_type_ids == segment) & batch.attention_mask.bool()  # (B, T)
        order = (~mine).int().argsort(dim=1, stable=True)  # its tokens first
        length = int(mine.sum(1).max())
        mask = mine.gather(1, order)[:, :length]
        ids = batch.input_ids.gather(1, order)[:, :length]
        return ids.masked_fill(~mask, self.pad_id), mask.long()
