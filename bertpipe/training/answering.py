"""Learning to find answers (Devlin et al. 2019, sections 4.2 and 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional

from bertpipe.models.answer_reader import AnswerReader
from bertpipe.tasks.answer_spans import AnswerSpan, best_answers
from bertpipe.training.answer_windows import AnswerWindows
from bertpipe.training.dev_scored import DevScored
from bertpipe.training.labelled_batches import LabelledBatch

Measure = Callable[[Sequence[AnswerSpan | None]], Mapping[str, float]]
"""What the best answers to all dev questions are worth; None for a question whose context is empty."""


class Answering(DevScored):
    """Trains a reader to tell the first and the last piece of the answer, and ``[CLS]`` where there is none.

    The choice is between ``[CLS]`` and the pieces of the context: the question and ``[SEP]`` are no answers.

    Args:
        model: The reader.
        longest: Pieces of the longest answer.
        dev: The dev questions.
        measure: Scores answers to them.
        recipe: The other arguments of `DevScored`.
    """

    def __init__(
        self, model: AnswerReader, *, longest: int, dev: AnswerWindows, measure: Measure, **recipe: Any
    ) -> None:
        super().__init__(model, dev_size=len(dev), **recipe)
        self.longest, self.dev, self.measure = longest, dev, measure

    def loss(self, batch: LabelledBatch) -> Tensor:
        """The mean cross-entropy of the first and the last piece, in nats."""
        possible = batch.token_type_ids.bool()  # (B, T)
        last = batch.attention_mask.sum(1, keepdim=True) - 1
        possible = possible.scatter(1, last, False)
        possible[:, 0] = True
        scores = self.outputs(batch).float().masked_fill(~possible[..., None], float("-inf"))  # (B, T, 2)
        return functional.cross_entropy(scores, batch.labels)

    def figures(self, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """What the answers to the dev questions are worth."""
        return dict(self.measure(answers_of(self.dev, outputs, self.longest)))


def answers_of(windows: AnswerWindows, outputs: Sequence[np.ndarray], longest: int) -> list[AnswerSpan | None]:
    """The best answer to each question.

    Args:
        windows: The questions.
        outputs: What a model says about each window: float32 (T, 2).
        longest: Pieces of the longest answer.
    """
    of_question: list[list[int]] = [[] for _ in windows.names]
    for window, question in enumerate(windows.window_question.tolist()):
        of_question[question].append(window)
    found: list[AnswerSpan | None] = []
    for question, some in enumerate(of_question):
        said = [windows.logits(window, outputs[window]) for window in some]
        found += best_answers(said, [windows.text(question)], longest=longest, k=1) or [None]
    return found
