"""Answers to a question from an index: retrieve, read, and say nothing where nothing answers it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertpipe.errors import ConfigError
from bertpipe.retrieval.best_sentences import best_sentences
from bertpipe.retrieval.candidates import DEPTH
from bertpipe.retrieval.fusion import NEARNESS, scaled
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.search_result import Hit

# Answers to one question, at most.
ANSWERS = 3


@dataclass(frozen=True)
class Answer:
    """An answer and where it stands.

    Attributes:
        text: The answer, as it stands in the document.
        score: Its probability if a reader found it, else a number that is comparable within one question only.
        passage: The passage that it is in.
        start: First character in the document.
        end: Character after the last.
    """

    text: str
    score: float
    passage: Passage
    start: int
    end: int

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands in the passage's text."""
        return self.start - self.passage.start, self.end - self.passage.start

    def as_json(self) -> dict[str, Any]:
        """The answer as the command line prints it."""
        return {
            "text": self.text,
            "score": round(self.score, 6),
            "passage_id": self.passage.passage_id,
            "document": self.passage.document,
            "start": self.start,
            "end": self.end,
            "context": self.passage.text,
            "context_start": self.passage.start,
            "title": self.passage.title,
        }


@dataclass(frozen=True)
class Answers:
    """What came of a question.

    Attributes:
        question: The question.
        answers: Best first; none where nothing in the corpus answers it.
        reader: A reader was there; else the answers are sentences.
        read: How many passages were read.
        took_ms: Milliseconds, opening the index and the reader not counted.
        cut: The question is longer than the reader reads.
        notes: What is to be said about the condition.
    """

    question: str
    answers: list[Answer]
    reader: bool
    read: int
    took_ms: float
    cut: bool = False
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The answers as the command line prints them."""
        answers = [answer.as_json() for answer in self.answers]
        took_ms = round(self.took_ms, 2)
        return {"question": self.question, "answers": answers, "reader": self.reader, "took_ms": took_ms}


def ask(index: Index, question: str, k: int = 10, answers: int = ANSWERS, **how: Any) -> Answers:
    """Answers a question from the passages of an index.

    With a reader, each of the best ``k`` passages is read, and an answer's score is its probability among all spans of
    all of them and "no answer"; how well a passage was found counts as the index's reader learned. Only answers over
    the reader's threshold are given. Without a reader, the best sentences of the best passages are.

    Args:
        index: The index.
        question: Any text.
        k: How many passages to read.
        answers: At most how many answers.
        **how: Other arguments of `Index.search`: ``where``, ``rerank``, ``rerank_ms``, ``rerank_depth``.

    Raises:
        ArtefactError: The index's reader or reranker is damaged, or not the one that it was built with.
        ConfigError: ``k`` is below 1, the condition is not understood, or there is no reranker to use.
    """
    if k < 1:
        raise ConfigError(f"k = {k}", why="there has to be a passage to read")
    reader = index.reader
    begin = time.perf_counter()
    # More than are read: how sure a search is shows beside the passages that it did not put in front. An answer mostly
    # stands in one sentence with words of its question, whatever the queries are that the index was tuned with.
    result = index.search(question, max(k, DEPTH), nearness=NEARNESS, **how)
    proposed = result.hits
    hits = proposed[:k]
    if reader is None:
        found, cut = _sentences(index, question, hits, answers), False
    elif not hits:
        found, cut = [], False
    else:
        priors = passage_priors([hit.score for hit in proposed], reader.settings.retrieval_weight)
        reading = reader.read(question, [hit.passage.text for hit in hits], priors[:k], k=answers)
        good = [one for one in reading.answers if reader.good_enough(one)]
        found = [_answer(hits[one.passage], one.start, one.end, one.score) for one in good]
        cut = reading.cut
    took_ms = (time.perf_counter() - begin) * 1000
    return Answers(question, found, reader is not None, len(hits), took_ms, cut, result.notes)


def passage_priors(scores: Sequence[float], weight: float) -> list[float]:
    """How much less likely than the first passage each is to hold the answer, as log-odds.

    Args:
        scores: Of the passages that a search found, best first, in whatever units.
        weight: Log-odds for each standard deviation of these scores.

    Raises:
        ValueError: A score is not finite.
    """
    values, _ = scaled("scores of passages", np.array(scores))
    return (weight * (values - values[:1])).tolist()


def _sentences(index: Index, question: str, hits: list[Hit], k: int) -> list[Answer]:
    if not hits:
        return []
    passages = [(hit.passage.title, hit.passage.text) for hit in hits]
    scores = [hit.score for hit in hits]
    weight = {"bm25": 0.0, "dense": 1.0}.get(index.settings.mode, index.settings.weight)
    chosen = best_sentences(question, passages, scores, index.encoder, weight, k)
    return [_answer(hits[one.passage], one.start, one.end, one.score) for one in chosen]


def _answer(hit: Hit, start: int, end: int, score: float) -> Answer:
    passage = hit.passage
    return Answer(passage.text[start:end], score, passage, passage.start + start, passage.start + end)
