"""Learning to write a target for a source, as a LightningModule (Vaswani et al. 2017, section 5)."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from bertpipe.models.transformer import Transformer
from bertpipe.training.optimizer import Schedule, adamw_with_warmup
from bertpipe.training.sequence_batch import SequenceBatch
from bertpipe.training.smoothed_cross_entropy import smoothed_cross_entropy


class SequenceToSequence(pl.LightningModule):
    """Trains a Transformer to write the next piece of every target.

    Args:
        model: The Transformer.
        lr: Highest learning rate.
        weight_decay: Decay of the weight matrices.
        warmup: Share of the steps in which the rate rises.
        steps: Steps in all.
        schedule: How the rate falls.
        label_smoothing: Share of a label's probability that is spread over the vocabulary (Szegedy et al. 2016).
    """

    def __init__(
        self,
        model: Transformer,
        *,
        lr: float,
        weight_decay: float,
        warmup: float,
        steps: int,
        schedule: Schedule,
        label_smoothing: float,
    ) -> None:
        super().__init__()
        self.model = model
        self.label_smoothing = label_smoothing
        self.recipe: dict[str, Any] = {
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "steps": steps,
            "schedule": schedule,
            "betas": (0.9, 0.98),
        }

    def training_step(self, batch: SequenceBatch, batch_idx: int) -> Tensor:
        """The smoothed cross-entropy of a target piece, in nats."""
        return self._loss(batch, self.label_smoothing)

    def validation_step(self, batch: SequenceBatch, batch_idx: int) -> None:
        """Logs the cross-entropy without smoothing, whose exponential is the perplexity."""
        pieces = int((batch.labels >= 0).sum())
        self.log("val_loss", self._loss(batch, 0.0), batch_size=pieces)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with the Transformer's schedule."""
        return adamw_with_warmup(self.model, **self.recipe, fused=self.trainer.precision == "32-true")

    def _loss(self, batch: SequenceBatch, smoothing: float) -> Tensor:
        hidden = self.model.hidden(batch.src_ids, batch.tgt_ids, batch.src_mask)  # (B, T, D)
        learned = batch.labels >= 0
        model = self.model
        return smoothed_cross_entropy(
            hidden[learned], model.token_embedding.weight, model.output_bias, batch.labels[learned], smoothing
        )
