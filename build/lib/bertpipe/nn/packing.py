"""Several short sequences in one row, kept apart by a mask: little compute goes to padding.

A packed row is described by ``sequence_ids``: 0 for padding, 1 for the tokens of the row's first sequence, 2 for
the second, and so on (Krell et al. 2021, "Efficient sequence packing without cross-contamination").
"""

from __future__ import annotations

import torch
from torch import Tensor


def attention_mask_of(sequence_ids: Tensor) -> Tensor:
    """Lets a token look at the tokens of its own sequence.

    Padding looks at padding, since a row of a softmax with nothing to look at would be NaN.

    Args:
        sequence_ids: (B, T).

    Returns:
        Boolean (B, 1, T, T).
    """
    return (sequence_ids[:, None, :, None] == sequence_ids[:, None, None, :]).contiguous()


def position_ids_of(sequence_ids: Tensor) -> Tensor:
    """Counts positions from 0 at the start of every sequence.

    Args:
        sequence_ids: (B, T), each sequence contiguous.

    Returns:
        (B, T) int64.
    """
    index = torch.arange(sequence_ids.size(1), device=sequence_ids.device).expand_as(sequence_ids)  # (B, T)
    starts = torch.ones_like(sequence_ids, dtype=torch.bool)
    starts[:, 1:] = sequence_ids[:, 1:] != sequence_ids[:, :-1]
    return index - torch.where(starts, index, 0).cummax(dim=1).values
