"""Training with labelled sequences, measured on a dev set as a whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from bertpipe.errors import TrainingError
from bertpipe.training.labelled_batches import LabelledBatch, LabelledBatches
from bertpipe.training.optimizer import adamw_with_warmup

OUTPUT = "val_"
"""Beginning of the names of figures of the dev set."""


class DevScored(pl.LightningModule, ABC):
    """Trains a model with a head, and scores what it says about all of the dev set after every leg.

    Subclasses say what the loss is, what the model's output is, and what figures follow from the outputs.

    Args:
        model: The model.
        dev_size: Sequences in the dev set.
        lr: Highest learning rate.
        weight_decay: Decay of the weight matrices.
        warmup: Share of the steps in which the rate rises.
        steps: Steps in all.
        layer_scales: Factors on the rate by the beginning of the names of the model's parameters.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        dev_size: int,
        lr: float,
        weight_decay: float,
        warmup: float,
        steps: int,
        layer_scales: Mapping[str, float],
    ) -> None:
        super().__init__()
        self.model = model
        self.recipe: dict[str, Any] = {
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "steps": steps,
            "layer_scales": layer_scales,
        }
        self._dev: list[np.ndarray | None] = [None] * dev_size

    @abstractmethod
    def loss(self, batch: LabelledBatch) -> Tensor:
        """What is made small: a number."""

    def outputs(self, batch: LabelledBatch) -> Tensor:
        """What is scored: a row, (B, ...), for every sequence."""
        return self.model(batch.input_ids, batch.attention_mask, batch.token_type_ids)

    @abstractmethod
    def figures(self, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """Figures of the dev set by name, from the output of every sequence."""

    def training_step(self, batch: LabelledBatch, batch_idx: int) -> Tensor:
        """The loss."""
        return self.loss(batch)

    def validation_step(self, batch: LabelledBatch, batch_idx: int) -> None:
        """Keeps the outputs."""
        for number, row in rows_of(batch, self.outputs(batch)):
            self._dev[number] = row

    def on_validation_epoch_end(self) -> None:
        """Logs the figures of the whole dev set."""
        outputs = [row for row in self._dev if row is not None]
        if not all(np.isfinite(row).all() for row in outputs):
            raise TrainingError(
                f"the model's scores of the dev set are no longer numbers at step {self.trainer.global_step:,}",
                why="training has diverged; no model was published",
                hint="Lower lr, or lengthen warmup.",
            )
        for name, value in self.figures(outputs).items():
            self.log(f"{OUTPUT}{name}", float(value), batch_size=len(outputs))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with a warm-up and a linear decay."""
        return adamw_with_warmup(self.model, **self.recipe, fused=self.trainer.precision == "32-true")


@torch.inference_mode()
def dev_outputs(module: DevScored, batches: LabelledBatches, device: torch.device) -> list[np.ndarray]:
    """The outputs of every sequence, in full precision.

    Args:
        module: Moved to the device, and put in evaluation mode.
        batches: Of all sequences.
        device: Where to compute.

    Returns:
        By the number of the sequence.
    """
    module.eval().to(device)
    found: dict[int, np.ndarray] = {}
    for step in range(batches.steps_per_epoch):
        batch = batches.batch(step).to(device)
        found.update(rows_of(batch, module.outputs(batch)))
    return [found[number] for number in range(len(batches.sequences))]


def rows_of(batch: LabelledBatch, outputs: Tensor) -> list[tuple[int, np.ndarray]]:
    """The output of every sequence of a batch, with its number; outputs of tokens without those of padding."""
    rows = outputs.detach().float().cpu().numpy()
    if outputs.dim() == 3:  # (B, T, L)
        lengths = batch.attention_mask.sum(1).tolist()
        return [(number, row[:length]) for number, row, length in zip(batch.index.tolist(), rows, lengths, strict=True)]
    return list(zip(batch.index.tolist(), rows, strict=True))
