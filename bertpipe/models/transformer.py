"""The encoder-decoder Transformer (Vaswani et al. 2017)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from bertpipe.models.transformer_config import TransformerConfig
from bertpipe.nn.cache import DecoderCache, LayerCache
from bertpipe.nn.dropout import Dropout
from bertpipe.nn.layers import DecoderLayer, EncoderLayer
from bertpipe.nn.positions import Rotary, sinusoidal_positions


class Stack(nn.Module):
    """What the encoder and the decoder have in common: token vectors become position-aware ones.

    Args:
        config: The Transformer's.
    """

    position_table: Tensor
    layers: nn.ModuleList

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.position_embedding: nn.Embedding | None = None
        self.rotary: Rotary | None = None
        if config.positions == "learned":
            self.position_embedding = nn.Embedding(config.max_length, config.width)
        elif config.positions == "sinusoidal":
            table = sinusoidal_positions(config.max_length, config.width)
            self.register_buffer("position_table", table, persistent=False)
        else:
            self.rotary = Rotary(config.width // config.heads, config.max_length)
        norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.embedding_norm = norm if config.embedding_norm else nn.Identity()
        self.dropout = Dropout(config.dropout)
        # A post-norm stack ends normalised; a pre-norm stack needs a norm of its own at the end.
        self.final_norm = nn.LayerNorm(config.width, eps=config.norm_eps) if config.norm_first else nn.Identity()

    def embed(self, vectors: Tensor, position_ids: Tensor) -> Tensor:
        """Adds positions to token vectors.

        Args:
            vectors: (B, T, D).
            position_ids: (B, T) or (T,).

        Returns:
            (B, T, D).
        """
        if self.position_embedding is not None:
            vectors = vectors + self.position_embedding(position_ids)
        elif self.rotary is None:
            vectors = vectors + self.position_table[position_ids]
        return self.dropout(self.embedding_norm(vectors))


class TransformerEncoder(Stack):
    """The encoder's layers.

    Args:
        config: The Transformer's.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.layers = nn.ModuleList(
            EncoderLayer(
                config.width,
                config.heads,
                config.inner,
                config.dropout,
                norm_first=config.norm_first,
                norm_eps=config.norm_eps,
                activation=config.activation,
                attention_dropout=config.attention_dropout,
                inner_dropout=config.inner_dropout,
            )
            for _ in range(config.encoder_layers)
        )

    def forward(self, vectors: Tensor, mask: Tensor | None) -> Tensor:
        """(B, S, D) and a boolean mask (B, 1, 1, S) -> memory (B, S, D)."""
        position_ids = torch.arange(vectors.size(1), device=vectors.device).expand(vectors.size(0), -1)
        x = self.embed(vectors, position_ids)
        for layer in self.layers:
            x = layer(x, mask, self.rotary, position_ids)
        return self.final_norm(x)


