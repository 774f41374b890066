"""Finding answers in passages with a model that scores pieces, whatever runs it: torch or onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from bertpipe.models.like_length import like_length
from bertpipe.models.task_settings import TaskSettings
from bertpipe.tasks.answer_spans import AnswerSpan, WindowLogits, best_answers
from bertpipe.text.sequences import padded
from bertpipe.text.tokenizer import Tokenizer
from bertpipe.text.windows import QuestionFrame, most_context

# Tokens in a batch, padding included, and pairs that are read before the first of them is answered.
BATCH_TOKENS, PAIRS = 4096, 256

Run = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""input_ids, attention_mask and token_type_ids, int64 (B, T), to logits float32 (B, T, 2)."""


@dataclass(frozen=True)
class ReadingWindow:
    """A question with one window of a passage.

    Attributes:
        passage: Which of the passages.
        input_ids: What the model reads.
        token_type_ids: 0 at the question, 1 behind it.
        place: Where the passage begins in the sequence.
        places: int (T, 2), where each of the window's pieces begins and ends in the passage, in characters.
        own: bool (T,), see `WindowLogits`.
    """

    passage: int
    input_ids: list[int]
    token_type_ids: list[int]
    place: int
    places: np.ndarray
    own: np.ndarray

    def logits(self, of_sequence: np.ndarray) -> WindowLogits:
        """What a model says about the passage, out of its logits (T', 2) for the whole sequence."""
        null = float(of_sequence[0].astype(np.float64).sum())
        inside = of_sequence[self.place : self.place + len(self.places)]
        return WindowLogits(self.passage, inside, null, self.places, self.own)


@dataclass(frozen=True)
class Reading:
    """What came of reading.

    Attributes:
        answers: Most probable first; whether the first is good enough, `PassageReader.settings` tells.
        cut: The question is longer than the model reads.
    """

    answers: list[AnswerSpan]
    cut: bool = False


class PassageReader:
    """Answers questions from passages.

    Args:
        tokenizer: The model's.
        settings: The model's limits and threshold.
        run: The model.
        batch_tokens: Tokens that it is given at once, padding included; a longer text is given by itself.
    """

    def __init__(
        self, tokenizer: Tokenizer, settings: TaskSettings, run: Run, batch_tokens: int = BATCH_TOKENS
    ) -> None:
        self.tokenizer = tokenizer
        self.settings = settings
        self.frame = QuestionFrame(settings.max_tokens, settings.stride, settings.question_tokens)
        self._run = run
        self._batch_tokens = batch_tokens

    def read(
        self, question: str, passages: Sequence[str], priors: Sequence[float] | None = None, k: int = 5
    ) -> Reading:
        """Looks for the answer to one question in several passages; see `best_answers` for what scores mean.

        Args:
            question: The question.
            passages: Texts of any length.
            priors: Log-odds of each passage, known beforehand.
            k: At most how many answers.
        """
        said, cut = self.logits(question, passages)
        answers = best_answers(said, passages, longest=self.settings.answer_tokens, priors=priors, k=k)
        return Reading(answers, cut)

    def logits(self, question: str, passages: Sequence[str]) -> tuple[list[WindowLogits], bool]:
        """What the model says about every window of several passages, and whether the question was cut."""
        windows, cut = self._windows(question, passages)
        return self._logits(windows), cut

    def read_pairs(self, pairs: Sequence[tuple[str, str]], k: int = 5) -> Iterator[Reading]:
        """Looks for the answer to each question in its own text, many pairs in a batch.

        Args:
            pairs: Questions with their texts.
            k: At most how many answers each.

        Yields:
            One reading a pair, in order.
        """
        for first in range(0, len(pairs), PAIRS):
            some = pairs[first : first + PAIRS]
            found = [self._windows(question, [text]) for question, text in some]
            logits = iter(self._logits([window for windows, _ in found for window in windows]))
            for (_, text), (windows, cut) in zip(some, found, strict=True):
                mine = list(islice(logits, len(windows)))
                yield Reading(best_answers(mine, [text], longest=self.settings.answer_tokens, k=k), cut)

    def good_enough(self, answer: AnswerSpan) -> bool:
        """Whether an answer is more than the threshold that was best on the questions set apart."""
        return answer.score >= self.settings.threshold

    def _windows(self, question: str, passages: Sequence[str]) -> tuple[list[ReadingWindow], bool]:
        asked = self.tokenizer.encode(question)
        windows = []
        for number, passage in enumerate(passages):
            pieces, offsets = self.tokenizer.encode_with_offsets(passage)
            places = np.array(offsets, dtype=np.int64).reshape(-1, 2)
            bounds = self.frame.windows(len(asked), len(pieces))
            owner = most_context(bounds, len(pieces))
            for place, (first, last) in enumerate(bounds):
                ids, types = self.frame.sequence(asked, pieces[first:last], self.tokenizer.special)
                own = owner[first:last] == place
                begin = self.frame.context_place(len(asked))
                windows.append(ReadingWindow(number, ids, types, begin, places[first:last], own))
        return windows, len(asked) > self.frame.question_tokens

    def _logits(self, windows: Sequence[ReadingWindow]) -> list[WindowLogits]:
        found: dict[int, WindowLogits] = {}
        for batch in like_length([len(window.input_ids) for window in windows], self._batch_tokens):
            chosen = [windows[number] for number in batch]
            input_ids, attention_mask = padded([window.input_ids for window in chosen], self.tokenizer.pad_id)
            token_type_ids, _ = padded([window.token_type_ids for window in chosen], 0)
            logits = self._run(input_ids, attention_mask, token_type_ids)
            for number, window, row in zip(batch, chosen, logits, strict=True):
                found[number] = window.logits(row)
        return [found[number] for number in range(len(windows))]
