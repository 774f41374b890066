"""What a decoder has to write first, and what it never may."""

from __future__ import annotations

from torch import Tensor

from bertpipe.models.transformer_config import TransformerConfig


def force(scores: Tensor, config: TransformerConfig, place: int) -> None:
    """Makes the pieces impossible that a decoder may not write at a place.

    Args:
        scores: (R, V), logits or log-probabilities, changed in place.
        config: Names the pieces.
        place: Pieces written so far.
    """
    if config.forbidden_ids:
        scores[:, list(config.forbidden_ids)] = float("-inf")
    if place == 0 and config.first_id is not None:
        scores.fill_(float("-inf"))
        scores[:, config.first_id] = 0.0
