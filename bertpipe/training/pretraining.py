"""Pretraining as a LightningModule.

BERT's (Devlin et al. 2019, section 3.1) or RoBERTa's (Liu et al. 2019, section 4): which of the two, the batches say.
RoBERTa's have no next sentence to tell.
"""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional

from bertpipe.models.heads import BertForPretraining
from bertpipe.nn.packing import attention_mask_of, position_ids_of
from bertpipe.training.optimizer import adamw_with_warmup
from bertpipe.training.pretraining_batch import PretrainingBatch


class Pretraining(pl.LightningModule):
    """Trains a BERT on packed, masked rows.

    Args:
        model: BERT with its two heads.
        lr: Highest learning rate.
        weight_decay: Decay of the weight matrices.
        warmup: Share of the steps in which the rate rises.
        steps: Steps in all.
        token_lr_scale: Factor on the rate of the token embedding; 0 leaves it as it is.
    """

    def __init__(
        self,
        model: BertForPretraining,
        *,
        lr: float,
        weight_decay: float,
        warmup: float,
        steps: int,
        token_lr_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.model = model
        self.recipe: dict[str, Any] = {
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "steps": steps,
            "lr_scales": {"token_embedding": token_lr_scale},
        }

    def training_step(self, batch: PretrainingBatch, batch_idx: int) -> Tensor:
        """The masked language model's loss, and the next sentence's where there is one."""
        masked_logits, next_logits = self._logits(batch)
        loss = functional.cross_entropy(masked_logits, batch.labels)
        if next_logits is not None and batch.next_sentence_label is not None:
            loss = loss + functional.cross_entropy(next_logits, batch.next_sentence_label)
        return loss

    def validation_step(self, batch: PretrainingBatch, batch_idx: int) -> None:
        """Logs the masked language model's loss, and the accuracy of the heads in use."""
        masked_logits, next_logits = self._logits(batch)
        masked_loss = functional.cross_entropy(masked_logits, batch.labels)
        masked_accuracy = (masked_logits.argmax(-1) == batch.labels).float().mean()
        self.log("val_mlm_loss", masked_loss, batch_size=len(batch.labels))
        self.log("val_mlm_accuracy", masked_accuracy, batch_size=len(batch.labels))
        if next_logits is not None and batch.next_sentence_label is not None:
            next_accuracy = (next_logits.argmax(-1) == batch.next_sentence_label).float().mean()
            self.log("val_nsp_accuracy", next_accuracy, batch_size=len(batch.next_sentence_label))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with a warm-up and a linear decay."""
        return adamw_with_warmup(self.model, **self.recipe, fused=self.trainer.precision == "32-true")

    def _logits(self, batch: PretrainingBatch) -> tuple[Tensor, Tensor | None]:
        return self.model(
            batch.input_ids,
            attention_mask_of(batch.sequence_ids),
            batch.token_type_ids,
            position_ids_of(batch.sequence_ids),
            batch.masked_index,
            batch.cls_index,
        )
