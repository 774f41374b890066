"""An encoder-decoder of ours into the layout of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from bertpipe.errors import ArtefactError
from bertpipe.models.checkpoint import write_tensors
from bertpipe.models.decoding import USUAL, Decoding, EarlyStopping
from bertpipe.models.generator import GeneratorSettings
from bertpipe.models.huggingface.exporting import ExportedModel
from bertpipe.models.huggingface.layout import CONFIG, GENERATION, WEIGHTS, write_json
from bertpipe.models.huggingface.transformer_family import TransformerFamily, family_for
from bertpipe.models.huggingface.transformer_weights import their_transformer_tensors
from bertpipe.models.transformer_config import TransformerConfig
from bertpipe.nn.activation import Activation
from bertpipe.text.tokenizer import Tokenizer

_ACTIVATIONS: Final[Mapping[Activation, str]] = {
    "gelu": "gelu",
    "gelu_tanh": "gelu_pytorch_tanh",
    "relu": "relu",
    "silu": "silu",
}
_EARLY_STOPPING: Final[Mapping[EarlyStopping, bool | str]] = {"always": True, "likely": False, "never": "never"}


def write_transformer(
    config: TransformerConfig,
    tensors: Mapping[str, Tensor],
    folder: Path,
    *,
    decoding: Decoding | None = None,
    max_target: int | None = None,
) -> ExportedModel:
    """Writes a model, without a tokenizer, for ``transformers.AutoModelForSeq2SeqLM``.

    Args:
        config: The shape.
        tensors: As `bertpipe.models.transformer.Transformer` names them.
        folder: An existing folder.
        decoding: How ``generate`` writes unless told otherwise; greedily if left out.
        max_target: Pieces of the longest target, the end piece included; what the model can write if left out.

    Raises:
        ConfigError: No class of transformers computes the same.
    """
    family = family_for(config)
    theirs = their_transformer_tensors(family, config, tensors)
    write_json({"architectures": [family.architecture], **their_transformer_config(config, family)}, folder / CONFIG)
    write_json(generation_config(config, decoding or Decoding(), max_target or config.max_length), folder / GENERATION)
    write_tensors(theirs, folder / WEIGHTS, {"format": "pt"})
    return ExportedModel(family.architecture, sum(tensor.numel() for tensor in theirs.values()), ())


def export_transformer(
    config: TransformerConfig,
    tensors: Mapping[str, Tensor],
    tokenizer: Path,
    folder: Path,
    *,
    settings: GeneratorSettings | None = None,
) -> ExportedModel:
    """Writes a model and its tokenizer for transformers.

    Args:
        config: The shape.
        tensors: As `bertpipe.models.transformer.Transformer` names them.
        tokenizer: The model's ``tokenizer.model`` or ``tokenizer.json``.
        folder: An existing, empty folder.
        settings: What it learned to write; None where it has no task yet.

    Raises:
        ConfigError: No class of transformers computes the same.
        ArtefactError: The tokenizer is of another model.
    """
    from bertpipe.text.hub_tokenizer import export_tokenizer

    pieces = Tokenizer(tokenizer)
    if pieces.vocab_size > config.vocab_size:
        raise ArtefactError(
            f"{tokenizer} is of another model",
            why=f"it has {pieces.vocab_size} pieces, the model vectors for {config.vocab_size}",
        )
    decoding = USUAL[settings.task] if settings else None
    max_target = settings.max_target if settings else None
    written = write_transformer(config, tensors, folder, decoding=decoding, max_target=max_target)
    longest = settings.max_source if settings else config.max_length
    export_tokenizer(tokenizer, folder, max_length=longest, of_bert=False)
    return written


def their_transformer_config(config: TransformerConfig, family: TransformerFamily) -> dict[str, Any]:
    """What ``config.json`` says about a model.

    Args:
        config: The shape.
        family: The class.
    """
    stacks = {
        f"{stack}_{key}": value
        for stack in ("encoder", "decoder")
        for key, value in (
            ("layers", config.encoder_layers if stack == "encoder" else config.decoder_layers),
            ("attention_heads", config.heads),
            ("ffn_dim", config.inner),
        )
    }
    return {
        "model_type": family.model_type,
        "is_encoder_decoder": True,
        "vocab_size": config.vocab_size,
        "d_model": config.width,
        **stacks,
        "max_position_embeddings": config.max_length,
        "activation_function": _ACTIVATIONS[config.activation],
        "scale_embedding": config.scale_embedding,
        "dropout": config.dropout,
        "attention_dropout": config.attention_dropout,
        "activation_dropout": config.inner_dropout,
        "tie_word_embeddings": True,
        "pad_token_id": config.pad_id,
        "bos_token_id": None,
        "eos_token_id": config.end_id,
        "decoder_start_token_id": config.start_id,
        "forced_eos_token_id": None,
        "dtype": "float32",
    }


def generation_config(config: TransformerConfig, decoding: Decoding, max_target: int) -> dict[str, Any]:
    """What ``generation_config.json`` says, so that ``generate`` needs no arguments.

    Args:
        config: Names the pieces.
        decoding: How to write.
        max_target: Pieces of the longest target, the end piece included.
    """
    values: dict[str, Any] = {
        "pad_token_id": config.pad_id,
        "bos_token_id": None,
        "eos_token_id": config.end_id,
        "decoder_start_token_id": config.start_id,
        "forced_bos_token_id": config.first_id,
        "forced_eos_token_id": None,
        # Theirs counts the piece that a target starts with.
        "max_length": max_target + 1,
        "num_beams": decoding.beams,
        "no_repeat_ngram_size": decoding.no_repeat_ngram,
    }
    if config.forbidden_ids:
        values["bad_words_ids"] = [[piece] for piece in config.forbidden_ids]
    if decoding.temperature:
        values |= {
            "do_sample": True,
            "temperature": decoding.temperature,
            "top_k": decoding.top_k,
            "top_p": decoding.top_p,
        }
    elif decoding.beams > 1:
        values |= {
            "length_penalty": decoding.length_penalty,
            "early_stopping": _EARLY_STOPPING[decoding.early_stopping],
        }
    return values
