"""BERT (Devlin et al. 2019): embeddings and a stack of encoder layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bertpipe.models.config import BertConfig
from bertpipe.nn.dropout import Dropout
from bertpipe.nn.layers import EncoderLayer
from bertpipe.nn.positions import Rotary, sinusoidal_positions


class Bert(nn.Module):
    """The bidirectional encoder, without any head.

    Args:
        config: Its shape.
    """

    position_table: Tensor

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.width, padding_idx=config.pad_id)
        self.segment_embedding = nn.Embedding(2, config.width)
        self.position_embedding: nn.Embedding | None = None
        self.rotary: Rotary | None = None
        if config.positions == "learned":
            self.position_embedding = nn.Embedding(config.max_length, config.width)
        elif config.positions == "sinusoidal":
            table = sinusoidal_positions(config.max_length, config.width)
            self.register_buffer("position_table", table, persistent=False)
        else:
            self.rotary = Rotary(config.width // config.heads, config.max_length)
        self.embedding_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.embedding_dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(
                config.width,
                config.heads,
                config.inner,
                config.dropout,
                norm_first=config.norm_first,
                norm_eps=config.norm_eps,
                activation=config.activation,
            )
            for _ in range(config.layers)
        )
        # A post-norm stack ends normalised; a pre-norm stack needs a norm of its own at the end.
        self.final_norm = nn.LayerNorm(config.width, eps=config.norm_eps) if config.norm_first else nn.Identity()
        self.apply(initialise)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """Computes a vector for every token.

        Args:
            input_ids: (B, T).
            attention_mask: (B, T) with 0 at padding, or boolean (B, 1, T, T), True where a token may look at
                another (see `bertpipe.nn.packing`). Everything is seen if left out.
            token_type_ids: (B, T), 0 for the first and 1 for the second segment; all 0 if left out.
            position_ids: (B, T); 0, 1, 2 ... if left out.

        Returns:
            Hidden states (B, T, D).
        """
        if token_type_ids is None:
            token_type_ids = torch.zeros_like(input_ids)
        if position_ids is None:
            position_ids = torch.arange(input_ids.size(1), device=input_ids.device).expand_as(input_ids)
        mask = attention_mask
        if mask is not None and mask.dim() == 2:
            mask = mask[:, None, None, :].bool()  # (B, 1, 1, T)
        x = self.token_embedding(input_ids) + self.segment_embedding(token_type_ids)  # (B, T, D)
        if self.position_embedding is not None:
            x = x + self.position_embedding(position_ids)
        elif self.rotary is None:
            x = x + self.position_table[position_ids]
        x = self.embedding_dropout(self.embedding_norm(x))
        for layer in self.layers:
            x = layer(x, mask, self.rotary, position_ids)
        return self.final_norm(x)

    @torch.no_grad()
    def start_from(self, token_vectors: Tensor) -> None:
        """Starts from token vectors that already mean something, and from layers that do nothing yet.

        Every residual branch starts at zero, so that the first forward pass returns the normalised embeddings and
        training adds context to them step by step.

        Args:
            token_vectors: (V, D).
        """
        self.token_embedding.weight.copy_(token_vectors)
        self.token_embedding.weight[self.config.pad_id].zero_()
        for layer in self.layers:
            assert isinstance(layer, EncoderLayer)
            for branch in (layer.attention.output, layer.feed_forward.output):
                nn.init.zeros_(branch.weight)
                nn.init.zeros_(branch.bias)


def initialise(module: nn.Module) -> None:
    """Weights from a normal distribution of deviation 0.02, biases zero, as in BERT's published code."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            with torch.no_grad():
                module.weight[module.padding_idx].zero_()
