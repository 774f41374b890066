"""The BERT that a task starts from: that of the pipeline, or somebody's in a folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bertpipe.errors import ArtefactError, ConfigError
from bertpipe.pipeline.artefact import Manifest
from bertpipe.pipeline.stage import StageRun, resolve_path
from bertpipe.text.tokenizer import Tokenizer, tokenizer_file

if TYPE_CHECKING:
    from bertpipe.models.bert import Bert
    from bertpipe.models.encoder import TextEncoder


@dataclass(frozen=True)
class BaseModel:
    """A BERT with its tokenizer.

    Attributes:
        bert: Its weights are those of the folder.
        tokenizer: Its tokenizer.
        folder: Where it is.
        file: The tokenizer's file.
        imported: Somebody else pretrained it, or it was fine-tuned before: small steps suit it.
        task: What it has learned to do, one of `bertpipe.models.task_settings.UNDERSTANDING` or
            `bertpipe.models.passage_ranker.RERANKING`; empty if nothing.
    """

    bert: Bert
    tokenizer: Tokenizer
    folder: Path
    file: Path
    imported: bool
    task: str = ""


def open_base_model(run: StageRun) -> BaseModel:
    """Loads the BERT that ``finetune.model`` names, or else that of the pipeline's step pretrain.

    Args:
        run: Its config is an `bertpipe.stages.understanding.settings.UnderstandingConfig`.

    Raises:
        ConfigError: The pipeline pretrains a model of its own, and names another.
        ArtefactError: It is missing, damaged, or no BERT.
    """
    if run.inputs and run.config.model:
        raise ConfigError(
            "finetune.model is set for a pipeline that pretrains a model of its own",
            hint="Write it in the pipeline file's table [finetune]: then the pipeline has that step alone.",
        )
    if run.inputs:
        folder, file = run.inputs["pretrain"], tokenizer_file(run.inputs["tokenize"])
        return _loaded(folder, file, run.config.dropout, imported=was_imported(folder), task="")
    if not run.config.model:
        raise ConfigError("finetune.model is missing", hint="Name a model, or take the key out of the file.")
    return open_saved_model(run.path(run.config.model), run.config.dropout)


def open_saved_model(place: Path, dropout: float | None) -> BaseModel:
    """Loads the BERT of a folder.

    Args:
        place: A folder of `bertpipe import`, or of a step.
        dropout: In training, instead of the model's own.

    Raises:
        ArtefactError: It is missing, damaged, or no BERT.
    """
    from bertpipe.stages.saved_model import SavedModel

    saved = SavedModel.open(place)
    if saved.writes:
        raise ArtefactError(f"{saved.folder} is an encoder-decoder", hint="A BERT is needed.")
    imported = saved.kind != "pretrain" or was_imported(saved.folder)
    return _loaded(saved.folder, saved.tokenizer, dropout, imported=imported, task=saved.task)


def was_imported(pretrain: Path) -> bool:
    """Whether the model of a step pretrain started from an imported one."""
    return bool(Manifest.read(pretrain).config["imported"])


def _loaded(folder: Path, file: Path, dropout: float | None, *, imported: bool, task: str) -> BaseModel:
    from bertpipe.models.bert import Bert
    from bertpipe.models.checkpoint import load_bert

    bert = load_bert(folder)
    tokenizer = Tokenizer(file)
    if tokenizer.vocab_size > bert.config.vocab_size:
        raise ArtefactError(
            f"{file} is of another model",
            why=f"it has {tokenizer.vocab_size:,} pieces, the model {bert.config.vocab_size:,}",
        )
    if dropout is not None:
        weights = bert.state_dict()
        bert = Bert(replace(bert.config, dropout=dropout))
        bert.load_state_dict(weights)
    return BaseModel(bert, tokenizer, folder, file, imported, task)


def text_encoder(base: BaseModel) -> TextEncoder:
    """A text encoder around a base model, whose pooling starts from what the folder knows of its pieces."""
    import numpy as np
    import torch

    from bertpipe.models.checkpoint import WEIGHTS, read_tensors
    from bertpipe.models.encoder import TextEncoder
    from bertpipe.nn.pooling import WeightedPooling
    from bertpipe.stages.pretrain import PIECE_WEIGHTS

    encoder = TextEncoder(base.bert)
    if isinstance(encoder.pooling, WeightedPooling):
        tensors = read_tensors(base.folder / WEIGHTS)
        if "pooling.log_weight.weight" in tensors:
            encoder.pooling.set_weights(tensors["pooling.log_weight.weight"][:, 0].exp())
        elif (base.folder / PIECE_WEIGHTS).is_file():
            learned = np.load(base.folder / PIECE_WEIGHTS, allow_pickle=False)
            encoder.pooling.set_weights(torch.from_numpy(learned))
    return encoder


def base_model_source(written: str, base: Path) -> str:
    """Digest of the model that a config names: its shape, weights and tokenizer; empty without one.

    Raises:
        ArtefactError: There is no such model.
    """
    if not written:
        return ""
    from bertpipe.stages.imported_model import digest_of
    from bertpipe.stages.saved_model import SavedModel

    saved = SavedModel.open(resolve_path(written, base))
    return digest_of([saved.folder / "config.json", saved.folder / "model.safetensors", saved.tokenizer])