class TransformerDecoder(Stack):
    """The decoder's layers.

    Args:
        config: The Transformer's.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.layers = nn.ModuleList(
            DecoderLayer(
                config.width,
                config.heads,
                config.inner,
                config.dropout,
                norm_first=config.norm_first,
                norm_eps=config.norm_eps,
                activation=config.activation,
                attention_dropout=config.attention_dropout,
                inner_dropout=config.inner_dropout,
            )
            for _ in range(config.decoder_layers)
        )

    def forward(self, vectors: Tensor, memory: Tensor, memory_mask: Tensor | None) -> Tensor:
        """(B, T, D), memory (B, S, D) and a boolean mask (B, 1, 1, S) -> (B, T, D), all positions at once."""
        position_ids = torch.arange(vectors.size(1), device=vectors.device).expand(vectors.size(0), -1)
        x = self.embed(vectors, position_ids)
        for layer in self.layers:
            x = layer(x, memory, memory_mask, self.rotary, position_ids)
        return self.final_norm(x)

    def step(self, vectors: Tensor, cache: DecoderCache) -> Tensor:
        """(R, 1, D), the newest tokens -> (R, 1, D); the cache gets the newest position."""
        position_ids = torch.full((vectors.size(0), 1), cache.length, device=vectors.device)
        x = self.embed(vectors, position_ids)
        for layer, layer_cache in zip(self.layers, cache.layers, strict=True):
            assert isinstance(layer, DecoderLayer)
            x = layer.step(x, layer_cache, cache.memory_mask, self.rotary, position_ids)
        return self.final_norm(x)


class Transformer(nn.Module):
    """The encoder-decoder with its embedding, which is also its output matrix.

    Args:
        config: Its shape.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.width, padding_idx=config.pad_id)
        self.encoder = TransformerEncoder(config)
        self.decoder = TransformerDecoder(config)
        self.output_bias = nn.Parameter(torch.zeros(config.vocab_size)) if config.output_bias else None
        self._scale = math.sqrt(config.width) if config.scale_embedding else 1.0
        self.apply(_initialise)
        with torch.no_grad():
            nn.init.normal_(self.token_embedding.weight, std=1 / self._scale if config.scale_embedding else 0.02)
            self.token_embedding.weight[config.pad_id].zero_()

    def forward(self, src_ids: Tensor, tgt_ids: Tensor, src_mask: Tensor | None = None) -> Tensor:
        """Scores every next piece of the targets.

        Args:
            src_ids: (B, S).
            tgt_ids: (B, T), each starting with ``start_id``; padding may follow.
            src_mask: (B, S), 0 or False at padding; everything is seen if left out.

        Returns:
            Logits (B, T, V); those at position t are for the piece at t + 1.
        """
        return self.score(self.hidden(src_ids, tgt_ids, src_mask))

    def hidden(self, src_ids: Tensor, tgt_ids: Tensor, src_mask: Tensor | None = None) -> Tensor:
        """The decoder's states (B, T, D), which `score` turns into the logits of `forward`."""
        memory, memory_mask = self.encode(src_ids, src_mask)
        return self.decoder(self.embed(tgt_ids), memory, memory_mask)

    def encode(self, src_ids: Tensor, src_mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Reads the sources.

        Args:
            src_ids: (B, S).
            src_mask: As in `forward`.

        Returns:
            Memory (B, S, D), and the mask as the decoder wants it: boolean (B, 1, 1, S), or None.
        """
        mask = None if src_mask is None else src_mask[:, None, None, :].bool()
        return self.encoder(self.embed(src_ids), mask), mask

    def start(self, memory: Tensor, memory_mask: Tensor | None) -> DecoderCache:
        """Prepares the writing of targets, one piece after the other.

        Args:
            memory: (B, S, D), from `encode`.
            memory_mask: (B, 1, 1, S), from `encode`.
        """
        layers = []
        for layer in self.decoder.layers:
            assert isinstance(layer, DecoderLayer)
            layers.append(LayerCache(*layer.cross_attention.keys_values(memory)))
        return DecoderCache(layers, memory_mask)

    def step(self, newest: Tensor, cache: DecoderCache) -> Tensor:
        """Scores the piece after the newest one.

        Args:
            newest: (R,), the last piece of every sequence that is being written; the sequences of a source are
                neighbours.
            cache: From `start`; gets the newest position.

        Returns:
            Logits (R, V).
        """
        return self.score(self.decoder.step(self.embed(newest[:, None]), cache)[:, 0])

    def embed(self, ids: Tensor) -> Tensor:
        """(B, T) -> token vectors (B, T, D), without positions."""
        return self.token_embedding(ids) * self._scale

    def score(self, hidden: Tensor) -> Tensor:
        """(..., D) -> logits (..., V)."""
        return functional.linear(hidden, self.token_embedding.weight, self.output_bias)


def _initialise(module: nn.Module) -> None:
    # Glorot and Bengio 2010, as in the original Transformer's published code.
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
