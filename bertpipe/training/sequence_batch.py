"""A batch for the encoder-decoder: what it reads, and what it is to write."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from bertpipe.training.masking import IGNORED


@dataclass(frozen=True)
class SequenceBatch:
    """B sources and their B targets, padded on the right.

    Attributes:
        src_ids: int64 (B, S), the sources.
        src_mask: bool (B, S), False at padding.
        tgt_ids: int64 (B, T), what the decoder reads: start_id, y1 ... yn, then padding.
        labels: int64 (B, T), what it is to say next: y1 ... yn, end_id, then -100.
    """

    src_ids: Tensor
    src_mask: Tensor
    tgt_ids: Tensor
    labels: Tensor

    @property
    def num_tokens(self) -> int:
        """Tokens of targets and sources without padding."""
        return int((self.labels != IGNORED).sum()) + int(self.src_mask.sum())

    def to(self, device: torch.device) -> SequenceBatch:
        """The batch on another device; Lightning calls this."""
        return SequenceBatch(*(getattr(self, field.name).to(device) for field in fields(self)))
