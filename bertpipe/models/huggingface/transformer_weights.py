"""The tensors of an encoder-decoder: from the names and the layout of transformers to ours, and back.

Sinusoidal positions are laid out differently: ours has sines at even and cosines at odd features (Vaswani et al. 2017,
section 3.5), theirs has all sines before all cosines. Nothing else depends on the order of the D features, so putting
them into another order in every tensor changes no result.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from bertpipe.errors import InputError
from bertpipe.models.huggingface.names import TRANSFORMER, their_names
from bertpipe.models.huggingface.transformer_family import TransformerFamily
from bertpipe.models.huggingface.weights import refuse, untie
from bertpipe.models.transformer import Transformer
from bertpipe.models.transformer_config import TransformerConfig
from bertpipe.nn.positions import sinusoidal_positions

PREFIX: Final = "model."
BIAS: Final = "final_logits_bias"
SINUSOIDS: Final = ("encoder.embed_positions.weight", "decoder.embed_positions.weight")
TIED: Final = {
    "lm_head.weight": "shared.weight",
    "encoder.embed_tokens.weight": "shared.weight",
    "decoder.embed_tokens.weight": "shared.weight",
}
# Of a map's weight, the dimension that runs over the D features.
_INPUTS: Final = (".query.weight", ".key.weight", ".value.weight", ".inner.weight", "token_embedding.weight")
_OUTPUTS: Final = (".output.weight", ".output.bias", "norm.weight", "norm.bias")


def our_transformer_tensors(
    family: TransformerFamily, config: TransformerConfig, found: dict[str, Tensor], path: Path
) -> dict[str, Tensor]:
    """The tensors of a published encoder-decoder under our names and in our shapes.

    Args:
        family: The model's family.
        config: Its shape.
        found: What `bertpipe.models.huggingface.weights.read_weights` read; emptied as it goes.
        path: Where that was, for messages.

    Returns:
        Tensors as `bertpipe.models.transformer.Transformer` names them; ``output_bias`` where it is not zero.

    Raises:
        InputError: Tensors are missing, too many or of the wrong shape, or the output matrix is not the embedding.
    """
    theirs = {name.removeprefix(PREFIX): tensor for name, tensor in found.items()}
    found.clear()
    untie(TIED, theirs, path)
    bias = theirs.pop(BIAS, torch.zeros(1, config.vocab_size))
    _expect(BIAS, bias, (1, config.vocab_size), path)
    if family.positions == "sinusoidal":
        _drop_sinusoids(config, theirs, path)
    shapes = transformer_shapes(config)
    named = their_names(TRANSFORMER, shapes)
    refuse(f"{{}} missing of the {len(named)} of such a model", named.values() - theirs.keys(), path)
    refuse("{} not part of such a model", theirs.keys() - named.values(), path)
    tensors = {}
    for ours, name in named.items():
        tensor = theirs.pop(name)
        rows = family.unused_positions if ours.endswith("position_embedding.weight") else 0
        _expect(name, tensor, (shapes[ours][0] + rows, *shapes[ours][1:]), path)
        tensors[ours] = tensor[rows:].clone() if rows else tensor
    if family.positions == "sinusoidal":
        tensors = in_order(tensors, torch.argsort(_halves(config.width)))
    if bias.any():
        tensors["output_bias"] = bias[0].clone()
    return tensors


def their_transformer_tensors(
    family: TransformerFamily, config: TransformerConfig, tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The tensors of an encoder-decoder as a family names them and lays them out.

    Args:
        family: One that computes the same.
        config: The shape.
        tensors: As `bertpipe.models.transformer.Transformer` names them.
    """
    ours = dict(tensors)
    bias = ours.pop("output_bias", torch.zeros(config.vocab_size))
    if family.positions == "sinusoidal":
        ours = in_order(ours, _halves(config.width))
    else:
        for name in ("encoder.position_embedding.weight", "decoder.position_embedding.weight"):
            ours[name] = torch.cat([torch.zeros(family.unused_positions, config.width), ours[name]])
    named = their_names(TRANSFORMER, ours)
    theirs = {PREFIX + named[name]: tensor for name, tensor in ours.items()}
    if family.positions == "sinusoidal":
        # A constant; without it transformers might say that it is missing.
        table = sinusoidal_positions(config.max_length, config.width)[:, _halves(config.width)]
        theirs |= {PREFIX + name: table.clone() for name in SINUSOIDS}
    return {**theirs, BIAS: bias[None]}


def in_order(tensors: Mapping[str, Tensor], order: Tensor) -> dict[str, Tensor]:
    """Tensors of a Transformer with its D features in another order, which computes the same.

    Args:
        tensors: As `bertpipe.models.transformer.Transformer` names them, without an output bias.
        order: (D,), the number of the feature that comes to each place.
    """
    ordered = {}
    for name, tensor in tensors.items():
        if name.endswith(_INPUTS):
            ordered[name] = tensor[:, order]
        elif name.endswith(_OUTPUTS):
            ordered[name] = tensor[order]
        else:
            # Biases of queries, keys, values and inner features, which are not the D features.
            ordered[name] = tensor
    return ordered


def transformer_shapes(config: TransformerConfig) -> dict[str, tuple[int, ...]]:
    """The tensors of a Transformer without its output bias, without making them."""
    with torch.device("meta"):
        model = Transformer(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    shapes.pop("output_bias", None)
    return shapes


def _halves(width: int) -> Tensor:
    """(D,), our features in their order: the sines' places, which are even, then the cosines'."""
    return torch.cat([torch.arange(0, width, 2), torch.arange(1, width, 2)])


def _drop_sinusoids(config: TransformerConfig, theirs: dict[str, Tensor], path: Path) -> None:
    """Takes a stored table of positions away, if it is the one that it should be."""
    for name in SINUSOIDS:
        if name not in theirs:
            continue
        table = theirs.pop(name)
        _expect(name, table, (config.max_length, config.width), path)
        expected = sinusoidal_positions(config.max_length, config.width)[:, _halves(config.width)]
        if not torch.allclose(table, expected, atol=1e-3):
            raise InputError(
                f"tensor {name} is no table of sinusoids", path=path, why="such a model learns no positions"
            )


def _expect(name: str, tensor: Tensor, shape: tuple[int, ...], path: Path) -> None:
    if tuple(tensor.shape) != shape:
        raise InputError(
            f"tensor {name} has the shape {tuple(tensor.shape)}",
            path=path,
            why=f"by config.json it should be {shape}",
        )
