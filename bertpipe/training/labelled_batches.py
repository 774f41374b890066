"""Sequences with labels in batches of like length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from bertpipe.text.sequences import padded
from bertpipe.training.visits import generator

IGNORED = -100


@dataclass(frozen=True)
class LabelledSequence:
    """What a model reads, and what it should say about it.

    Attributes:
        input_ids: Piece ids, the special ones included; at least one.
        token_type_ids: 0 for pieces of the first segment, 1 for those of the second; as many.
        labels: A class, a number, several numbers of which every sequence has as many, or a class for each piece (-100
            where none is to be learned).
    """

    input_ids: list[int]
    token_type_ids: list[int]
    labels: int | float | list[int] | list[float]


@dataclass(frozen=True)
class LabelledBatch:
    """Labelled sequences under each other.

    Attributes:
        input_ids: int64 (B, T), padded on the right.
        attention_mask: int64 (B, T), 0 at padding.
        token_type_ids: int64 (B, T), 0 at padding.
        labels: (B,), (B, n), or (B, T) with -100 at padding; int64 for classes, float32 for numbers.
        index: int64 (B,), which of the sequences these are.
    """

    input_ids: Tensor
    attention_mask: Tensor
    token_type_ids: Tensor
    labels: Tensor
    index: Tensor

    @property
    def num_tokens(self) -> int:
        """Tokens without padding."""
        return int(self.attention_mask.sum())

    def to(self, device: torch.device) -> LabelledBatch:
        """The batch on another device; Lightning calls this."""
        return LabelledBatch(*(getattr(self, field.name).to(device) for field in fields(self)))


class LabelledBatches:
    """Batches of sequences of like length.

    Every epoch sees every sequence once. Which sequences of equal lengths share a batch, and the order of the batches,
    differ from epoch to epoch. Batch n is the same whenever it is asked for.

    Args:
        sequences: At least one.
        batch_tokens: Tokens in a batch, padding included, at most; a longer sequence is a batch by itself.
        pad_id: Fills short sequences.
        seed: Of the order.
        per_token: Labels are one a piece.

    Raises:
        ValueError: There is no sequence.
    """

    def __init__(
        self,
        sequences: Sequence[LabelledSequence],
        *,
        batch_tokens: int,
        pad_id: int,
        seed: int,
        per_token: bool = False,
    ) -> None:
        if not sequences:
            raise ValueError("there is no sequence")
        self.sequences = sequences
        self.batch_tokens = batch_tokens
        self.pad_id = pad_id
        self.seed = seed
        self.per_token = per_token
        self._lengths = np.array([len(sequence.input_ids) for sequence in sequences])
        self._bounds = self._batch_bounds()

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which every sequence is seen once."""
        return len(self._bounds) - 1

    def batch(self, step: int) -> LabelledBatch:
        """The batch of a step.

        Args:
            step: 0, 1, 2 ...
        """
        epoch, place = divmod(step, self.steps_per_epoch)
        order, batches = self._epoch(epoch)
        number = batches[place]
        return self.of(order[self._bounds[number] : self._bounds[number + 1]].tolist())

    def of(self, index: Sequence[int]) -> LabelledBatch:
        """A batch of given sequences, by their numbers."""
        chosen = [self.sequences[number] for number in index]
        input_ids, attention_mask = padded([sequence.input_ids for sequence in chosen], self.pad_id)
        token_type_ids, _ = padded([sequence.token_type_ids for sequence in chosen], 0)
        if self.per_token:
            labels = np.full(input_ids.shape, IGNORED, dtype=np.int64)
            for row, sequence in enumerate(chosen):
                labels[row, : len(sequence.input_ids)] = sequence.labels
        else:
            labels = np.array([sequence.labels for sequence in chosen])
            labels = labels.astype(np.float32 if labels.dtype.kind == "f" else np.int64)
        arrays = (input_ids, attention_mask, token_type_ids, labels, np.array(index, dtype=np.int64))
        return LabelledBatch(*map(torch.from_numpy, arrays))

    def _batch_bounds(self) -> np.ndarray:
        """Where the batches of an epoch begin in the order of lengths; the same in every epoch."""
        bounds = [0]
        for place, length in enumerate(np.sort(self._lengths).tolist()):
            if place > bounds[-1] and (place - bounds[-1] + 1) * length > self.batch_tokens:
                bounds.append(place)
        return np.array([*bounds, len(self._lengths)])

    @lru_cache(maxsize=2)  # noqa: B019 - the batches live as long as the run
    def _epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The sequences in the order of their lengths, ties broken anew, and the order of the batches."""
        rng = generator(self.seed, "labelled batches", epoch)
        shuffled = rng.permutation(len(self._lengths))
        by_length = np.argsort(self._lengths[shuffled], kind="stable")
        return shuffled[by_length], rng.permutation(self.steps_per_epoch)
