"""What a reader's answers to a set of questions are worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bertpipe.tasks.answer_scores import exact_score, f1_score
from bertpipe.tasks.answer_spans import AnswerSpan
from bertpipe.tasks.answer_thresholds import ThresholdCurve, threshold_curve


class AnswerWorth:
    """Scores the best answers to questions, with and without the choice not to answer.

    Args:
        golds: The right answers to each question; none where it is unanswerable.
    """

    def __init__(self, golds: Sequence[Sequence[str]]) -> None:
        self.golds = golds
        self.answerable = np.array([bool(some) for some in golds])

    @property
    def always_empty(self) -> float:
        """F1 of never answering, 0 to 100."""
        return 100 * float((~self.answerable).mean())

    def f1(self, answer: str, golds: Sequence[str]) -> float:
        """F1 of an answer, 0 to 1."""
        return max(f1_score(answer, gold) for gold in golds)

    def figures(self, answers: Sequence[AnswerSpan | None]) -> dict[str, float]:
        """Figures of merit, 0 to 100.

        Args:
            answers: The best answer to each question, however sure.

        Returns:
            ``f1``: with the best threshold, over all questions; ``answerable_f1`` and ``answerable_exact``: over those
            that have an answer, all of them answered; ``mean_f1``: the mean of both. A reader that has learned little
            does best by never answering, so that ``f1`` alone would not show what it learns next.
        """
        exact = [
            max(exact_score(answer.text, gold) for gold in golds) if answer and golds else 0.0
            for answer, golds in zip(answers, self.golds, strict=True)
        ]
        gains = self._gains(answers)[self.answerable]
        whole, answerable = self.curve(answers).best.f1, 100 * float(gains.mean()) if len(gains) else 0.0
        return {
            "mean_f1": (whole + answerable) / 2,
            "f1": whole,
            "answerable_f1": answerable,
            "answerable_exact": 100 * float(np.array(exact)[self.answerable].mean()) if len(gains) else 0.0,
        }

    def curve(self, answers: Sequence[AnswerSpan | None]) -> ThresholdCurve:
        """F1 over coverage for every threshold."""
        scores = [answer.score if answer else 0.0 for answer in answers]
        return threshold_curve(scores, self._gains(answers), self.answerable)

    def _gains(self, answers: Sequence[AnswerSpan | None]) -> np.ndarray:
        return np.array(
            [
                self.f1(answer.text, golds) if answer and golds else 0.0
                for answer, golds in zip(answers, self.golds, strict=True)
            ]
        )
