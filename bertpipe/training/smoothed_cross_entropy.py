"""Cross-entropy over a large vocabulary without keeping the logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

# Logits of a chunk stay in the processor's cache: 2^21 floats are 8 MB.
CHUNK_LOGITS = 1 << 21


def smoothed_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, smoothing: float = 0.0
) -> Tensor:
    """The mean cross-entropy of labels under softmax(hidden weight^T + bias), with smoothed labels.

    The same as `torch.nn.functional.cross_entropy` of the logits. Logits and their gradient are made chunk by chunk
    and forgotten: they are the largest tensors of a small model's training by far, and moving them through memory
    takes longer than computing them.

    Args:
        hidden: (N, D).
        weight: (V, D).
        bias: (V,), or None.
        labels: int64 (N,), none of them ignored.
        smoothing: Share of a label's probability that is spread over the vocabulary (Szegedy et al. 2016, section 7).

    Returns:
        A scalar, in nats.
    """
    kind = hidden.device.type
    if torch.is_autocast_enabled(kind):
        hidden = hidden.to(torch.get_autocast_dtype(kind))
    # Inside of the function autograd is always off, and what needs a gradient does so even where none is asked for.
    loss: Tensor = _SmoothedCrossEntropy.apply(hidden, weight, bias, labels, smoothing, torch.is_grad_enabled())
    return loss


class _SmoothedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, smoothing: float, learning: bool
    ) -> Tensor:
        rows, vocabulary = labels.numel(), weight.size(0)
        matrix = weight.to(hidden.dtype)
        needs_gradient = learning and any(ctx.needs_input_grad)
        hidden_gradient = torch.empty_like(hidden)
        weight_gradient = torch.zeros_like(weight)
        bias_gradient = None if bias is None else torch.zeros_like(bias)
        total = weight.new_zeros(())
        size = max(1, CHUNK_LOGITS // vocabulary)
        for start in range(0, rows, size):
            part, wanted = hidden[start : start + size], labels[start : start + size, None]
            logits = functional.linear(part, matrix).float()  # (n, V)
            if bias is not None:
                logits += bias
            peak = logits.max(dim=1, keepdim=True).values
            logits -= peak
            chosen = logits.gather(1, wanted).sum()
            mean = logits.sum() / vocabulary if smoothing else 0.0
            normaliser = logits.exp_().sum(dim=1, keepdim=True)  # (n, 1); the logits are gone now
            total += normaliser.log().sum() - (1 - smoothing) * chosen - smoothing * mean
            if not needs_gradient:
                continue
            # The gradient of the logits: softmax - smoothed labels, over the number of rows.
            gradient = logits.div_(normaliser)
            if smoothing:
                gradient -= smoothing / vocabulary
            gradient.scatter_add_(1, wanted, gradient.new_full(wanted.shape, smoothing - 1))
            if bias_gradient is not None:
                bias_gradient += gradient.sum(dim=0)
            narrow = gradient.to(hidden.dtype)
            hidden_gradient[start : start + size] = narrow @ matrix
            weight_gradient += narrow.T @ part
        ctx.save_for_backward(hidden_gradient, weight_gradient, bias_gradient)
        ctx.rows = rows
        return total / rows

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None, None, None]:
        hidden, weight, bias = ctx.saved_tensors
        scale = gradient / ctx.rows
        bias = None if bias is None else bias * scale
        return hidden * scale.to(hidden.dtype), weight * scale, bias, None, None, None
