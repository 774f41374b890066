"""Scaled dot-product and multi-head attention (Vaswani et al. 2017, section 3.2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from bertpipe.nn.positions import Rotary


def reference_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention as the paper writes it: softmax(Q K^T / sqrt(d_k)) V, equation 1.

    The models use PyTorch's fused kernel, which computes the same; this is the version to read and to test against.

    Args:
        query: (B, H, T, K).
        key: (B, H, S, K).
        value: (B, H, S, K).
        mask: Boolean, broadcastable to (B, H, T, S); True where a query may look at a key.

    Returns:
        (B, H, T, K).
    """
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.size(-1))  # (B, H, T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1) @ value  # (B, H, T, K)


class MultiHeadAttention(nn.Module):
    """H attentions side by side in subspaces of the model's width (Vaswani et al. 2017, section 3.2.2).

    Args:
        width: D, the width of inputs and outputs.
        heads: H; must divide ``width``.
        dropout: Probability with which an attention weight is dropped in training.

    Raises:
        ValueError: ``heads`` does not divide ``width``.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        rotary: Rotary | None = None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """Lets every position of ``x`` gather from ``memory``, or from ``x`` itself.

        Args:
            x: (B, T, D).
            memory: (B, S, D); self-attention if left out.
            mask: Boolean, broadcastable to (B, H, T, S); True where a query may look at a key.
            rotary: Turns queries and keys by their positions, if given.
            position_ids: (B, T), needed with ``rotary``.

        Returns:
            (B, T, D).
        """
        source = x if memory is None else memory
        query = self._split(self.query(x))  # (B, H, T, K)
        key = self._split(self.key(source))  # (B, H, S, K)
        value = self._split(self.value(source))  # (B, H, S, K)
        if rotary is not None:
            query, key = rotary(query, position_ids), rotary(key, position_ids)
        dropout = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        return self.output(mixed.transpose(1, 2).flatten(2))  # (B, T, D)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, T, D) -> (B, H, T, K)
