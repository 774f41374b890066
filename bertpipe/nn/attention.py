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
        scores = scores + torch.where(mask, 0.0, float("-inf")).to(scores.dtype)
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
        *,
        causal: bool = False,
    ) -> Tensor:
        """Lets every position of ``x`` gather from ``memory``, or from ``x`` itself.

        Args:
            x: (B, T, D).
            memory: (B, S, D); self-attention if left out.
            mask: Boolean, broadcastable to (B, H, T, S); True where a query may look at a key.
            rotary: Turns queries and keys by their positions, if given.
            position_ids: (B, T), needed with ``rotary``.
            causal: Lets every position look at itself and what is before it; instead of a mask.

        Returns:
            (B, T, D).
        """
        key, value = self.keys_values(x if memory is None else memory, rotary, position_ids)
        return self.attend(x, key, value, mask, rotary, position_ids, causal=causal)

    def keys_values(
        self, source: Tensor, rotary: Rotary | None = None, position_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """What a decoder keeps of the positions that are looked at, so as to compute it once.

        Args:
            source: (B, S, D).
            rotary: Turns the keys by their positions, if given.
            position_ids: (B, S), needed with ``rotary``.

        Returns:
            Keys and values, each (B, H, S, K).
        """
        key = self._split(self.key(source))
        return (key if rotary is None else rotary(key, position_ids)), self._split(self.value(source))

    def attend(
        self,
        x: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None = None,
        rotary: Rotary | None = None,
        position_ids: Tensor | None = None,
        *,
        causal: bool = False,
    ) -> Tensor:
        """Lets every position of ``x`` gather from keys and values computed before.

        Args:
            x: (B, T, D).
            key: (B, H, S, K).
            value: (B, H, S, K).
            mask: As in `forward`.
            rotary: As in `forward`.
            position_ids: (B, T), needed with ``rotary``.
            causal: As in `forward`.

        Returns:
            (B, T, D).
        """
        query = self._split(self.query(x))  # (B, H, T, K)
        if rotary is not None:
            query = rotary(query, position_ids)
        dropout = self.dropout if self.training else 0.0
        # The backward pass of PyTorch's fused kernel is up to five times slower here, and no faster up to T = 512.
        slow = query.device.type == "cpu" and query.dtype == torch.bfloat16 and torch.is_grad_enabled() and not dropout
        # In a graph the fused kernel becomes more steps than the equation has: it looks for rows that see nothing.
        if slow or torch.compiler.is_exporting():
            if causal:
                mask = torch.ones(query.size(2), key.size(2), dtype=torch.bool).tril()
            mixed = reference_attention(query, key, value, mask)
        else:
            mixed = functional.scaled_dot_product_attention(
                query, key, value, attn_mask=mask, dropout_p=dropout, is_causal=causal
            )
        return self.output(mixed.transpose(1, 2).flatten(2))  # (B, T, D)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, T, D) -> (B, H, T, K)
