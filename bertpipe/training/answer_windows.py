"""Questions and their contexts as sequences with the place of the answer, made when they are asked for."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import overload

import numpy as np

from bertpipe.tasks.answer_spans import WindowLogits
from bertpipe.text.readers.squad import Question
from bertpipe.text.tokenizer import Tokenizer
from bertpipe.text.windows import QuestionFrame, most_context
from bertpipe.training.labelled_batches import LabelledSequence
from bertpipe.training.rarity import rarities
from bertpipe.training.visits import generator

NOWHERE = -1
# Questions are pieces of a few dozen bytes: tokenized so many at a time.
BLOCK = 4096
# Contexts before and behind one that stands alone in its article, to ask its questions about.
NEARBY = 25


class AnswerWindows(Sequence[LabelledSequence]):
    """Every window of every question's context, as a sequence whose two labels are where its answer begins and ends.

    A window without the whole answer is labelled 0, which is ``[CLS]``: no answer here. Contexts are tokenized once,
    however many questions are asked about them, and pieces, places and windows are kept in arrays: SQuAD's 87,599
    questions take some 60 MB.

    Args:
        questions: Those that are neither answered nor said to be impossible are left out.
        tokenizer: The model's.
        frame: How a question and its context become sequences.
        negatives: Unanswerable questions to make, as a share of the answered ones: a question asked about another
            context of its article, that which shares most rare pieces with it and does not hold the answer.
        seed: Decides which questions these are.
        advance: Told the number of questions read since the last call.

    Attributes:
        contexts: All contexts.
        names: Ids of the questions that are asked.
        golds: Texts of the answers of each; none for those without.
        cut: Questions longer than the frame lets through.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        tokenizer: Tokenizer,
        frame: QuestionFrame,
        *,
        negatives: float = 0.0,
        seed: int = 0,
        advance: Callable[[int], None] = lambda count: None,
    ) -> None:
        self.tokenizer, self.frame = tokenizer, frame
        kept = [one for one in questions if one.answers or one.impossible]
        numbers: dict[str, int] = {}
        about = [numbers.setdefault(one.context, len(numbers)) for one in kept]
        self.contexts = list(numbers)
        self._read_contexts()
        asked: list[list[int]] = []
        for begin in range(0, len(kept), BLOCK):
            block = kept[begin : begin + BLOCK]
            asked += tokenizer.encode_batch([one.question for one in block])
            advance(len(block))
        self.cut = sum(len(ids) > frame.question_tokens for ids in asked)
        spans = [self._span(context, one) for context, one in zip(about, kept, strict=True)]
        self.names = [one.id for one in kept]
        self.golds = [tuple(answer.text for answer in one.answers) for one in kept]
        rows = list(range(len(kept)))
        if negatives:
            for row, context in self._other_contexts(kept, about, asked, negatives, seed):
                rows.append(row)
                about.append(context)
                spans.append((NOWHERE, NOWHERE))
                self.names.append(f"{kept[row].id}, elsewhere")
                self.golds.append(())
        self._question_ids, self._question_bounds = _flat(asked)
        self._asked = np.array(rows, dtype=np.int32)
        self.about = np.array(about, dtype=np.int32)
        self._lay_windows(np.array(spans, dtype=np.int32).reshape(-1, 2))

    def __len__(self) -> int:
        return len(self.window_question)

    @overload
    def __getitem__(self, number: int) -> LabelledSequence: ...
    @overload
    def __getitem__(self, number: slice) -> list[LabelledSequence]: ...
    def __getitem__(self, number: int | slice) -> LabelledSequence | list[LabelledSequence]:
        """The sequence of a window."""
        if isinstance(number, slice):
            return [self[one] for one in range(len(self))[number]]
        question = self.window_question[number]
        begin = self._context_bounds[self.about[question]]
        first, last = self._windows[number] + begin
        context = self._context_ids[first:last].tolist()
        ids, types = self.frame.sequence(self._question(question), context, self.tokenizer.special)
        return LabelledSequence(ids, types, self._labels[number].tolist())

    def text(self, question: int) -> str:
        """The context that a question is asked about."""
        return self.contexts[self.about[question]]

    def logits(self, window: int, of_sequence: np.ndarray) -> WindowLogits:
        """What a model says about a window's part of the context, out of its logits (T, 2) for the sequence."""
        question = int(self.window_question[window])
        begin = self._context_bounds[self.about[question]]
        first, last = self._windows[window]
        place = self.frame.context_place(len(self._question(question)))
        siblings = np.searchsorted(self.window_question, [question, question + 1])
        bounds = [(int(one), int(two)) for one, two in self._windows[siblings[0] : siblings[1]]]
        own = most_context(bounds, bounds[-1][1])[first:last] == window - siblings[0]
        null = float(of_sequence[0].astype(np.float64).sum())
        inside = of_sequence[place : place + last - first]
        return WindowLogits(0, inside, null, self._places[begin + first : begin + last], own)

    def _question(self, number: int) -> list[int]:
        row = self._asked[number]
        return self._question_ids[self._question_bounds[row] : self._question_bounds[row + 1]].tolist()

    def _read_contexts(self) -> None:
        ids, places, bounds = [], [], [0]
        for context in self.contexts:
            pieces, offsets = self.tokenizer.encode_with_offsets(context)
            ids.append(np.array(pieces, dtype=np.int32))
            places.append(np.array(offsets, dtype=np.int32).reshape(-1, 2))
            bounds.append(bounds[-1] + len(pieces))
        self._context_ids = np.concatenate([np.empty(0, np.int32), *ids])
        self._places = np.concatenate([np.empty((0, 2), np.int32), *places])
        self._context_bounds = np.array(bounds, dtype=np.int64)

    def _span(self, context: int, question: Question) -> tuple[int, int]:
        """First and last piece of a question's first answer in its context."""
        if question.impossible or not question.answers:
            return NOWHERE, NOWHERE
        answer = question.answers[0]
        places = self._places[self._context_bounds[context] : self._context_bounds[context + 1]]
        # Pieces that spell one character may have no width; one of them has.
        inside = (places[:, 1] > answer.start) & (places[:, 0] < answer.start + len(answer.text))
        found = np.flatnonzero(inside & (places[:, 1] > places[:, 0]))
        return (int(found[0]), int(found[-1])) if len(found) else (NOWHERE, NOWHERE)

    def _lay_windows(self, spans: np.ndarray) -> None:
        lengths = np.diff(self._context_bounds)
        asked = np.diff(self._question_bounds)[self._asked]
        bounds: list[tuple[int, int]] = []
        owners: list[int] = []
        for question, (length, size) in enumerate(zip(asked.tolist(), lengths[self.about].tolist(), strict=True)):
            some = self.frame.windows(length, size)
            bounds += some
            owners += [question] * len(some)
        self._windows = np.array(bounds, dtype=np.int32).reshape(-1, 2)
        self.window_question = np.array(owners, dtype=np.int32)
        first, last = self._windows.T
        start, end = spans[self.window_question].T
        shift = 2 + np.minimum(asked, self.frame.question_tokens)[self.window_question] - first
        whole = (start >= first) & (end < last) & (start != NOWHERE)
        self._labels = np.where(whole[:, None], np.stack([start, end], axis=1) + shift[:, None], 0).astype(np.int32)

    def _other_contexts(
        self,
        questions: Sequence[Question],
        about: Sequence[int],
        asked: Sequence[Sequence[int]],
        share: float,
        seed: int,
    ) -> Iterator[tuple[int, int]]:
        """Questions, by their numbers, with another context to ask each about."""
        articles: dict[str, list[int]] = defaultdict(list)
        for context, title in dict(zip(about, (one.title for one in questions), strict=True)).items():
            articles[title].append(context)
        pieces = [
            frozenset(self._context_ids[first:last].tolist())
            for first, last in itertools.pairwise(self._context_bounds.tolist())
        ]
        weight = rarities(pieces)
        folded = [context.casefold() for context in self.contexts]
        everything = list(range(len(self.contexts)))
        for row, question in enumerate(questions):
            times = int(share) + bool(generator(seed, "negatives", row).random() < share % 1)
            if question.impossible or not times:
                continue
            nearby = articles[question.title]
            answers = [answer.text.casefold() for answer in question.answers]
            # Without another context in its article, those of other articles that stand near it.
            here = nearby if len(nearby) > 1 else everything[max(0, about[row] - NEARBY) : about[row] + NEARBY + 1]
            others = [one for one in here if one != about[row] and not any(answer in folded[one] for answer in answers)]
            sought = set(asked[row])
            shared = {one: sum(weight[piece] for piece in sought & pieces[one]) for one in others}
            for context in sorted(others, key=lambda one: (-shared[one], one))[:times]:
                yield row, context


def _flat(lists: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Lists in one array, and where each begins."""
    bounds = np.cumsum([0, *(len(one) for one in lists)], dtype=np.int64)
    return np.fromiter(itertools.chain.from_iterable(lists), np.int32, int(bounds[-1])), bounds
