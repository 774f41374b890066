"""A published encoder-decoder into our own layout: what `bertpipe.models.generator.Generator` opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from bertpipe.errors import InputError
from bertpipe.models.checkpoint import CONFIG, WEIGHTS, write_tensors
from bertpipe.models.generator import GeneratorSettings
from bertpipe.models.huggingface.family import Values
from bertpipe.models.huggingface.layout import CONFIG as THEIR_CONFIG
from bertpipe.models.huggingface.layout import GENERATION, model_folder, read_table
from bertpipe.models.huggingface.transformer_family import TRANSFORMER_FAMILIES, TransformerFamily, transformer_shape
from bertpipe.models.huggingface.transformer_weights import our_transformer_tensors
from bertpipe.models.huggingface.weights import read_weights
from bertpipe.models.transformer_config import TransformerConfig

# Wishes about how to write, with the values that wish nothing; what decides beside the weights is followed.
WISHES: Final[Mapping[str, Any]] = {
    "length_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "min_length": 0,
    "repetition_penalty": 1.0,
    "diversity_penalty": 0.0,
    "do_sample": False,
    "begin_suppress_tokens": None,
}


@dataclass(frozen=True)
class PublishedTransformer:
    """A published encoder-decoder, read and checked.

    Attributes:
        family: Its family.
        folder: Where its weights and its tokenizer lie.
        config: Its shape, without what its tokenizer puts around a source.
        tensors: As `bertpipe.models.transformer.Transformer` names them.
        max_target: Pieces of the longest target that it writes, the end piece included.
        wishes: Settings of its ``generation_config.json`` that are not followed here, because they are the user's.
    """

    family: TransformerFamily
    folder: Path
    config: TransformerConfig
    tensors: dict[str, Tensor]
    max_target: int
    wishes: dict[str, Any]


@dataclass(frozen=True)
class ImportedTransformer:
    """What was found in a published encoder-decoder.

    Attributes:
        family: Its ``model_type``.
        config: Its shape.
        parameters: How many numbers were read.
        pieces: Pieces of its tokenizer; the model may have vectors for more.
        settings: How it reads and writes.
        wishes: See `PublishedTransformer`.
    """

    family: str
    config: TransformerConfig
    parameters: int
    pieces: int
    settings: GeneratorSettings
    wishes: dict[str, Any]


def is_transformer(source: Path) -> bool:
    """Whether a published model is an encoder-decoder that can be read.

    Raises:
        InputError: There is no model, or its ``config.json`` is damaged.
    """
    return read_table(model_folder(source) / THEIR_CONFIG).get("model_type") in TRANSFORMER_FAMILIES


def read_transformer(source: Path) -> PublishedTransformer:
    """Reads the shape and the weights of a published BART, mBART, Blenderbot, Marian or Pegasus.

    Args:
        source: A folder in the layout of Hugging Face.

    Raises:
        InputError: The model is damaged, or asks for arithmetic that our Transformer does not have.
    """
    folder = model_folder(source)
    path = folder / THEIR_CONFIG
    values = read_table(path)
    family = TRANSFORMER_FAMILIES[str(values["model_type"])]
    # Models that were published before there was this file have its keys in the other.
    own = (folder / GENERATION).is_file()
    generation = read_table(folder / GENERATION) if own else values
    where = folder / GENERATION if own else path
    forbidden, phrases = _forbidden(generation, where)
    config = transformer_shape(
        family,
        values,
        path,
        pad_id=_piece({**family.defaults, **values}, "pad_token_id", path),
        start_id=_piece(_known(family.defaults, values, generation), "decoder_start_token_id", where),
        end_id=_piece(_known(family.defaults, values, generation), "eos_token_id", where),
        first_id=None
        if generation.get("forced_bos_token_id") is None
        else _piece(generation, "forced_bos_token_id", where),
        forbidden_ids=forbidden,
    )
    tensors = our_transformer_tensors(family, config, read_weights(folder), folder)
    wishes = {key: generation[key] for key, neutral in WISHES.items() if generation.get(key) not in (None, neutral)}
    return PublishedTransformer(
        family,
        folder,
        replace(config, output_bias="output_bias" in tensors),
        tensors,
        _max_target(generation, config),
        wishes | ({"bad_words_ids": phrases} if phrases else {}),
    )


def import_transformer(source: Path, destination: Path, task: str | None = None) -> ImportedTransformer:
    """Reads a published encoder-decoder with its tokenizer, and writes it in our own layout.

    Args:
        source: A folder in the layout of Hugging Face.
        destination: An existing, empty folder.
        task: What it is for; None: what such models are usually for.

    Raises:
        InputError: The model or its tokenizer is damaged, or of a kind that cannot be read.
    """
    from bertpipe.text.hub_tokenizer import import_tokenizer, text_frame
    from bertpipe.text.tokenizer import JSON_FILE

    model = read_transformer(source)
    tokenizer = import_tokenizer(model.folder, destination, of_bert=False)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise InputError(
            f"the tokenizer has {tokenizer.vocab_size} pieces, the model vectors for {model.config.vocab_size}",
            path=source,
        )
    before, behind = text_frame(destination / JSON_FILE)
    end_id = model.config.end_id
    if not behind or behind[0] != end_id:
        raise InputError(
            f"its tokenizer does not end a text with {tokenizer.piece(end_id)}",
            path=model.folder,
            why="sources of such a model end so",
            hint=f"The post_processor of {JSON_FILE} says what stands around a text.",
        )
    config = replace(model.config, source_prefix=before, source_suffix=behind[1:])
    config.save(destination / CONFIG)
    write_tensors(model.tensors, destination / WEIGHTS)
    settings = GeneratorSettings(task or model.family.task, config.max_length, model.max_target, by_sentence=False)
    settings.save(destination)
    return ImportedTransformer(
        family=model.family.model_type,
        config=config,
        parameters=sum(tensor.numel() for tensor in model.tensors.values()),
        pieces=tokenizer.vocab_size,
        settings=settings,
        wishes=model.wishes,
    )


def _known(*tables: Values) -> dict[str, Any]:
    """Tables as one; what a later one says counts, unless it says null."""
    return {key: value for table in tables for key, value in table.items() if value is not None}


def _piece(values: Values, key: str, path: Path) -> int:
    """The id of a piece."""
    given = values.get(key)
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if given is None:
        hint = "It is the piece that targets begin with; in a multilingual model, the language to write."
        raise InputError(f"{key} is missing", path=path, hint=hint if key == "decoder_start_token_id" else "")
    if not isinstance(given, int) or isinstance(given, bool):
        raise InputError(f"{key} = {given!r} is not one piece", path=path)
    return given


def _forbidden(generation: Values, path: Path) -> tuple[tuple[int, ...], list[Any]]:
    """Pieces that are never to be written, and runs of several pieces, which we cannot forbid."""
    words = generation.get("bad_words_ids") or []
    single = generation.get("suppress_tokens") or []
    if not isinstance(words, list) or not isinstance(single, list):
        raise InputError("bad_words_ids or suppress_tokens is not possible", path=path)
    phrases = [word for word in words if not isinstance(word, list) or len(word) != 1]
    pieces = [*single, *(word[0] for word in words if word not in phrases)]
    if not all(isinstance(piece, int) and not isinstance(piece, bool) for piece in pieces):
        raise InputError("bad_words_ids or suppress_tokens is not possible", path=path)
    return tuple(sorted(set(pieces))), phrases


def _max_target(generation: Values, config: TransformerConfig) -> int:
    given = generation.get("max_length")
    if not isinstance(given, int) or isinstance(given, bool) or given < 2:
        return config.max_length
    # Theirs counts the piece that a target starts with.
    return min(given - 1, config.max_length)
