"""Dropout that does not wait for random numbers (Srivastava et al. 2014)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 256


class Dropout(nn.Module):
    """Sets features to zero at random in training, and scales the rest so that their expectation stays.

    On a CPU PyTorch's own dropout draws a number of full precision for every feature, which takes longer than the
    matrix products of a small model. Here eight features share 64 random bits, so that ``probability`` is rounded to
    a multiple of 1/256. Elsewhere PyTorch's kernel is used.

    Args:
        probability: Share of the features to drop, from 0 to below 1.

    Raises:
        ValueError: ``probability`` is out of that range.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        if not 0 <= probability < 1:
            raise ValueError(f"a dropout of {probability} is not from 0 to below 1")
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        if not self.training or self.probability == 0:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.probability)
        return _Dropped.apply(x, min(LEVELS - 1, round(self.probability * LEVELS)))

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"{self.probability}"


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dropped: int) -> Tensor:
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= dropped
        scale = kept.to(x.dtype).mul_(LEVELS / (LEVELS - dropped))
        ctx.save_for_backward(scale)
        return x * scale

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (scale,) = ctx.saved_tensors
        return gradient * scale, None
