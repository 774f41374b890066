"""Learning to find answers, as a LightningModule (Devlin et al. 2019, sections 4.2 and 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional

from bertpipe.models.answer_reader import AnswerReader
from bertpipe.tasks.answer_spans import AnswerSpan, WindowLogits, best_answers
from bertpipe.training.answer_windows import AnswerWindows
from bertpipe.training.labelled_batches import LabelledBatch
from bertpipe.training.layer_rates import layer_scales
from bertpipe.training.optimizer import adamw_with_warmup

Measure = Callable[[list[list[AnswerSpan]]], Mapping[str, float]]
"""What a list of answers for every dev question is worth."""


class Answering(pl.LightningModule):
    """Trains a reader to tell the first and the last piece of the answer, and ``[CLS]`` where there is none.

    The choice is between ``[CLS]`` and the pieces of the context: the question and ``[SEP]`` are no answers.

    Args:
        model: The reader.
        lr: Highest learning rate.
        weight_decay: Decay of the weight matrices.
        warmup: Share of the steps in which the rate rises.
        steps: Steps in all.
        layer_decay: See `bertpipe.training.layer_rates`.
        longest: Pieces of the longest answer.
        dev: The windows that are validated on, if there are any.
        measure: Figures for the dev questions' answers, to log.
    """

    def __init__(
        self,
        model: AnswerReader,
        *,
        lr: float,
        weight_decay: float,
        warmup: float,
        steps: int,
        layer_decay: float,
        longest: int,
        dev: AnswerWindows | None = None,
        measure: Measure | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.longest, self.dev, self.measure = longest, dev, measure
        self.recipe: dict[str, Any] = {
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "steps": steps,
            "layer_scales": layer_scales(model.bert.config.layers, layer_decay, "model.bert."),
        }
        self._said: dict[int, WindowLogits] = {}

    def training_step(self, batch: LabelledBatch, batch_idx: int) -> Tensor:
        """The mean cross-entropy of the first and the last piece, in nats."""
        return self._loss(self._logits(batch), batch)

    def validation_step(self, batch: LabelledBatch, batch_idx: int) -> None:
        """Logs the loss, and keeps what is needed to answer the questions."""
        logits = self._logits(batch)
        self.log("val_loss", self._loss(logits, batch), batch_size=len(batch.index))
        assert self.dev is not None
        for window, row in zip(batch.index.tolist(), logits.float().cpu().numpy(), strict=True):
            self._said[window] = self.dev.logits(window, row)

    def on_validation_epoch_end(self) -> None:
        """Answers the dev questions and logs what the answers are worth."""
        if self.dev is None or self.measure is None:
            return
        answers = answers_of(self.dev, self._said, self.longest)
        self._said.clear()
        for name, value in self.measure(answers).items():
            self.log(f"val_{name}", value)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with a warm-up and a linear decay."""
        return adamw_with_warmup(self, **self.recipe, fused=self.trainer.precision == "32-true")

    def _logits(self, batch: LabelledBatch) -> Tensor:
        return self.model(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (B, T, 2)

    def _loss(self, logits: Tensor, batch: LabelledBatch) -> Tensor:
        possible = batch.token_type_ids.bool()  # (B, T)
        last = batch.attention_mask.sum(1, keepdim=True) - 1
        possible = possible.scatter(1, last, torch.zeros_like(last, dtype=torch.bool))
        possible[:, 0] = True
        scores = logits.float().masked_fill(~possible[..., None], float("-inf"))
        return (
            functional.cross_entropy(scores[..., 0], batch.labels[:, 0])
            + functional.cross_entropy(scores[..., 1], batch.labels[:, 1])
        ) / 2


def answers_of(windows: AnswerWindows, said: Mapping[int, WindowLogits], longest: int) -> list[list[AnswerSpan]]:
    """The best answer to each question, from what a model says about every window.

    Args:
        windows: The questions.
        said: By the window's number.
        longest: Pieces of the longest answer.

    Returns:
        One list a question, with at most one answer.
    """
    of_question: list[list[WindowLogits]] = [[] for _ in windows.names]
    for window, question in enumerate(windows.window_question.tolist()):
        of_question[question].append(said[window])
    return [
        best_answers(some, [windows.text(question)], longest=longest, k=1)
        for question, some in enumerate(of_question)
    ]
