"""Encoder and decoder layers: attention and a feed-forward network, each in a residual branch."""

from __future__ import annotations

from torch import Tensor, nn

from bertpipe.nn.activation import GATED, Activation, activation_module
from bertpipe.nn.attention import MultiHeadAttention
from bertpipe.nn.cache import LayerCache
from bertpipe.nn.dropout import Dropout
from bertpipe.nn.positions import Rotary


class FeedForward(nn.Module):
    """Two linear maps with a non-linearity between, at each position alone (Vaswani et al. 2017, section 3.3).

    Args:
        width: D.
        inner: Width between the two maps; BERT uses 4 D.
        dropout: Probability with which an inner feature is dropped in training.
        activation: "gelu", as BERT has it, or another.

    Raises:
        ValueError: There is no such activation.
    """

    def __init__(self, width: int, inner: int, dropout: float = 0.0, activation: Activation = "gelu") -> None:
        super().__init__()
        self.inner = nn.Linear(width, 2 * inner if activation in GATED else inner)
        self.activation = activation_module(activation)
        self.dropout = Dropout(dropout)
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
        dropout: Probability for branch outputs.
        norm_first: False normalises after each residual sum, as BERT and the original Transformer do; True
            normalises each branch's input, which trains deep models more steadily (Xiong et al. 2020).
        norm_eps: Epsilon of the layer norms.
        activation: See `FeedForward`.
        attention_dropout: Probability for attention weights; ``dropout`` if left out.
        inner_dropout: Probability for the feed-forward network's inner features; ``dropout`` if left out.

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
        attention_dropout: float | None = None,
        inner_dropout: float | None = None,
    ) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(width, heads, dropout if attention_dropout is None else attention_dropout)
        self.attention_norm = nn.LayerNorm(width, eps=norm_eps)
        inner_dropout = dropout if inner_dropout is None else inner_dropout
        self.feed_forward = FeedForward(width, inner, inner_dropout, activation)
        self.feed_forward_norm = nn.LayerNorm(width, eps=norm_eps)
        self.dropout = Dropout(dropout)
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


class DecoderLayer(nn.Module):
    """One Transformer decoder layer: attention to what was written, to the source, then a feed-forward network.

    Args:
        width: D.
        heads: H; must divide ``width``.
        inner: Width of the feed-forward network.
        dropout: Probability for branch outputs.
        norm_first: As in `EncoderLayer`.
        norm_eps: Epsilon of the layer norms.
        activation: See `FeedForward`.
        attention_dropout: Probability for attention weights; ``dropout`` if left out.
        inner_dropout: Probability for the feed-forward network's inner features; ``dropout`` if left out.

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
        attention_dropout: float | None = None,
        inner_dropout: float | None = None,
    ) -> None:
        super().__init__()
        attention_dropout = dropout if attention_dropout is None else attention_dropout
        self.attention = MultiHeadAttention(width, heads, attention_dropout)
        self.attention_norm = nn.LayerNorm(width, eps=norm_eps)
        self.cross_attention = MultiHeadAttention(width, heads, attention_dropout)
        self.cross_attention_norm = nn.LayerNorm(width, eps=norm_eps)
        inner_dropout = dropout if inner_dropout is None else inner_dropout
        self.feed_forward = FeedForward(width, inner, inner_dropout, activation)
        self.feed_forward_norm = nn.LayerNorm(width, eps=norm_eps)
        self.dropout = Dropout(dropout)
        self.norm_first = norm_first

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        memory_mask: Tensor | None = None,
        rotary: Rotary | None = None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """Computes all target positions at once, each from itself and those before it.

        Args:
            x: (B, T, D).
            memory: (B, S, D), what the encoder made of the source.
            memory_mask: Boolean, broadcastable to (B, H, T, S); True where a position may look at the source.
            rotary: Rotary positions, if the model uses them.
            position_ids: (B, T), needed with ``rotary``.

        Returns:
            (B, T, D).
        """
        if self.norm_first:
            normed = self.attention_norm(x)
            x = x + self.dropout(self.attention(normed, None, None, rotary, position_ids, causal=True))
            x = x + self.dropout(self.cross_attention(self.cross_attention_norm(x), memory, memory_mask))
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(x + self.dropout(self.attention(x, None, None, rotary, position_ids, causal=True)))
        x = self.cross_attention_norm(x + self.dropout(self.cross_attention(x, memory, memory_mask)))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))

    def step(
        self,
        x: Tensor,
        cache: LayerCache,
        memory_mask: Tensor | None = None,
        rotary: Rotary | None = None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """Computes the next position of every sequence that is being written; no dropout.

        Several sequences may be written for one source, as a beam search does: R = B N rows, the N of a source side by
        side. They look at one copy of their source.

        Args:
            x: (R, 1, D), the newest position.
            cache: Of this layer; gets the newest position.
            memory_mask: Boolean (B, 1, 1, S); True where a source has a token.
            rotary: Rotary positions, if the model uses them.
            position_ids: (R, 1), needed with ``rotary``.

        Returns:
            (R, 1, D).
        """
        if self.norm_first:
            x = x + self._attend_step(self.attention_norm(x), cache, rotary, position_ids)
            x = x + self._cross_step(self.cross_attention_norm(x), cache, memory_mask)
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self._attend_step(x, cache, rotary, position_ids))
        x = self.cross_attention_norm(x + self._cross_step(x, cache, memory_mask))
        return self.feed_forward_norm(x + self.feed_forward(x))

    def _attend_step(self, x: Tensor, cache: LayerCache, rotary: Rotary | None, position_ids: Tensor | None) -> Tensor:
        key, value = cache.extend(*self.attention.keys_values(x, rotary, position_ids))
        return self.attention.attend(x, key, value, None, rotary, position_ids)

    def _cross_step(self, x: Tensor, cache: LayerCache, memory_mask: Tensor | None) -> Tensor:
        sources = cache.memory_key.size(0)
        # The sequences of one source become query positions of one row.
        grouped = x.reshape(sources, -1, x.size(-1))  # (B, N, D)
        gathered = self.cross_attention.attend(grouped, cache.memory_key, cache.memory_value, memory_mask)
        return gathered.reshape(x.shape)
