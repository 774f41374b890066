"""How much it should count, beside an answer, how well its passage was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bertpipe.retrieval.asking import passage_priors
from bertpipe.retrieval.candidates import DEPTH
from bertpipe.retrieval.lexical import LexicalIndex
from bertpipe.tasks.answer_spans import best_answers
from bertpipe.tasks.reading import PassageReader

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
# Where too little can be measured: a standard deviation of a search's scores changes the odds by a factor of e.
USUAL = 1.0
# Questions to measure with, and passages to read for each: a minute for a small reader on a CPU.
MOST_QUESTIONS, FEWEST_QUESTIONS, PASSAGES = 100, 20, 5


def best_retrieval_weight(
    questions: Sequence[tuple[str, Sequence[str]]],
    contexts: Sequence[str],
    reader: PassageReader,
    f1: Callable[[str, Sequence[str]], float],
    folder: Path,
) -> float:
    """Searches the contexts for each question, by words, reads what is found, and tries weights.

    Args:
        questions: Questions with their answers; of those without one nothing can be learned here.
        contexts: The passages to search.
        reader: Reads them.
        f1: Compares an answer with the right ones, 0 to 1.
        folder: For the index of their words; created.

    Returns:
        Log-odds for a standard deviation of the search's scores.
    """
    asked = [(question, golds) for question, golds in questions if golds][:MOST_QUESTIONS]
    if len(asked) < FEWEST_QUESTIONS or len(contexts) <= PASSAGES:
        return USUAL
    lexical = LexicalIndex.build(folder, ((number, "", context) for number, context in enumerate(contexts)))
    gained = np.zeros(len(WEIGHTS))
    for question, golds in asked:
        numbers, scores = lexical.search(question, DEPTH)
        passages = [contexts[number] for number in numbers[:PASSAGES].tolist()]
        if not passages:
            continue
        said, _ = reader.logits(question, passages)
        for place, weight in enumerate(WEIGHTS):
            priors = passage_priors(scores.tolist(), weight)[:PASSAGES]
            answers = best_answers(said, passages, longest=reader.settings.answer_tokens, priors=priors, k=1)
            gained[place] += f1(answers[0].text, golds) if answers else 0.0
    # Of equals the one nearest to the usual.
    best = np.flatnonzero(gained >= gained.max() - 1e-9)
    return float(min((WEIGHTS[place] for place in best), key=lambda weight: abs(weight - USUAL)))
