"""A published model into our own layout (see `bertpipe.models.imported`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from bertpipe.errors import InputError
from bertpipe.models.checkpoint import CONFIG, WEIGHTS, write_tensors
from bertpipe.models.config import BertConfig
from bertpipe.models.huggingface.family import family_of, shape_of
from bertpipe.models.huggingface.layout import CONFIG as THEIR_CONFIG
from bertpipe.models.huggingface.layout import model_folder, read_table
from bertpipe.models.huggingface.sentence_encoder import SentenceEncoder, read_sentence_encoder
from bertpipe.models.huggingface.weights import our_tensors, read_weights
from bertpipe.models.imported import PARTS, ImportedPooling


@dataclass(frozen=True)
class PublishedModel:
    """A published model, read and checked.

    Attributes:
        family: Its ``model_type``.
        folder: Where its weights and its tokenizer lie.
        config: Its shape.
        tensors: As `bertpipe.models.heads.BertForPretraining` names them, without the heads that it lacks.
        encoder: What sentence-transformers' files say; None without any.
    """

    family: str
    folder: Path
    config: BertConfig
    tensors: dict[str, Tensor]
    encoder: SentenceEncoder | None


@dataclass(frozen=True)
class ImportedModel:
    """What was found in a published model.

    Attributes:
        family: Its ``model_type``.
        config: Its shape.
        parameters: How many numbers were read.
        pieces: Pieces of its tokenizer; the model may have vectors for more.
        heads: Heads that it has, as `bertpipe.models.heads.BertForPretraining` calls them.
        pooling: How it makes a vector of a text; None where it does not say.
        prompts: Texts that it expects in front of queries or passages, by name. We put none there.
    """

    family: str
    config: BertConfig
    parameters: int
    pieces: int
    heads: tuple[str, ...]
    pooling: ImportedPooling | None
    prompts: dict[str, str]


def read_model(source: Path) -> PublishedModel:
    """Reads the shape and the weights of a published BERT, RoBERTa or DistilBERT.

    Args:
        source: A folder in the layout of Hugging Face or of sentence-transformers.

    Raises:
        InputError: The model is damaged, or of a kind that cannot be read.
    """
    folder = model_folder(source)
    path = folder / THEIR_CONFIG
    values = read_table(path)
    family = family_of(values, path)
    config = shape_of(family, values, path)
    encoder = read_sentence_encoder(source, folder, config.max_length)
    if encoder is not None and encoder.pooling.pooling == "cls":
        config = replace(config, pooling="cls")
    tensors = our_tensors(family, values, config, read_weights(folder), folder)
    return PublishedModel(str(values["model_type"]), folder, config, tensors, encoder)


def import_model(source: Path, destination: Path) -> ImportedModel:
    """Reads a published model with its tokenizer, and writes it in our own layout.

    Args:
        source: A folder in the layout of Hugging Face or of sentence-transformers.
        destination: An existing, empty folder.

    Raises:
        InputError: The model or its tokenizer is damaged, or of a kind that cannot be read.
    """
    from bertpipe.text.hub_tokenizer import import_tokenizer

    model = read_model(source)
    config, encoder = model.config, model.encoder
    tokenizer = import_tokenizer(model.folder, destination)
    if tokenizer.vocab_size > config.vocab_size:
        raise InputError(
            f"the tokenizer has {tokenizer.vocab_size} pieces, the model vectors for {config.vocab_size}", path=source
        )
    if encoder is not None and encoder.lower_case and tokenizer.encode("Case") != tokenizer.encode("case"):
        raise InputError(
            "do_lower_case cannot be followed", path=source, why="its tokenizer does not put text into lower case"
        )
    config.save(destination / CONFIG)
    write_tensors(model.tensors, destination / WEIGHTS)
    if encoder is not None:
        encoder.pooling.save(destination)
    lacking = {head for part, head in PARTS.items() if not any(name.startswith(part) for name in model.tensors)}
    return ImportedModel(
        family=model.family,
        config=config,
        parameters=sum(tensor.numel() for tensor in model.tensors.values()),
        pieces=tokenizer.vocab_size,
        heads=tuple(sorted(set(PARTS.values()) - lacking)),
        pooling=encoder.pooling if encoder else None,
        prompts=encoder.prompts if encoder else {},
    )
