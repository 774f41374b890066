"""Source and target sequences in batches of like length."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from bertpipe.text.token_store import TokenStore
from bertpipe.training.sequence_batch import SequenceBatch
from bertpipe.training.visits import generator

IGNORED = -100


class SequencePairs:
    """Batches from a token store in which a document's text is the source and its title the target.

    Every epoch sees every pair once. A batch holds pairs of like length, about as many tokens as any other, padding
    included; which of the pairs of equal lengths share a batch, and the order of the batches, differ from epoch to
    epoch. Batch n is the same whenever it is asked for.

    Args:
        store: The documents; those without a title or a text are left out.
        batch_tokens: Tokens in a batch, of both sides and with padding, at most.
        max_source: Longest source, with the pieces around it; the rest of a longer one is not read.
        max_target: Longest target, its end piece included; the rest of a longer one is not learned.
        pad_id: Fills short sequences.
        start_id: First piece that the decoder reads.
        end_id: Last piece of sources' texts and of targets.
        seed: Of the order.
        source_prefix: Pieces in front of a source.
        source_suffix: Pieces behind the end piece of a source.
        first_id: The first piece of every target, if there is such a one.
        to_the_end: A source that is too long loses its beginning instead of its end.

    Attributes:
        cut_sources: Pairs whose source is longer than ``max_source``.
        cut_targets: Pairs whose target is longer than ``max_target``.
    """

    def __init__(
        self,
        store: TokenStore,
        *,
        batch_tokens: int,
        max_source: int,
        max_target: int,
        pad_id: int,
        start_id: int,
        end_id: int,
        seed: int,
        source_prefix: Sequence[int] = (),
        source_suffix: Sequence[int] = (),
        first_id: int | None = None,
        to_the_end: bool = False,
    ) -> None:
        self.store = store
        self.batch_tokens = batch_tokens
        self.max_source, self.max_target = max_source, max_target
        self.pad_id, self.start_id, self.end_id = pad_id, start_id, end_id
        self.seed = seed
        self.to_the_end = to_the_end
        self._before, self._behind = list(source_prefix), [end_id, *source_suffix]
        self._first = [] if first_id is None else [first_id]
        first = store.documents[:-1]
        starts, ends = store.sentences[first], store.sentences[store.documents[1:]]
        title_ends = store.sentences[np.minimum(first + 1, len(store.sentences) - 1)]
        source, target = ends - title_ends, title_ends - starts
        self._documents = np.flatnonzero((source > 0) & (target > 0))
        source = source[self._documents] + len(self._before) + len(self._behind)
        target = target[self._documents] + len(self._first) + 1
        self.cut_sources = int((source > max_source).sum())
        self.cut_targets = int((target > max_target).sum())
        self._source = np.minimum(source, max_source)
        self._target = np.minimum(target, max_target)
        self._bounds = self._batch_bounds()

    @property
    def num_pairs(self) -> int:
        """Pairs that are learned from."""
        return len(self._documents)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which every pair is seen once."""
        return len(self._bounds) - 1

    def batch(self, step: int) -> SequenceBatch:
        """The batch of a step.

        Args:
            step: 0, 1, 2 ...
        """
        epoch, place = divmod(step, self.steps_per_epoch)
        pairs, order = self._epoch(epoch)
        number = order[place]
        return self.of_pairs(pairs[self._bounds[number] : self._bounds[number + 1]])

    def of_pairs(self, pairs: np.ndarray) -> SequenceBatch:
        """A batch of given pairs, by their numbers."""
        shape = (len(pairs), int(self._source[pairs].max()))
        src_ids = np.full(shape, self.pad_id, dtype=np.int64)
        tgt_ids = np.full((len(pairs), int(self._target[pairs].max())), self.pad_id, dtype=np.int64)
        labels = np.full(tgt_ids.shape, IGNORED, dtype=np.int64)
        src_mask = np.zeros(shape, dtype=bool)
        for row, pair in enumerate(pairs):
            document = int(self._documents[pair])
            body, title = self.store.body(document), self.store.title(document)
            start, end = int(self.store.sentences[body.start]), int(self.store.sentences[body.stop])
            kept = min(end - start, self.max_source - len(self._before) - len(self._behind))
            first = end - kept if self.to_the_end else start
            source = [*self._before, *self.store.span(first, first + kept), *self._behind]
            src_ids[row, : len(source)] = source
            src_mask[row, : len(source)] = True
            target = [*self._first, *title[: self.max_target - len(self._first) - 1]]
            tgt_ids[row, 0] = self.start_id
            tgt_ids[row, 1 : len(target) + 1] = target
            labels[row, : len(target)] = target
            labels[row, len(target)] = self.end_id
        return SequenceBatch(*map(torch.from_numpy, (src_ids, src_mask, tgt_ids, labels)))

    def _batch_bounds(self) -> np.ndarray:
        """Where the batches of an epoch begin in the order of lengths; the same in every epoch."""
        order = np.lexsort((self._source, self._target))
        bounds = [0]
        longest_source = longest_target = 0
        for place, pair in enumerate(order.tolist()):
            longest_source = max(longest_source, int(self._source[pair]))
            longest_target = max(longest_target, int(self._target[pair]))
            size = place - bounds[-1] + 1
            if size > 1 and size * (longest_source + longest_target) > self.batch_tokens:
                bounds.append(place)
                longest_source, longest_target = int(self._source[pair]), int(self._target[pair])
        return np.array([*bounds, len(order)] if len(order) else bounds)

    @lru_cache(maxsize=2)  # noqa: B019 - the batches live as long as the run
    def _epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The pairs in the order of their lengths, ties broken anew, and the order of the batches."""
        rng = generator(self.seed, "sequence pairs", epoch)
        shuffled = rng.permutation(self.num_pairs)
        by_length = np.lexsort((self._source[shuffled], self._target[shuffled]))  # a stable sort
        return shuffled[by_length], rng.permutation(self.steps_per_epoch)
