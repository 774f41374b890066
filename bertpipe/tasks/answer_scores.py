"""Exact match and F1 of answers to questions about a text, by the rules of SQuAD 1.1, SQuAD 2.0 and CMRC 2018."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from bertpipe.errors import InputError
from bertpipe.tasks.bootstrap import bootstrap_interval, check_finite
from bertpipe.tasks.estimate import Estimate
from bertpipe.tasks.mixed_tokens import mixed_tokens, without_punctuation

Rules = Literal["squad", "squad2", "cmrc"]

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class BestThreshold(NamedTuple):
    """What is reached if a question counts as unanswerable whose no-answer score lies above a threshold.

    Attributes:
        value: The mean score at the best threshold, 0 to 100.
        threshold: The threshold: an answer counts where the no-answer score is not above it.
    """

    value: float
    threshold: float


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """How good answers are.

    Attributes:
        items: How many questions there are.
        impossible: How many of them have no answer.
        empty: How many predictions are empty, which says that there is no answer.
        rules: What was counted.
        scores: ``exact`` and ``f1``, 0 to 100; where there are both, also ``exact_answerable``, ``f1_answerable`` and
            ``exact_impossible`` (which is F1 too) of the questions with and without an answer.
        best: ``exact`` and ``f1`` at the threshold where each is best; empty without no-answer scores.
    """

    items: int
    impossible: int
    empty: int
    rules: Rules
    scores: Mapping[str, Estimate]
    best: Mapping[str, BestThreshold]

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "items": self.items,
            "impossible": self.impossible,
            "empty": self.empty,
            "rules": self.rules,
            "scores": {name: score.as_json() for name, score in self.scores.items()},
            "best": {
                name: {"value": round(best.value, 2), "threshold": best.threshold} for name, best in self.best.items()
            },
        }


def score_answers(
    predictions: Sequence[str],
    answers: Sequence[Sequence[str]],
    *,
    rules: Rules,
    no_answer: Sequence[float] | np.ndarray | None = None,
    seed: int = 0,
    resamples: int = 10_000,
) -> AnswerScores:
    """Scores answers.

    Args:
        predictions: One for each of N questions; an empty one says that there is no answer.
        answers: What people answered to each question; none if it has no answer.
        rules: What counts as the same, see `answer_values`.
        no_answer: How much speaks for each question having no answer, (N,): the more, the higher. The predictions then
            are the best answers all the same, and the best threshold is sought.
        seed: Of the bootstrap over questions. The result is a pure function of the arguments.
        resamples: Of the bootstrap; 0 for no intervals.

    Raises:
        InputError: There is nothing to score, or a question has no answer though the rules are those of SQuAD 1.1.
        ValueError: The rows do not fit, or a no-answer score is not finite.
    """
    if not answers and not predictions:
        raise InputError("there is nothing to score", why="no question")
    values = answer_values(predictions, answers, rules)
    answerable = np.array([bool(texts) for texts in answers])
    scores = {name: _mean(values[name], seed, resamples) for name in values}
    if answerable.any() and not answerable.all():
        scores |= {f"{name}_answerable": _mean(values[name][answerable], seed, resamples) for name in values}
        scores["exact_impossible"] = _mean(values["exact"][~answerable], seed, resamples)
    best = {}
    if no_answer is not None:
        empty = np.array([not text for text in predictions])
        best = {name: best_threshold(values[name], no_answer, answerable, empty) for name in values}
    return AnswerScores(
        items=len(answers),
        impossible=int((~answerable).sum()),
        empty=sum(not text for text in predictions),
        rules=rules,
        scores=scores,
        best=best,
    )


def answer_values(predictions: Sequence[str], answers: Sequence[Sequence[str]], rules: Rules) -> dict[str, np.ndarray]:
    """The scores of every question, 0 to 100. Of several answers the best one counts, for each score by itself.

    - ``"squad"``: Rajpurkar et al. 2016, section 6.1. Small letters, without ASCII punctuation and English articles; F1
      over bags of words.
    - ``"squad2"``: Rajpurkar, Jia and Liang 2018. The same, but answers of which nothing is left do not count; a
      question without any is answered right by a prediction of which nothing is left.
    - ``"cmrc"``: Cui et al. 2019, and its published program. Small letters, without punctuation; F1 over the longest
      run of tokens in common (`mixed_tokens`), which are characters in Chinese. A question without answers, which CMRC
      2018 does not have, is answered right by a prediction of which nothing is left.

    Args:
        predictions: N texts.
        answers: For each of them what people answered.
        rules: One of the above.

    Returns:
        ``{"exact": (N,), "f1": (N,)}``.

    Raises:
        InputError: A question has no answer though the rules are those of SQuAD 1.1.
        ValueError: The rows do not fit, or there are no such rules.
    """
    if rules not in ("squad", "squad2", "cmrc"):
        raise ValueError(f"there are no rules {rules!r}")
    if len(predictions) != len(answers):
        raise ValueError(f"{len(predictions)} predictions do not fit {len(answers)} questions")
    if rules == "squad":
        for number, texts in enumerate(answers, start=1):
            if not texts:
                what = f"question {number} has no answer, which SQuAD 1.1 does not know"
                raise InputError(what, hint="Score it by the rules of SQuAD 2.0.")
    exact, f1 = np.zeros(len(answers)), np.zeros(len(answers))
    for number, (prediction, texts) in enumerate(zip(predictions, answers, strict=True)):
        if rules == "cmrc":
            exact[number], f1[number] = _cmrc(prediction, texts)
        else:
            exact[number], f1[number] = _squad(prediction, texts, version=1 if rules == "squad" else 2)
    return {"exact": 100 * exact, "f1": 100 * f1}


def best_threshold(
    values: Sequence[float] | np.ndarray,
    no_answer: Sequence[float] | np.ndarray,
    answerable: Sequence[bool] | np.ndarray,
    empty: Sequence[bool] | np.ndarray,
) -> BestThreshold:
    """The threshold on no-answer scores with the best mean, as SQuAD 2.0's program seeks it.

    From "nothing is answerable" on, questions are taken for answerable in the order of their no-answer scores. Equal
    scores are taken one by one in the order given, as there: with many of them the mean is a little too good.

    Args:
        values: The score of each prediction, 0 to 100, (N,).
        no_answer: How much speaks for each question having no answer, (N,).
        answerable: Which questions have an answer, (N,).
        empty: Which predictions are empty anyway, (N,).

    Returns:
        The best mean, and its threshold: the no-answer score of the last question taken, 0 if none was.

    Raises:
        ValueError: The rows do not fit or are empty, or a no-answer score is not finite.
    """
    points, scores, has, none = (np.asarray(one) for one in (values, no_answer, answerable, empty))
    if not len(points) or not points.shape == scores.shape == has.shape == none.shape:
        raise ValueError("values, no-answer scores, answerable and empty have to be rows of the same length")
    check_finite("no-answer scores", scores.astype(np.float64))
    order = np.argsort(scores, kind="stable")
    gains = np.where(has, points, np.where(none, 0.0, -100.0))[order]  # (N,)
    sums = np.concatenate([[0.0], np.cumsum(gains)]) + 100.0 * float((~has.astype(bool)).sum())  # (N + 1,)
    place = int(sums.argmax())
    return BestThreshold(float(sums[place] / len(points)), float(scores[order[place - 1]]) if place else 0.0)


def plain_answer(text: str) -> str:
    """What SQuAD compares of an answer: small letters, no ASCII punctuation, no English articles, single spaces."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def _squad(prediction: str, answers: Sequence[str], *, version: Literal[1, 2]) -> tuple[float, float]:
    ours = plain_answer(prediction)
    plain = [plain_answer(text) for text in answers]
    if version == 2:
        plain = [text for text in plain if text] or [""]
    return max(float(ours == text) for text in plain), max(_words_f1(ours, text, version=version) for text in plain)


