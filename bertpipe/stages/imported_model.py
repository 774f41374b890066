"""An imported model as a pipeline names it: a folder that `bertpipe import` made."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from bertpipe.errors import ArtefactError, ConfigError, InputError
from bertpipe.pipeline.stage import StageRun, resolve_path
from bertpipe.text.tokenizer import Tokenizer, tokenizer_file

if TYPE_CHECKING:
    from bertpipe.models.heads import BertForPretraining
    from bertpipe.models.transformer import Transformer

# All that decides the result of a step; named here, since the module that reads them loads torch.
MODEL_FILES = ("config.json", "model.safetensors")
HEADS = {"masked_language": "masked words", "next_sentence": "the next sentence"}


def tokenizer_source(imported: str, base: Path) -> str:
    """Sha256 (hex) of an imported model's tokenizer; empty without a model.

    Raises:
        InputError: There is no such model.
    """
    return digest_of([tokenizer_file(_folder(imported, base))]) if imported else ""


def model_source(imported: str, base: Path) -> str:
    """Sha256 (hex) of an imported model's shape, weights and tokenizer; empty without a model.

    Raises:
        InputError: There is no such model.
    """
    if not imported:
        return ""
    folder = _folder(imported, base)
    return digest_of([*(folder / name for name in MODEL_FILES), tokenizer_file(folder)])


def load_model(run: StageRun, tokenizer: Path) -> BertForPretraining:
    """Loads the imported model that a config names.

    Args:
        run: Its config has the field ``imported``.
        tokenizer: The tokenizer that the documents were encoded with.

    Returns:
        The model; heads that it lacks are initialised with torch's random numbers, and the run is told.

    Raises:
        ArtefactError: The model is damaged.
        ConfigError: The documents were encoded with another tokenizer.
    """
    from bertpipe.models.imported import load_imported

    folder = _same_tokenizer(run, tokenizer)
    model, missing = load_imported(folder)
    _check_size(tokenizer, model.bert.config.vocab_size)
    if missing and run.config.steps != 0:
        heads = " and ".join(HEADS[head] for head in sorted(missing))
        run.progress.note(f"the imported model has no head for {heads}: a new one learns from the beginning")
    return model


def load_transformer_model(run: StageRun, tokenizer: Path) -> Transformer:
    """Loads the imported encoder-decoder that a config names.

    Args:
        run: Its config has the field ``imported``.
        tokenizer: The tokenizer that the documents were encoded with.

    Raises:
        ArtefactError: The model is damaged, or no encoder-decoder.
        ConfigError: The documents were encoded with another tokenizer.
    """
    from bertpipe.models.checkpoint import load_transformer

    model = load_transformer(_same_tokenizer(run, tokenizer))
    _check_size(tokenizer, model.config.vocab_size)
    return model


def _same_tokenizer(run: StageRun, tokenizer: Path) -> Path:
    """The imported model's folder, if it has the tokenizer that the documents were encoded with."""
    folder = run.path(run.config.imported)
    if tokenizer_file(folder).read_bytes() != tokenizer.read_bytes():
        raise ConfigError(
            f"pretrain.imported = {run.config.imported!r} has another tokenizer than the documents were encoded with",
            hint=f"Set tokenize.imported = {run.config.imported!r}.",
        )
    return folder


def _check_size(tokenizer: Path, rows: int) -> None:
    pieces = Tokenizer(tokenizer).vocab_size
    if pieces > rows:
        raise ArtefactError(f"{tokenizer} is of another model", why=f"it has {pieces} pieces, the model {rows} vectors")


def refuse_keys(given: Collection[str], keys: Collection[str], thing: str) -> None:
    """Refuses keys of a config that an imported model decides by itself.

    Args:
        given: Keys that the user has set.
        keys: Keys that are the model's.
        thing: What has them: "imported model".

    Raises:
        ValueError: One was set.
    """
    clash = next((key for key in keys if key in given), None)
    if clash:
        raise ValueError(f"{clash} cannot be set for an {thing}, which has its own")


def _folder(imported: str, base: Path) -> Path:
    folder = resolve_path(imported, base)
    if not folder.is_dir():
        raise InputError("there is no imported model", path=folder, hint="Make one with `bertpipe import`.")
    return folder


def digest_of(paths: list[Path]) -> str:
    """Sha256 (hex) over the contents of files.

    Raises:
        InputError: One cannot be read.
    """
    whole = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InputError(
                "cannot be read", path=path, why=error.strerror or str(error), hint="Import it with `bertpipe import`."
            ) from error
    return whole.hexdigest()
