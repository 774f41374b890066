"""The encoder-decoders of transformers that compute what a Transformer of ours computes.

| class      | positions  | norms | norm behind the embeddings |
|------------|------------|-------|----------------------------|
| BART       | learned    | post  | yes                        |
| mBART      | learned    | pre   | yes                        |
| Blenderbot | learned    | pre   | no                         |
| Marian     | sinusoidal | post  | no                         |
| Pegasus    | sinusoidal | pre   | no                         |

All of them have one embedding for the source, the target and the output, and maps with a bias where ours has maps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from bertpipe.errors import ConfigError, InputError
from bertpipe.models.decoding import DIALOGUE, SUMMARIZATION, TRANSLATION
from bertpipe.models.transformer_config import TransformerConfig
from bertpipe.nn.activation import Activation

Values = Mapping[str, Any]

# torch's default, which none of the classes can change.
NORM_EPS: Final = 1e-5
ACTIVATIONS: Final[Mapping[str, Activation]] = MappingProxyType(
    {
        "gelu": "gelu",
        "gelu_new": "gelu_tanh",
        "gelu_pytorch_tanh": "gelu_tanh",
        "relu": "relu",
        "silu": "silu",
        "swish": "silu",
    }
)
"""Our name by theirs."""


@dataclass(frozen=True)
class TransformerFamily:
    """Encoder-decoders that differ in size alone.

    Attributes:
        model_type: Its name in ``config.json``.
        architecture: Its class with the output matrix.
        positions: Kind of positions.
        norm_first: Pre-norm layers.
        embedding_norm: A norm behind the embeddings.
        task: What such models are published for.
        defaults: What a missing key of ``config.json`` means.
        unused_positions: Rows of the position table that stand for no position.
    """

    model_type: str
    architecture: str
    positions: Literal["learned", "sinusoidal"]
    norm_first: bool
    embedding_norm: bool
    task: str
    defaults: Mapping[str, Any]
    unused_positions: int = 0


_DEFAULTS: Final = {
    "max_position_embeddings": 1024,
    "dropout": 0.1,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "activation_function": "gelu",
    "scale_embedding": False,
}
BART: Final = TransformerFamily(
    "bart",
    "BartForConditionalGeneration",
    "learned",
    norm_first=False,
    embedding_norm=True,
    task=SUMMARIZATION,
    defaults={**_DEFAULTS, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2},
    unused_positions=2,
)
MBART: Final = TransformerFamily(
    "mbart",
    "MBartForConditionalGeneration",
    "learned",
    norm_first=True,
    embedding_norm=True,
    task=TRANSLATION,
    defaults={**_DEFAULTS, "pad_token_id": 1, "eos_token_id": 2},
    unused_positions=2,
)
MARIAN: Final = TransformerFamily(
    "marian",
    "MarianMTModel",
    "sinusoidal",
    norm_first=False,
    embedding_norm=False,
    task=TRANSLATION,
    defaults={**_DEFAULTS, "pad_token_id": 58100, "eos_token_id": 0, "decoder_start_token_id": 58100},
)
PEGASUS: Final = TransformerFamily(
    "pegasus",
    "PegasusForConditionalGeneration",
    "sinusoidal",
    norm_first=True,
    embedding_norm=False,
    task=SUMMARIZATION,
    defaults={**_DEFAULTS, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
)
BLENDERBOT: Final = TransformerFamily(
    "blenderbot",
    "BlenderbotForConditionalGeneration",
    "learned",
    norm_first=True,
    embedding_norm=False,
    task=DIALOGUE,
    defaults={**_DEFAULTS, "pad_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 1},
)
TRANSFORMER_FAMILIES: Final[Mapping[str, TransformerFamily]] = MappingProxyType(
    {family.model_type: family for family in (BART, MBART, BLENDERBOT, MARIAN, PEGASUS)}
)
"""By ``model_type`` of ``config.json``."""

_T5: Final = "positions as biases of the attention scores, norms without mean and bias, and maps without bias"
NO_COUNTERPART: Final[Mapping[str, str]] = MappingProxyType(
    {
        "t5": _T5,
        "mt5": _T5,
        "umt5": _T5,
        "longt5": f"{_T5}, and attention within blocks",
        "switch_transformers": f"{_T5}, and layers of many experts",
        "pegasus_x": "attention within blocks and to global tokens",
        "bigbird_pegasus": "attention to random and neighbouring blocks",
        "led": "attention within windows",
        "longformer": "attention within windows",
        "prophetnet": "a decoder that guesses several pieces at once",
        "m2m_100": "sinusoidal positions of other frequencies",
        "blenderbot-small": "a decoder whose embeddings are normalised before the positions are added",
        "fsmt": "two vocabularies",
    }
)
"""What a Transformer of ours does not have, by ``model_type`` of encoder-decoders that cannot be read."""


def transformer_shape(family: TransformerFamily, values: Values, path: Path, **ids: Any) -> TransformerConfig:
    """The shape of a published encoder-decoder as our configuration.

    Args:
        family: Its family.
        values: Its ``config.json``.
        path: That file, for messages.
        **ids: Fields of the configuration that are pieces.

    Raises:
        InputError: A value is missing or impossible, or asks for arithmetic that our Transformer does not have.
    """
    if values.get("quantization_config"):
        raise InputError("a quantised model cannot be read", path=path, hint="Take the model it was made from.")
    for key in ("tie_word_embeddings", "share_encoder_decoder_embeddings"):
        if values.get(key) is False:
            raise InputError(f"{key} = false cannot be read", path=path, why="ours has one embedding for both sides")
    if values.get("decoder_vocab_size") not in (None, values.get("vocab_size")):
        raise InputError("two vocabularies cannot be read", path=path, why="decoder_vocab_size is not vocab_size")
    activation = values.get("activation_function") or "gelu"
    if activation not in ACTIVATIONS:
        raise InputError(
            f"activation_function = {activation!r} cannot be read",
            path=path,
            hint=f"What can be: {', '.join(ACTIVATIONS)}.",
        )
    whole = {
        "vocab_size": "vocab_size",
        "width": "d_model",
        "encoder_layers": "encoder_layers",
        "decoder_layers": "decoder_layers",
        "heads": "encoder_attention_heads",
        "inner": "encoder_ffn_dim",
        "max_length": "max_position_embeddings",
    }
    rates = {"dropout": "dropout", "attention_dropout": "attention_dropout", "inner_dropout": "activation_dropout"}
    fields: dict[str, Any] = {name: _whole_number(family, values, key, path) for name, key in whole.items()}
    fields |= {name: _rate(family, values, key, path) for name, key in rates.items()}
    for key, name in (("decoder_attention_heads", "heads"), ("decoder_ffn_dim", "inner")):
        if _whole_number(family, values, key, path) != fields[name]:
            raise InputError(
                f"{whole[name]} = {fields[name]} with {key} = {values[key]} cannot be read",
                path=path,
                why="both stacks of ours are of one width",
            )
    try:
        return TransformerConfig(
            **fields,
            **ids,
            positions=family.positions,
            norm_first=family.norm_first,
            embedding_norm=family.embedding_norm,
            norm_eps=NORM_EPS,
            activation=ACTIVATIONS[activation],
            scale_embedding=bool(values.get("scale_embedding", False)),
        )
    except ConfigError as error:
        raise InputError(error.what, path=path, why=error.why) from error


def family_for(config: TransformerConfig) -> TransformerFamily:
    """The family that computes what a Transformer of ours computes.

    Raises:
        ConfigError: There is none.
    """
    lacking = []
    if config.positions == "rotary":
        lacking.append("rotary positions")
    if config.activation == "geglu":
        lacking.append("gated feed-forward networks (geglu)")
    if config.norm_eps != NORM_EPS:
        lacking.append(f"norm_eps = {config.norm_eps}, but {NORM_EPS} everywhere")
    if not lacking:
        for family in TRANSFORMER_FAMILIES.values():
            mine = (config.positions, config.norm_first, config.embedding_norm)
            if mine == (family.positions, family.norm_first, family.embedding_norm):
                return family
        norms = f"{'pre' if config.norm_first else 'post'}-norm layers"
        behind = "with" if config.embedding_norm else "without"
        lacking.append(f"{norms} and {config.positions} positions {behind} a norm behind the embeddings")
    raise ConfigError(
        "no class of transformers computes what this model computes",
        why=f"its encoder-decoders have no {' and no '.join(lacking)}",
    )


def _whole_number(family: TransformerFamily, values: Values, key: str, path: Path) -> int:
    given = values.get(key, family.defaults.get(key))
    if given is None:
        raise InputError(f"{key} is missing", path=path)
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise InputError(f"{key} = {given!r} is not possible", path=path)
    return given


def _rate(family: TransformerFamily, values: Values, key: str, path: Path) -> float:
    given = values.get(key, family.defaults[key])
    if not isinstance(given, int | float) or isinstance(given, bool) or not 0 <= given < 1:
        raise InputError(f"{key} = {given!r} is not possible", path=path)
    return float(given)