def _words_f1(ours: str, true: str, *, version: Literal[1, 2]) -> float:
    found, there = ours.split(), true.split()
    if version == 2 and not (found and there):
        return float(found == there)
    return _f1((Counter(found) & Counter(there)).total(), len(found), len(there))


def _cmrc(prediction: str, answers: Sequence[str]) -> tuple[float, float]:
    ours, found = without_punctuation(prediction), mixed_tokens(prediction)
    if not answers:
        return float(not ours), float(not ours)
    exact = max(float(ours == without_punctuation(text)) for text in answers)
    tokens = [mixed_tokens(text) for text in answers]
    return exact, max(_f1(_longest_run(found, there), len(found), len(there)) for there in tokens)


def _longest_run(one: Sequence[str], other: Sequence[str]) -> int:
    """How long the longest run of tokens is that both have."""
    longest = 0
    ending = [0] * (len(other) + 1)  # the longest run that ends at the token before in one and at each in the other
    for token in one:
        before, ending = ending, [0] * (len(other) + 1)
        for place, another in enumerate(other, start=1):
            if token == another:
                ending[place] = before[place - 1] + 1
                longest = max(longest, ending[place])
    return longest


def _f1(hits: int, found: int, there: int) -> float:
    if not hits:
        return 0.0
    precision, recall = hits / found, hits / there
    return 2 * precision * recall / (precision + recall)


def _mean(values: np.ndarray, seed: int, resamples: int) -> Estimate:
    return Estimate(float(values.mean()), bootstrap_interval(values, seed, resamples) if resamples else None)
