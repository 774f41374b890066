"""A batch of source and target sequences."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class SequenceBatch:
    """Sources, and the targets that a decoder learns to write.

    Attributes:
        src_ids: int64 (B, S), padded on the right.
        src_mask: Boolean (B, S), False at padding.
        tgt_ids: int64 (B, T), what the decoder reads: the start piece, y1 ... yn, then padding.
        labels: int64 (B, T), what it has to write: y1 ... yn, the end piece, then -100.
    """

    src_ids: Tensor
    src_mask: Tensor
    tgt_ids: Tensor
    labels: Tensor

    @property
    def num_tokens(self) -> int:
        """Tokens of both sides, without padding."""
        return int(self.src_mask.sum()) + int((self.labels >= 0).sum())

    def to(self, device: torch.device) -> SequenceBatch:
        """The batch on another device; Lightning calls this."""
        return SequenceBatch(*(getattr(self, field.name).to(device) for field in fields(self)))
