"""What a reader needs beside a search: how much a passage's place counts, and how sure an answer must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertpipe.models.passage_reader import PassageReader
from bertpipe.retrieval.asking import passage_priors
from bertpipe.retrieval.candidates import DEPTH
from bertpipe.retrieval.lexical import LexicalIndex
from bertpipe.tasks.answer_spans import WindowLogits, best_answers
from bertpipe.tasks.answer_thresholds import ThresholdCurve, threshold_curve

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
# Where too little can be measured: a standard deviation of a search's scores changes the odds by a factor of e.
USUAL = 1.0
# Questions to measure with, and passages to read for each, as `bertpipe ask` does; some more are read in place of those
# that hold an answer.
MOST_QUESTIONS, FEWEST_QUESTIONS, PASSAGES, SPARE = 100, 20, 10, 3


@dataclass(frozen=True)
class SearchTuning:
    """What was found.

    Attributes:
        weight: Log-odds for a standard deviation of the search's scores.
        curve: F1 over coverage with this weight; None where there is too little to measure with.
    """

    weight: float
    curve: ThresholdCurve | None


def tune_for_search(
    questions: Sequence[tuple[str, Sequence[str]]],
    contexts: Sequence[str],
    reader: PassageReader,
    f1: Callable[[str, Sequence[str]], float],
    folder: Path,
    advance: Callable[[int], None],
) -> SearchTuning:
    """Searches the contexts for each question, by words, and reads what is found.

    Every question is asked twice: of the passages that were found, and of those among them that do not hold an answer,
    where no answer is right.

    Args:
        questions: Questions with their answers; those without any are left out.
        contexts: The passages to search.
        reader: Reads them.
        f1: Compares an answer with the right ones, 0 to 1.
        folder: For the index of their words: new.
        advance: Told the number of questions read since the last call.
    """
    asked = [(question, golds) for question, golds in questions if golds][:MOST_QUESTIONS]
    if len(asked) < FEWEST_QUESTIONS or len(contexts) <= PASSAGES + SPARE:
        return SearchTuning(USUAL, None)
    lexical = LexicalIndex.build(folder, ((number, "", context) for number, context in enumerate(contexts)))
    cases: list[_Case] = []
    for question, golds in asked:
        numbers, scores = lexical.search(question, DEPTH)
        passages = [contexts[number] for number in numbers[: PASSAGES + SPARE].tolist()]
        said, _ = reader.logits(question, passages)
        without = [
            place
            for place, text in enumerate(passages)
            if not any(gold.casefold() in text.casefold() for gold in golds)
        ]
        for chosen, right in ((range(min(PASSAGES, len(passages))), golds), (without[:PASSAGES], ())):
            held = set(chosen)
            windows = [window for window in said if window.passage in held]
            cases.append(_Case(windows, passages, scores.tolist(), right))
        advance(1)
    tried = [SearchTuning(weight, _curve(cases, weight, reader, f1)) for weight in WEIGHTS]
    # Of equals the one nearest to the usual.
    return max(tried, key=lambda one: (round(one.curve.best.f1, 6) if one.curve else 0.0, -abs(one.weight - USUAL)))


@dataclass(frozen=True)
class _Case:
    """A question with what was read for it."""

    windows: list[WindowLogits]
    passages: list[str]
    scores: list[float]
    golds: Sequence[str]


def _curve(
    cases: Sequence[_Case], weight: float, reader: PassageReader, f1: Callable[[str, Sequence[str]], float]
) -> ThresholdCurve:
    sure, gains = [], []
    for case in cases:
        priors = passage_priors(case.scores, weight)
        longest = reader.settings.answer_tokens
        best = best_answers(case.windows, case.passages, longest=longest, priors=priors, k=1)
        sure.append(best[0].score if best else 0.0)
        gains.append(f1(best[0].text, case.golds) if best and case.golds else 0.0)
    return threshold_curve(sure, gains, [bool(case.golds) for case in cases])
