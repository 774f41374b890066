"""Training pairs for retrieval that a corpus gives by itself, or that the user has.

Three kinds, after what people search with: a title for a passage of its document; a document's first sentence for the
rest; any sentence for the passage it was taken out of (the inverse cloze task, Lee et al. 2019, section 4).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bertpipe.errors import InputError
from bertpipe.text.sequences import passage_sequence, query_sequence
from bertpipe.text.special_ids import SpecialIds
from bertpipe.text.token_store import TokenStore
from bertpipe.training.user_pairs import UserPairs
from bertpipe.training.visits import NEIGHBOURS, generator, visit, visit_runs

# Shares of the kinds where a document allows all three.
TITLE_SHARE, FIRST_SHARE = 0.3, 0.4
# A sentence stays in its passage in this share of the cloze pairs, so that matching words stay worth something
# (Lee et al. 2019, section 4).
KEEP_SHARE = 0.1
SHORTEST_QUERY = 3
# Documents to look at for each pair before giving up.
MOST_LOOKS = 200


@dataclass(frozen=True)
class PairBatch:
    """B queries and P different passages, packed into rows: each query's own one, and H times a hard negative.

    Attributes:
        input_ids: int64 (R, T).
        sequence_ids: int64 (R, T), see `bertpipe.nn.packing`.
        text_index: int64 (R, T): query i is text i, passage j text B + j, and the parts of passages come behind; the
            number of texts at padding.
        queries: int64 (B,), alike where the same is asked; a passage that answers one of these is right for all.
        documents: int64 (B,), which document each pair was taken from; pairs of one are no negatives of each other.
        own: int64 (B,), the passage that answers each query.
        passages: int64 (P,), which document each passage was taken from.
        negative_queries: int64 (H,), the query that each hard negative stands beside.
        negative_passages: int64 (H,), the passage that it is.
        teacher: float32 (B + H,), what a cross-encoder says about each query with its passage, and about each hard
            negative with its query; NaN where nobody asked it.
        parts: How many parts of every passage are texts of their own; 0 for none.
    """

    input_ids: Tensor
    sequence_ids: Tensor
    text_index: Tensor
    queries: Tensor
    documents: Tensor
    own: Tensor
    passages: Tensor
    negative_queries: Tensor
    negative_passages: Tensor
    teacher: Tensor
    parts: int = 0

    @property
    def pairs(self) -> int:
        """B."""
        return len(self.own)

    @property
    def texts(self) -> int:
        """Queries, passages and parts."""
        return len(self.own) + (1 + self.parts) * len(self.passages)

    @property
    def num_tokens(self) -> int:
        """Tokens without padding."""
        return int((self.sequence_ids > 0).sum())

    def to(self, device: torch.device) -> PairBatch:
        """The batch on another device; Lightning calls this."""
        tensors: dict[str, Any] = {
            name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(self, **tensors)


def pack(sequences: list[list[int]], length: int, pad_id: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Puts sequences into as few rows as first-fit-decreasing finds.

    Args:
        sequences: N lists of piece ids, none longer than ``length``.
        length: T.
        pad_id: Id of the padding piece.

    Returns:
        input_ids, sequence_ids and text_index as in `PairBatch`, int64 (R, T).
    """
    rows: list[list[int]] = []
    room: list[int] = []
    for text in sorted(range(len(sequences)), key=lambda text: (-len(sequences[text]), text)):
        size = len(sequences[text])
        row = next((row for row, free in enumerate(room) if free >= size), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(length)
        rows[row].append(text)
        room[row] -= size
    shape = (len(rows), length)
    input_ids = np.full(shape, pad_id, dtype=np.int64)
    sequence_ids = np.zeros(shape, dtype=np.int64)
    text_index = np.full(shape, len(sequences), dtype=np.int64)
    for row, texts in enumerate(rows):
        used = 0
        for place, text in enumerate(texts):
            end = used + len(sequences[text])
            input_ids[row, used:end] = sequences[text]
            sequence_ids[row, used:end] = place + 1
            text_index[row, used:end] = text
            used = end
    return input_ids, sequence_ids, text_index


@dataclass(frozen=True)
class _DrawnPair:
    """A pair, its hard negatives with their documents, and what a teacher says about its passage and about them."""

    query: list[int]
    passage: list[int]
    document: int
    score: float = math.nan
    negatives: tuple[tuple[list[int], int], ...] = ()
    negative_scores: tuple[float, ...] = ()


class CorpusPairs:
    """Draws batches of pairs from a token store; batch n is the same whenever it is asked for.

    Args:
        store: The documents.
        special: Ids of the special pieces.
        batch_size: B.
        query_tokens: Longest query.
        passage_tokens: Longest passage.
        seed: Of the order and of all choices.
        user_pairs: Pairs of the user's.
        user_share: The share of a batch that is drawn from them.
        user_together: Pairs of the user's next to each other that are drawn together.
        hard_negatives: Passages that look right and are not, beside each pair of the user's.
        word_dropout: Share of the pieces of every text that are left out, others in every batch (Iyyer et al. 2015,
            section 3.2).
        parts: Of every passage so many parts of like length are texts of their own as well; 1 is none.
    """

    def __init__(
        self,
        store: TokenStore,
        special: SpecialIds,
        *,
        batch_size: int,
        query_tokens: int,
        passage_tokens: int,
        seed: int,
        user_pairs: UserPairs | None = None,
        user_share: float = 0.5,
        user_together: int = NEIGHBOURS,
        hard_negatives: int = 0,
        word_dropout: float = 0.0,
        parts: int = 1,
    ) -> None:
        self.store = store
        self.special = special
        self.batch_size = batch_size
        self.query_tokens = query_tokens
        self.passage_tokens = passage_tokens
        self.seed = seed
        self.user_pairs = user_pairs
        self.user_share = user_share
        self.user_together = user_together
        self.hard_negatives = hard_negatives
        self.word_dropout = word_dropout
        self.parts = parts if parts > 1 else 0

    @property
    def possible(self) -> bool:
        """Whether the corpus gives any pair, as far as a look at some documents tells."""
        rng = generator(self.seed, "possible")
        looks = min(MOST_LOOKS, 4 * self.store.num_documents)
        return any(
            self._pair(visit(counter, self.store.num_documents, self.seed), rng) is not None for counter in range(looks)
        )

    def batch(self, step: int) -> PairBatch:
        """The batch of a step.

        Args:
            step: 0, 1, 2 ...

        Raises:
            InputError: The corpus gives no pairs.
        """
        rng = generator(self.seed, "pairs", step)
        from_user = round(self.user_share * self.batch_size) if self.user_pairs is not None else 0
        drawn = [self._user_pair(step * from_user + slot) for slot in range(from_user)]
        counter = step * (self.batch_size - from_user)
        last = counter + MOST_LOOKS * self.batch_size
        while len(drawn) < self.batch_size and counter < last:
            document = visit_runs(counter, self.store.num_documents, NEIGHBOURS, self.seed)
            counter += 1
            pair = self._pair(document, rng)
            if pair is not None:
                drawn.append(_DrawnPair(*pair, document))
        if len(drawn) < 2:
            raise InputError(
                "the corpus gives no training pairs",
                why="its documents have neither titles of several words nor two sentences",
                hint="Give pairs of your own with finetune.pairs.",
            )
        return self._packed(drawn, generator(self.seed, "word dropout", step))

    def _packed(self, drawn: list[_DrawnPair], rng: np.random.Generator) -> PairBatch:
        """The pairs with every passage once, whether it is right for several queries or wrong for some."""
        places: dict[tuple[int, ...], int] = {}
        passages: list[int] = []

        def place(sequence: list[int], document: int) -> int:
            known = places.setdefault(tuple(sequence), len(places))
            if known == len(passages):
                passages.append(document)
            return known

        asked: dict[tuple[int, ...], int] = {}
        queries = [asked.setdefault(tuple(one.query), len(asked)) for one in drawn]
        own = [place(one.passage, one.document) for one in drawn]
        negatives = [
            (query, place(*negative), score)
            for query, one in enumerate(drawn)
            for negative, score in zip(one.negatives, one.negative_scores, strict=True)
        ]
        whole = list(map(list, places))
        parts = [part for one in whole for part in self._cut(one)] if self.parts else []
        sequences = [self._thinned(one, rng) for one in (*(one.query for one in drawn), *whole, *parts)]
        input_ids, sequence_ids, text_index = pack(
            sequences, max(self.query_tokens, self.passage_tokens), self.special.pad
        )
        scores = [*(one.score for one in drawn), *(score for _, _, score in negatives)]
        return PairBatch(
            torch.from_numpy(input_ids),
            torch.from_numpy(sequence_ids),
            torch.from_numpy(text_index),
            queries=torch.tensor(queries),
            documents=torch.tensor([one.document for one in drawn]),
            own=torch.tensor(own),
            passages=torch.tensor(passages),
            negative_queries=torch.tensor([query for query, _, _ in negatives], dtype=torch.int64),
            negative_passages=torch.tensor([passage for _, passage, _ in negatives], dtype=torch.int64),
            teacher=torch.tensor(scores, dtype=torch.float32),
            parts=self.parts,
        )

    def _cut(self, sequence: list[int]) -> list[list[int]]:
        """A passage's parts, each with the title; they are of like length, give or take a piece."""
        sep = self.special.sep
        begin = sequence.index(sep) + 1 if sep in sequence[:-1] else 1
        head, text = sequence[:begin], sequence[begin:-1]
        if len(text) < self.parts:  # too short to be cut: it is each of its parts
            return [sequence] * self.parts
        bounds = (len(text) * part // self.parts for part in range(self.parts + 1))
        return [[*head, *text[start:end], sep] for start, end in itertools.pairwise(bounds)]

    def _thinned(self, sequence: list[int], rng: np.random.Generator) -> list[int]:
        """A sequence without some of its pieces; its ends stay, and one of which nothing else would stay."""
        if not self.word_dropout:
            return sequence
        ends = (self.special.cls, self.special.sep)
        left_out = rng.random(len(sequence)) < self.word_dropout
        kept = [piece for piece, out in zip(sequence, left_out.tolist(), strict=True) if piece in ends or not out]
        return kept if any(piece not in ends for piece in kept) else sequence

    def _user_pair(self, counter: int) -> _DrawnPair:
        """A pair and its hard negatives; the user's passages are numbered behind the corpus's documents."""
        given = self.user_pairs
        assert given is not None
        pair, behind = given.drawn(counter, self.seed, self.user_together), self.store.num_documents
        places = given.negative_places(pair, self.hard_negatives, self.seed, counter)
        others = [] if given.negatives is None else given.negatives[pair][places].tolist()
        scores = [math.nan] * (1 + len(places))
        if given.teacher is not None:
            scores = given.teacher[pair][[0, *(1 + place for place in places)]].tolist()
        return _DrawnPair(
            given.query(pair, self.query_tokens, self.special),
            given.passage(pair, self.passage_tokens, self.special),
            behind + int(given.passages[pair]),
            scores[0],
            tuple(
                (given.passage(other, self.passage_tokens, self.special), behind + int(given.passages[other]))
                for other in others
            ),
            tuple(scores[1:]),
        )

    def _pair(self, document: int, rng: np.random.Generator) -> tuple[list[int], list[int]] | None:
        title, body = self.store.title(document), self.store.body(document)
        if not body:
            return None
        draw = rng.random()
        start = int(rng.integers(len(body)))
        if len(title) >= SHORTEST_QUERY and (draw < TITLE_SHARE or len(body) == 1):
            # A title stands for any passage of its document, most of all for its beginning.
            return self._sequences(title, np.empty(0), self._window(body, start if rng.random() < 0.5 else 0))
        if len(body) == 1:
            return None
        if draw < TITLE_SHARE + FIRST_SHARE:
            query = self.store.sentence(body[0])
            if len(query) >= SHORTEST_QUERY:
                return self._sequences(query, title, self._window(body, 1))
        query = self.store.sentence(body[start])
        if len(query) < SHORTEST_QUERY:
            return None
        without = None if rng.random() < KEEP_SHARE else start
        around = max(0, start - int(rng.integers(4)))
        return self._sequences(query, title, self._window(body, around, without))

    def _window(self, body: range, start: int, without: int | None = None) -> list[np.ndarray]:
        sentences: list[np.ndarray] = []
        room = self.passage_tokens
        for index in range(start, len(body)):
            if index == without:
                continue
            sentences.append(self.store.sentence(body[index]))
            room -= len(sentences[-1])
            if room <= 0:
                break
        # The last sentence of a document has nothing after it: then what stands before it.
        return sentences or [self.store.sentence(body[start - 1])]

    def _sequences(
        self, query: np.ndarray, title: np.ndarray, sentences: list[np.ndarray]
    ) -> tuple[list[int], list[int]]:
        text = np.concatenate(sentences).tolist()
        return (
            query_sequence(query.tolist(), self.query_tokens, self.special),
            passage_sequence(title.tolist(), text, self.passage_tokens, self.special),
        )
