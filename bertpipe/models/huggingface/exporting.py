"""A BERT of ours into the layout of transformers, and a text encoder into that of sentence-transformers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from bertpipe.errors import ArtefactError
from bertpipe.models.checkpoint import write_tensors
from bertpipe.models.config import BertConfig
from bertpipe.models.huggingface.counterpart import counterpart_of, their_config, their_tensors
from bertpipe.models.huggingface.layout import CONFIG, WEIGHTS, write_json
from bertpipe.models.huggingface.sentence_encoder import write_sentence_encoder
from bertpipe.models.imported import ImportedPooling
from bertpipe.text.tokenizer import Tokenizer

PIECE_WEIGHTS = "pooling.log_weight.weight"


@dataclass(frozen=True)
class ExportedModel:
    """What was written.

    Attributes:
        architecture: The class of transformers that loads it with all its heads.
        parameters: How many numbers were written.
        left_out: In words, what of the model the class has no place for.
        modules: Modules of sentence-transformers that make a text encoder of it; none where it is no text encoder.
    """

    architecture: str
    parameters: int
    left_out: tuple[str, ...]
    modules: tuple[str, ...] = ()


def write_model(
    config: BertConfig, tensors: Mapping[str, Tensor], folder: Path, *, mask_id: int | None = None
) -> ExportedModel:
    """Writes a model, without a tokenizer, for ``transformers.AutoModel``.

    Args:
        config: The shape.
        tensors: As `bertpipe.models.heads.BertForPretraining` names them; heads may be missing.
        folder: An existing folder.
        mask_id: Id of the mask piece.

    Raises:
        ConfigError: No class of transformers computes the same.
    """
    counterpart = counterpart_of(config)
    theirs, left_out = their_tensors(config, counterpart, tensors)
    architecture = counterpart.architecture(tensors)
    write_json({"architectures": [architecture], **their_config(config, counterpart, mask_id)}, folder / CONFIG)
    write_tensors(theirs, folder / WEIGHTS, {"format": "pt"})
    return ExportedModel(architecture, sum(tensor.numel() for tensor in theirs.values()), tuple(left_out))


def export_model(
    config: BertConfig,
    tensors: Mapping[str, Tensor],
    tokenizer: Path,
    folder: Path,
    *,
    pooling: ImportedPooling | None = None,
) -> ExportedModel:
    """Writes a model and its tokenizer for transformers, and for sentence-transformers if it is a text encoder.

    Args:
        config: The shape.
        tensors: As `bertpipe.models.heads.BertForPretraining` or `bertpipe.models.encoder.TextEncoder` names them;
            heads may be missing.
        tokenizer: The model's ``tokenizer.model`` or ``tokenizer.json``.
        folder: An existing, empty folder.
        pooling: How it makes a vector of a text; None where it is no text encoder.

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
    body = {name: tensor for name, tensor in tensors.items() if name != PIECE_WEIGHTS}
    written = write_model(config, body, folder, mask_id=pieces.mask_id)
    export_tokenizer(tokenizer, folder, max_length=pooling.longest_text if pooling else config.max_length)
    if pooling is None:
        return written
    weights = piece_weights(tensors)
    names = [] if weights is None else [_piece(pieces, index) for index in range(config.vocab_size)]
    return replace(written, modules=write_sentence_encoder(folder, config.width, pooling, names, weights))


def _piece(tokenizer: Tokenizer, index: int) -> str:
    """A piece, or a name for a row of the embedding that belongs to none."""
    try:
        return tokenizer.piece(index)
    except IndexError:
        return f"[row {index}]"


def piece_weights(tensors: Mapping[str, Tensor]) -> Tensor | None:
    """(V,), the pieces' weights in a text encoder's pooling; None where there are none, or all equal: a mean."""
    if PIECE_WEIGHTS not in tensors:
        return None
    logarithms = tensors[PIECE_WEIGHTS].squeeze(1)
    return None if bool(torch.all(logarithms == logarithms[0])) else logarithms.exp()
