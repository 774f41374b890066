"""The families of published models that can be read, and how each writes down its shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from bertpipe.errors import ConfigError, InputError
from bertpipe.models.config import BertConfig
from bertpipe.models.huggingface import names
from bertpipe.models.huggingface.transformer_family import NO_COUNTERPART, TRANSFORMER_FAMILIES, Values
from bertpipe.nn.activation import Activation

_GELU: Final[Mapping[str, Activation]] = MappingProxyType({"gelu": "gelu"})
_ACTIVATIONS: Final[Mapping[str, Activation]] = MappingProxyType(
    {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu"}
)


@dataclass(frozen=True)
class Family:
    """Models that differ in size alone.

    Attributes:
        prefix: What the names of the body begin with in a model with a head.
        names: Their name by our name of a module.
        tied: A tensor that must equal another, by their names: the output matrix is the token embedding.
        keys: Their key of ``config.json`` by our field.
        defaults: What a missing key means.
        activations: Our name by theirs of the non-linearities it can have.
        counts_from_pad: Positions are counted from one behind the id of padding, and the table's rows before that are
            never used.
    """

    prefix: str
    names: Mapping[str, str]
    tied: Mapping[str, str]
    keys: Mapping[str, str]
    defaults: Mapping[str, Any]
    activations: Mapping[str, Activation]
    counts_from_pad: bool = False

    def first_position(self, values: Values) -> int:
        """The row of the position table that belongs to a text's first token."""
        return int(self.value(values, "pad_id")) + 1 if self.counts_from_pad else 0

    def segments(self, values: Values) -> int:
        """Number of segments: rows in the table of token types; 0 without such a table."""
        if "bert.segment_embedding" not in self.names:
            return 0
        given = values.get("type_vocab_size", self.defaults["type_vocab_size"])
        return given if isinstance(given, int) else -1

    def value(self, values: Values, field: str) -> Any:
        """What ``config.json`` says about one of our fields; None if neither it nor the family does."""
        key = self.keys[field]
        given = values.get(key)
        return self.defaults.get(key) if given is None else given


_BERT_KEYS: Final = MappingProxyType(
    {
        "vocab_size": "vocab_size",
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "inner": "intermediate_size",
        "max_length": "max_position_embeddings",
        "dropout": "hidden_dropout_prob",
        "norm_eps": "layer_norm_eps",
        "pad_id": "pad_token_id",
        "activation": "hidden_act",
    }
)
_BERT_DEFAULTS: Final = MappingProxyType(
    {"hidden_dropout_prob": 0.1, "layer_norm_eps": 1e-12, "hidden_act": "gelu", "type_vocab_size": 2, "pad_token_id": 0}
)
_BERT: Final = Family(
    prefix="bert.",
    names=names.BERT,
    tied={
        "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    keys=_BERT_KEYS,
    defaults=_BERT_DEFAULTS,
    activations=_ACTIVATIONS,
)
_ROBERTA: Final = Family(
    prefix="roberta.",
    names=names.ROBERTA,
    tied={"lm_head.decoder.weight": "embeddings.word_embeddings.weight", "lm_head.decoder.bias": "lm_head.bias"},
    keys=_BERT_KEYS,
    defaults={**_BERT_DEFAULTS, "pad_token_id": 1},
    # Its head has an exact GELU, whatever its layers have.
    activations=_GELU,
    counts_from_pad=True,
)
_DISTILBERT: Final = Family(
    prefix="distilbert.",
    names=names.DISTILBERT,
    tied={"vocab_projector.weight": "embeddings.word_embeddings.weight"},
    keys={
        **_BERT_KEYS,
        "width": "dim",
        "layers": "n_layers",
        "heads": "n_heads",
        "inner": "hidden_dim",
        "dropout": "dropout",
        "activation": "activation",
    },
    defaults={"dropout": 0.1, "layer_norm_eps": 1e-12, "activation": "gelu", "pad_token_id": 0},
    activations=_ACTIVATIONS,
)

# XLM-RoBERTa and CamemBERT are RoBERTas with other vocabularies.
FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {"bert": _BERT, "roberta": _ROBERTA, "xlm-roberta": _ROBERTA, "camembert": _ROBERTA, "distilbert": _DISTILBERT}
)
"""By ``model_type`` of ``config.json``."""


def family_of(values: Values, path: Path) -> Family:
    """The family of a model.

    Args:
        values: Its ``config.json``.
        path: That file, for messages.

    Raises:
        InputError: It is of a family that cannot be read, or does not say.
    """
    kind = values.get("model_type")
    readable = f"What can be read: {', '.join([*FAMILIES, *TRANSFORMER_FAMILIES])}."
    if not isinstance(kind, str):
        raise InputError("the model's family is not given", path=path, why="there is no model_type", hint=readable)
    if kind in NO_COUNTERPART:
        raise InputError(
            f"a model of the family {kind!r} cannot be read",
            path=path,
            why=f"our Transformer has no counterpart of {NO_COUNTERPART[kind]}",
            hint=readable,
        )
    if kind not in FAMILIES:
        raise InputError(f"a model of the family {kind!r} cannot be read", path=path, hint=readable)
    return FAMILIES[kind]


def shape_of(family: Family, values: Values, path: Path) -> BertConfig:
    """The shape of a published model as our configuration.

    Args:
        family: Its family.
        values: Its ``config.json``.
        path: That file, for messages.

    Raises:
        InputError: A value is missing or impossible, or asks for arithmetic that our BERT does not have.
    """
    positions = values.get("position_embedding_type") or "absolute"
    if positions != "absolute":
        raise InputError(
            f"position_embedding_type = {positions!r} cannot be read",
            path=path,
            why="our BERT adds learned positions to the embeddings",
        )
    if values.get("is_decoder") or values.get("add_cross_attention"):
        raise InputError("a decoder cannot be read", path=path, why="our BERT looks in both directions")
    if values.get("quantization_config"):
        raise InputError("a quantised model cannot be read", path=path, hint="Take the model it was made from.")
    numbers: dict[str, Callable[[Any], Any]] = {
        **dict.fromkeys(("vocab_size", "width", "layers", "heads", "inner", "max_length", "pad_id"), int),
        **dict.fromkeys(("dropout", "norm_eps"), float),
    }
    fields: dict[str, Any] = {}
    for field, kind in numbers.items():
        given = family.value(values, field)
        if given is None:
            raise InputError(f"{family.keys[field]} is missing", path=path)
        known = isinstance(given, int | float) and not isinstance(given, bool)
        if not known or kind(given) != given or given < 0 or (field == "dropout" and given >= 1):
            raise InputError(f"{family.keys[field]} = {given!r} is not possible", path=path)
        fields[field] = kind(given)
    activation = family.value(values, "activation")
    if activation not in family.activations:
        raise InputError(
            f"{family.keys['activation']} = {activation!r} cannot be read",
            path=path,
            hint=f"What can be: {', '.join(family.activations)}.",
        )
    if "bert.segment_embedding" in family.names and family.segments(values) not in (1, 2):
        raise InputError(
            f"type_vocab_size = {values.get('type_vocab_size')} cannot be read",
            path=path,
            why="our BERT has two segments",
        )
    fields["max_length"] -= family.first_position(values)
    try:
        return BertConfig(**fields, activation=family.activations[activation])
    except ConfigError as error:
        raise InputError(error.what, path=path, why=error.why) from error
