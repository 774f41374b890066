"""Sliding windows over a text that is longer than a model can read at once; nothing of it is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertpipe.errors import ConfigError
from bertpipe.text.special_ids import SpecialIds

# [CLS] question [SEP] context [SEP]
FRAME = 3


def sliding_windows(count: int, size: int, stride: int) -> list[tuple[int, int]]:
    """Windows that together hold every piece of a text.

    Args:
        count: Pieces of the text.
        size: Most pieces in a window.
        stride: Pieces that a window shares with the one before it.

    Returns:
        (first piece, piece after the last) of each window, in order; one empty window for an empty text.

    Raises:
        ValueError: ``stride`` is not within 0 to ``size`` - 1: windows would not move, or leave pieces out.
    """
    if not 0 <= stride < size:
        raise ValueError(f"a stride of {stride} does not fit windows of {size}")
    windows = [(0, min(size, count))]
    while windows[-1][1] < count:
        first = windows[-1][1] - stride
        windows.append((first, min(first + size, count)))
    return windows


def most_context(windows: Sequence[tuple[int, int]], count: int) -> np.ndarray:
    """Which window shows most around each piece, so that a piece in several windows counts once.

    What counts is the poorer side of a piece; equals go to the earlier window.

    Args:
        windows: As `sliding_windows` makes them.
        count: Pieces of the text.

    Returns:
        int64 (count,), numbers of windows.
    """
    best = np.full(count, -1, dtype=np.int64)
    owner = np.zeros(count, dtype=np.int64)
    for number, (first, last) in enumerate(windows):
        places = np.arange(first, last)
        context = np.minimum(places - first, last - 1 - places)
        better = context > best[first:last]
        best[first:last][better] = context[better]
        owner[first:last][better] = number
    return owner


@dataclass(frozen=True, slots=True)
class QuestionFrame:
    """How a question and a window of a context become one sequence: ``[CLS] question [SEP] context [SEP]``.

    Attributes:
        max_tokens: Longest sequence.
        stride: Pieces that two windows share; at most half of a window.
        question_tokens: Pieces of a question that are read.
    """

    max_tokens: int
    stride: int
    question_tokens: int

    def check(self, longest: int) -> None:
        """Makes sure that windows have room for a context.

        Args:
            longest: Tokens that the model can read.

        Raises:
            ConfigError: They have not, or the model is too small.
        """
        if self.max_tokens > longest:
            raise ConfigError(
                f"max_tokens = {self.max_tokens} is more than the model can read", hint=f"Lower it to {longest}."
            )
        if self.stride >= self.max_tokens:
            raise ConfigError(
                f"stride = {self.stride} is as much as a window",
                why=f"windows have max_tokens = {self.max_tokens}",
                hint="Lower it to a third of that, or less.",
            )
        if self.room(self.question_tokens) < 8:
            raise ConfigError(
                f"question_tokens = {self.question_tokens} leaves no room for a context",
                why=f"question and context share max_tokens = {self.max_tokens}",
                hint="Lower it, or raise max_tokens.",
            )

    def room(self, question: int) -> int:
        """Pieces of a context that fit beside a question of so many pieces."""
        return self.max_tokens - FRAME - min(question, self.question_tokens)

    def windows(self, question: int, context: int) -> list[tuple[int, int]]:
        """The windows of a context of so many pieces, beside a question of so many pieces."""
        room = self.room(question)
        return sliding_windows(context, room, min(self.stride, room // 2))

    def sequence(
        self, question: Sequence[int], context: Sequence[int], special: SpecialIds
    ) -> tuple[list[int], list[int]]:
        """A question and the pieces of one window.

        Args:
            question: All pieces of the question.
            context: Pieces of the window.
            special: The tokenizer's.

        Returns:
            ``input_ids`` and ``token_type_ids``; the context begins at ``context_place(question)``.
        """
        asked = question[: self.question_tokens]
        head = [special.cls, *asked, special.sep]
        return [*head, *context, special.sep], [0] * len(head) + [1] * (len(context) + 1)

    def context_place(self, question: int) -> int:
        """Where the context begins in a sequence, beside a question of so many pieces."""
        return 2 + min(question, self.question_tokens)
