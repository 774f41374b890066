"""The encoder layer: attention and a feed-forward network, each in a residual branch."""

from __future__ import annotations

from torch import Tensor, nn

from bertpipe.nn.activation import Activation, activation_module
from bertpipe.nn.attention import MultiHeadAttention
from bertpipe.nn.positions import Rotary


class FeedForward(nn.Module):
    """Two linear maps with a non-linearity between, at each position alone (Vaswani et al. 2017, section 3.3).

    Args:
        width: D.
        inner: Width between the two maps; BERT uses 4 D.
        dropout: Probability with which an inner feature is dropped in training.
        activation: The non-linearity; BERT's is "gelu".
    """

    def __init__(self, width: int, inner: int, dropout: float = 0.0, activation: Activation = "gelu") -> None:
        super().__init__()
        self.inner = nn.Linear(width, inner)
        self.activation = activation_module(activation)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        return self.output(self.dropout(self.activation(self.inner(x))))


class EncoderLayer(nn.Module):
    """One Transformer encoder layer.

    Args:
        width: D.
        heads: H; must divide ``width``.
        inner: Width of the feed-forward network.
        dropout: Probability for attention weights, inner features and branch outputs.
        norm_first: False normalises after each residual sum, as BERT and the original Transformer do; True
            normalises each branch's input, which trains deep models more steadily (Xiong et al. 2020).
        norm_eps: Epsilon of the layer norms.
        activation: The non-linearity of the feed-forward network.

    Raises:
        ValueError: ``heads`` does not divide ``width``.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        inner: int,
        dropout: float = 0.1,
        *,
        norm_first: bool = False,
        norm_eps: float = 1e-12,
        activation: Activation = "gelu",
    ) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(width, heads, dropout)
        self.attention_norm = nn.LayerNorm(width, eps=norm_eps)
        self.feed_forward = FeedForward(width, inner, dropout, activation)
        self.feed_forward_norm = nn.LayerNorm(width, eps=norm_eps)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        rotary: Rotary | None = None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """Mixes the positions, then transforms each.

        Args:
            x: (B, T, D).
            mask: Boolean, broadcastable to (B, H, T, T); True where a position may look at another.
            rotary: Rotary positions, if the model uses them.
            position_ids: (B, T), needed with ``rotary``.

        Returns:
            (B, T, D).
        """
        if self.norm_first:
            x = x + self.dropout(self.attention(self.attention_norm(x), None, mask, rotary, position_ids))
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(x + self.dropout(self.attention(x, None, mask, rotary, position_ids)))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))
