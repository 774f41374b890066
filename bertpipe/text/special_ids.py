"""The pieces that no text is made of: padding, the unknown, the two ends, the mask."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SpecialIds:
    """A tokenizer's ids of its special pieces."""

    pad: int
    unk: int
    cls: int
    sep: int
    mask: int
