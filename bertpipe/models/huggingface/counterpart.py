"""Which class of transformers computes what a BERT of ours computes, and how its tensors have to be laid out there.

| positions           | post-norm | pre-norm            |
|---------------------|-----------|---------------------|
| learned, sinusoidal | BERT      | RoBERTa-PreLayerNorm |
| rotary              | RoFormer  | ESM                 |

ModernBERT, which also has rotary positions and pre-norm layers, leaves the first layer's norm out and gates its
feed-forward networks; ESM has neither difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from bertpipe.errors import ConfigError
from bertpipe.models.config import BertConfig
from bertpipe.models.huggingface import names
from bertpipe.models.huggingface.names import is_of_body, their_names
from bertpipe.models.huggingface.weights import flip_classes
from bertpipe.nn.activation import GATED, Activation
from bertpipe.nn.positions import Rotary, rotary_rates, sinusoidal_positions

_ACTIVATIONS: Final[Mapping[Activation, str]] = {
    "gelu": "gelu",
    "gelu_tanh": "gelu_pytorch_tanh",
    "relu": "relu",
    "silu": "silu",
}
_SEGMENTS: Final = "bert.segment_embedding.weight"
_POSITIONS: Final = "bert.position_embedding.weight"
_TOKENS: Final = "bert.token_embedding.weight"


@dataclass(frozen=True)
class Counterpart:
    """A class of transformers.

    Attributes:
        model_type: Its name in ``config.json``.
        class_name: Beginning of the names of its classes.
        prefix: What the names of the body begin with in a model with a head.
        names: Its name by our name of a module.
    """

    model_type: str
    class_name: str
    prefix: str
    names: Mapping[str, str]

    def architecture(self, tensors: Mapping[str, Tensor]) -> str:
        """The class that has the heads that are there."""
        if not any(name.startswith("masked_language.") for name in tensors):
            return f"{self.class_name}Model"
        both = self is BERT and "next_sentence.classifier.weight" in tensors
        return f"{self.class_name}{'ForPreTraining' if both else 'ForMaskedLM'}"


BERT: Final = Counterpart("bert", "Bert", "bert.", names.BERT)
ROBERTA_PRE_NORM: Final = Counterpart(
    "roberta-prelayernorm", "RobertaPreLayerNorm", "roberta_prelayernorm.", names.ROBERTA_PRE_NORM
)
ROFORMER: Final = Counterpart("roformer", "RoFormer", "roformer.", names.ROFORMER)
ESM: Final = Counterpart("esm", "Esm", "esm.", names.ESM)


def counterpart_of(config: BertConfig) -> Counterpart:
    """The class that computes the same.

    Raises:
        ConfigError: There is none.
    """
    if config.positions == "rotary":
        found = ESM if config.norm_first else ROFORMER
    else:
        found = ROBERTA_PRE_NORM if config.norm_first else BERT
    if config.activation in GATED:
        raise ConfigError(
            f"no class of transformers computes what this model computes: activation = {config.activation!r}",
            why="its BERTs with gates are of another layout",
        )
    if config.activation != "gelu" and config.norm_first:
        raise ConfigError(
            f"no class of transformers computes what this model computes: activation = {config.activation!r}",
            why=f"{found.class_name} has an exact GELU, in its head at least",
        )
    return found


def their_config(config: BertConfig, counterpart: Counterpart, mask_id: int | None) -> dict[str, Any]:
    """What ``config.json`` says about a model.

    Args:
        config: The shape.
        counterpart: The class.
        mask_id: Id of the mask piece.
    """
    values: dict[str, Any] = {
        "model_type": counterpart.model_type,
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.inner,
        "hidden_act": _ACTIVATIONS[config.activation],
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "max_position_embeddings": config.max_length + _first_position(config, counterpart),
        "type_vocab_size": 2,
        "initializer_range": 0.02,
        "layer_norm_eps": config.norm_eps,
        "pad_token_id": config.pad_id,
        "bos_token_id": None,
        "eos_token_id": None,
        "tie_word_embeddings": counterpart is not ESM,
    }
    if counterpart is ROFORMER:
        values |= {"embedding_size": config.width, "rotary_value": False}
    elif counterpart is ESM:
        del values["hidden_act"], values["type_vocab_size"]
        values |= {
            "position_embedding_type": "rotary",
            "emb_layer_norm_before": True,
            "token_dropout": False,
            "mask_token_id": mask_id,
        }
    else:
        values["position_embedding_type"] = "absolute"
    return values


def their_tensors(
    config: BertConfig, counterpart: Counterpart, tensors: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of a model as the class names and lays them out.

    Args:
        config: The shape.
        counterpart: The class.
        tensors: As `bertpipe.models.heads.BertForPretraining` names them; heads may be missing.

    Returns:
        Their tensors, and in words what of the model the class has no place for.
    """
    ours = dict(tensors)
    left_out = []
    if config.positions == "sinusoidal":
        ours[_POSITIONS] = sinusoidal_positions(config.max_length, config.width)
    if counterpart is ROBERTA_PRE_NORM:
        unused = torch.zeros(_first_position(config, counterpart), config.width)
        ours[_POSITIONS] = torch.cat([unused, ours[_POSITIONS]])
    elif counterpart is ROFORMER:
        for name in ours:
            if ".attention.query." in name or ".attention.key." in name:
                ours[name] = _interleaved(ours[name], config.heads)
    elif counterpart is ESM:
        left_out += _fold_segments(ours)
    for name in ("next_sentence.classifier.weight", "next_sentence.classifier.bias"):
        if name in ours:
            ours[name] = flip_classes(ours[name])
    if counterpart is not BERT and "next_sentence.classifier.weight" in ours:
        left_out.append("the next-sentence head")
        ours = {name: tensor for name, tensor in ours.items() if not name.startswith("next_sentence.")}
    named = their_names(counterpart.names, ours)
    prefix = "" if counterpart.architecture(tensors).endswith("Model") else counterpart.prefix
    theirs = {(prefix if is_of_body(name) else "") + named[name]: ours[name] for name in named}
    # What follows are constants, and a head about proteins; without them transformers would say that they are missing.
    if counterpart is ROFORMER:
        rotary = Rotary(config.width // config.heads, config.max_length)
        theirs[f"{prefix}encoder.embed_positions.weight"] = torch.cat([rotary.sine, rotary.cosine], dim=1)
    elif counterpart is ESM:
        theirs |= {
            f"{prefix}rotary_embeddings.inv_freq": rotary_rates(config.width // config.heads),
            f"{prefix}contact_head.regression.weight": torch.zeros(1, config.layers * config.heads),
            f"{prefix}contact_head.regression.bias": torch.zeros(1),
        }
        if prefix:
            # The embedding has the first segment in it, the output matrix must not.
            theirs["lm_head.decoder.weight"] = tensors[_TOKENS]
    return theirs, left_out


def _first_position(config: BertConfig, counterpart: Counterpart) -> int:
    """RoBERTa counts positions from one behind the id of padding."""
    return config.pad_id + 1 if counterpart is ROBERTA_PRE_NORM else 0


def _interleaved(tensor: Tensor, heads: int) -> Tensor:
    """Lays out the rows of a query or key map so that the two features of a rotation stand side by side.

    Ours turns feature i with feature i + K / 2 of a head, RoFormer feature 2 i with feature 2 i + 1; the scores, which
    are sums over the features, are the same.
    """
    return tensor.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def _fold_segments(ours: dict[str, Tensor]) -> list[str]:
    """Adds the first segment's vector to every token's, for a class without segments."""
    table = ours.pop(_SEGMENTS)
    ours[_TOKENS] = ours[_TOKENS] + table[0]
    return [] if torch.equal(table[0], table[1]) else ["the second segment"]
