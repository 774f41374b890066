"""Rows packed with masked text: what BERT's and RoBERTa's pretraining have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bertpipe.training.masking import IGNORED, Masking

# An example needs [CLS] a [SEP] b [SEP]; a row with less room than this is padded out.
SMALLEST_EXAMPLE = 16
# Examples in a row; a row of very short documents is padded after them.
MOST_EXAMPLES = 16
# More rows than any run draws: what keeps the visits of one slot apart from those of the next.
SLOT_BITS = 40


@dataclass(frozen=True)
class PretrainingBatch:
    """Packed rows with what is to be guessed.

    Attributes:
        input_ids: int64 (B, T), some pieces hidden.
        token_type_ids: int64 (B, T), 0 for the first and 1 for the second segment of an example.
        sequence_ids: int64 (B, T), see `bertpipe.nn.packing`.
        labels: int64 (M,), the hidden pieces.
        masked_index: int64 (M,), their positions in the flattened batch.
        cls_index: int64 (P,), positions of the pairs' ``[CLS]`` in the flattened batch; None where no next sentence is
            to be told.
        next_sentence_label: int64 (P,), 1 where the second segment follows the first; None likewise.
    """

    input_ids: Tensor
    token_type_ids: Tensor
    sequence_ids: Tensor
    labels: Tensor
    masked_index: Tensor
    cls_index: Tensor | None
    next_sentence_label: Tensor | None

    @property
    def num_tokens(self) -> int:
        """Tokens without padding."""
        return int((self.sequence_ids > 0).sum())

    def to(self, device: torch.device) -> PretrainingBatch:
        """The batch on another device; Lightning calls this."""
        tensors = (getattr(self, field.name) for field in fields(self))
        moved: list[Any] = [tensor if tensor is None else tensor.to(device) for tensor in tensors]
        return PretrainingBatch(*moved)


@dataclass(frozen=True)
class Example:
    """What stands between a ``[CLS]`` and the next.

    Attributes:
        segments: One or two runs of piece ids; a ``[SEP]`` follows each.
        is_next: Of two segments, whether the second follows the first: 1 or 0.
    """

    segments: Sequence[np.ndarray]
    is_next: int | None = None


def packed_batch(
    draw: Callable[[int, int], Example],
    *,
    step: int,
    rows: int,
    length: int,
    masking: Masking,
    rng: np.random.Generator,
) -> PretrainingBatch:
    """Fills rows with examples and hides tokens.

    Args:
        draw: Gives the example of a visit, for the visit's number and the room in tokens, special pieces included.
            Either all of its examples have `Example.is_next` or none has.
        step: Number of the batch; visits go on from one batch to the next.
        rows: B.
        length: T.
        masking: Hides tokens.
        rng: Randomness.
    """
    special = masking.special
    shape = (rows, length)
    input_ids = np.full(shape, special.pad, dtype=np.int64)
    token_type_ids, sequence_ids = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    cls_index: list[int] = []
    follows: list[int] = []
    for row in range(rows):
        used = 0
        for slot in range(MOST_EXAMPLES):
            if length - used < SMALLEST_EXAMPLE:
                break
            # Each slot visits the corpus in an order of its own: one counter for all would leave out most of it, since
            # multiples of sixteen golden ratios are not spread evenly.
            example = draw(step * rows + row + (slot << SLOT_BITS), length - used)
            if example.is_next is not None:
                cls_index.append(row * length + used)
                follows.append(example.is_next)
            input_ids[row, used] = special.cls
            sequence_ids[row, used] = slot + 1
            used += 1
            for kind, segment in enumerate(example.segments):
                end = used + len(segment) + 1
                input_ids[row, used : end - 1] = segment
                input_ids[row, end - 1] = special.sep
                token_type_ids[row, used:end] = kind
                sequence_ids[row, used:end] = slot + 1
                used = end
    masked, labels = masking.hide(input_ids, rng)
    flat = labels.ravel()
    masked_index = np.flatnonzero(flat != IGNORED)
    return PretrainingBatch(
        input_ids=torch.from_numpy(masked),
        token_type_ids=torch.from_numpy(token_type_ids),
        sequence_ids=torch.from_numpy(sequence_ids),
        labels=torch.from_numpy(flat[masked_index]),
        masked_index=torch.from_numpy(masked_index),
        cls_index=torch.tensor(cls_index) if follows else None,
        next_sentence_label=torch.tensor(follows) if follows else None,
    )
