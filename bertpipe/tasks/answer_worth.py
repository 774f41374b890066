"""What a reader's answers to a set of questions are worth."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from bertpipe.tasks.answer_scores import Rules, answer_values
from bertpipe.tasks.answer_spans import AnswerSpan
from bertpipe.tasks.answer_thresholds import ThresholdCurve, threshold_curve

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
# From this share of Chinese answers on, words cannot be told by spaces.
CHINESE = 0.1


class AnswerWorth:
    """Scores the best answers to questions, with and without the choice not to answer.

    Args:
        golds: The right answers to each question; none where it is unanswerable.

    Attributes:
        rules: What counts as the same answer: CMRC 2018's rules where answers are Chinese, else SQuAD 2.0's.
    """

    def __init__(self, golds: Sequence[Sequence[str]]) -> None:
        self.golds = golds
        self.answerable = np.array([bool(some) for some in golds])
        texts = [text for some in golds for text in some]
        chinese = sum(bool(_HAN.search(text)) for text in texts)
        self.rules: Rules = "cmrc" if texts and chinese >= CHINESE * len(texts) else "squad2"

    @property
    def always_empty(self) -> float:
        """F1 of never answering, 0 to 100."""
        return 100 * float((~self.answerable).mean())

    def f1(self, answer: str, golds: Sequence[str]) -> float:
        """F1 of an answer, 0 to 1."""
        return float(answer_values([answer], [golds], self.rules)["f1"][0]) / 100

    def figures(self, answers: Sequence[AnswerSpan | None]) -> dict[str, float]:
        """Figures of merit, 0 to 100.

        Args:
            answers: The best answer to each question, however sure.

        Returns:
            ``f1``: with the best threshold, over all questions; ``answerable_f1`` and ``answerable_exact``: over those
            that have an answer, all of them answered; ``mean_f1``: the mean of ``f1`` and ``answerable_f1``. A reader
            that has learned little does best by never answering, so that ``f1`` alone would not show what it learns
            next.
        """
        values = self._values(answers)
        means = {
            name: float(some[self.answerable].mean()) if self.answerable.any() else 0.0 for name, some in values.items()
        }
        whole = self._curve(answers, values["f1"]).best.f1
        return {
            "mean_f1": (whole + means["f1"]) / 2,
            "f1": whole,
            "answerable_f1": means["f1"],
            "answerable_exact": means["exact"],
        }

    def curve(self, answers: Sequence[AnswerSpan | None]) -> ThresholdCurve:
        """F1 over coverage for every threshold."""
        return self._curve(answers, self._values(answers)["f1"])

    def _values(self, answers: Sequence[AnswerSpan | None]) -> dict[str, np.ndarray]:
        return answer_values([answer.text if answer else "" for answer in answers], self.golds, self.rules)

    def _curve(self, answers: Sequence[AnswerSpan | None], f1: np.ndarray) -> ThresholdCurve:
        return threshold_curve([answer.score if answer else 0.0 for answer in answers], f1 / 100, self.answerable)
