"""Learning rates that fall from a BERT's top to its bottom, and layers that do not learn."""

from __future__ import annotations

from bertpipe.errors import ConfigError
from bertpipe.models.bert import Bert

EMBEDDINGS = ("token_embedding.", "segment_embedding.", "position_embedding.", "embedding_norm.")


def layer_scales(layers: int, decay: float, prefix: str) -> dict[str, float]:
    """Factors on the learning rate by the beginnings of parameters' names.

    The lower a layer, the more general what it does, and the less it should change (Howard and Ruder 2018, section 3.2,
    "discriminative fine-tuning"; Clark et al. 2020, ELECTRA, appendix B).

    Args:
        layers: Number of layers.
        decay: The rate of a layer, as a share of the rate of the one above it; 1 leaves all rates alike.
        prefix: Where the BERT is in the module: "model.bert.".

    Returns:
        For `bertpipe.training.optimizer.adamw_with_warmup`. The top layer has ``decay``, what is above it 1.
    """
    if decay == 1.0:
        return {}
    scales = {f"{prefix}layers.{layer}.": decay ** (layers - layer) for layer in range(layers)}
    return scales | {f"{prefix}{part}": decay ** (layers + 1) for part in EMBEDDINGS}


def freeze(bert: Bert, count: int) -> None:
    """Keeps a BERT's lowest layers as they are.

    Args:
        bert: Its parameters are marked.
        count: 0: all learn; 1: the embeddings do not; 2: nor does the first layer; and so on.

    Raises:
        ConfigError: It has fewer layers.
    """
    layers = bert.config.layers
    if count > layers + 1:
        raise ConfigError(
            f"freeze = {count} is more than there is", why=f"the model has embeddings and {layers} layers"
        )
    frozen = ([*(f"layers.{layer}." for layer in range(count - 1)), *EMBEDDINGS]) if count else []
    for name, parameter in bert.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(frozen)))
