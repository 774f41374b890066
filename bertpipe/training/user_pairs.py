"""Queries of the user's, each with the passage that answers it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bertpipe.text.sequences import passage_sequence, query_sequence
from bertpipe.text.special_ids import SpecialIds
from bertpipe.text.token_store import TokenStore
from bertpipe.training.visits import NEIGHBOURS, generator, visit_runs


@dataclass(frozen=True)
class UserPairs:
    """P pairs, drawn in an order that covers them: runs of neighbours, in which the pairs of a passage come together.

    What lies near in a file is often hard to tell apart, and a passage has to be encoded but once in a batch.

    Attributes:
        store: A document is a pair: its title the query, its sentences the passage's title and the passage.
        passages: int64 (P,), the first pair that has the same passage.
        negatives: int64 (P, N), pairs whose passages look right for the query and are not, the most misleading first
            and -1 where there are no more; None where none were looked for.
        teacher: float32 (P, 1 + N), what a cross-encoder says about each query with its own passage, and then with
            those of its negatives; NaN where there are no more. None without a teacher.
    """

    store: TokenStore
    passages: np.ndarray
    negatives: np.ndarray | None = None
    teacher: np.ndarray | None = None

    def __len__(self) -> int:
        return self.store.num_documents

    def drawn(self, counter: int, seed: int, together: int = NEIGHBOURS) -> int:
        """The pair that is drawn as number ``counter``, where so many neighbours are drawn together."""
        return int(self._order[visit_runs(counter, len(self), together, seed)])

    @cached_property
    def _order(self) -> np.ndarray:
        """Int64 (P,), as in the file, but that pairs follow the first one with the same passage."""
        return np.argsort(self.passages, kind="stable")

    def hard_negatives(self, pair: int, count: int, seed: int, counter: int) -> list[int]:
        """Pairs with passages that look right, at most ``count``; others each time that the pair is drawn."""
        places = self.negative_places(pair, count, seed, counter)
        return [] if self.negatives is None else self.negatives[pair][places].tolist()

    def negative_places(self, pair: int, count: int, seed: int, counter: int) -> list[int]:
        """Where `hard_negatives` stand among the pair's negatives."""
        if self.negatives is None or not count:
            return []
        known = np.flatnonzero(self.negatives[pair] >= 0)
        chosen = generator(seed, "hard negatives", counter).permutation(len(known))[:count]
        return known[chosen].tolist()

    def query(self, pair: int, limit: int, special: SpecialIds) -> list[int]:
        """What the encoder reads of the query."""
        return query_sequence(self.store.title(pair).tolist(), limit, special)

    def passage(self, pair: int, limit: int, special: SpecialIds) -> list[int]:
        """What the encoder reads of the passage."""
        title, text = (self.store.sentence(index).tolist() for index in self.store.body(pair))
        return passage_sequence(title, text, limit, special)
