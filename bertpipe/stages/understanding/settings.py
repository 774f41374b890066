"""What the steps of all tasks of understanding have in common: keys, data, and a training that keeps its best."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from bertpipe.duration import parse_duration
from bertpipe.errors import ConfigError, InputError
from bertpipe.pipeline.stage import StageRun, resolve_path
from bertpipe.stages.training import TrainingConfig, train

if TYPE_CHECKING:
    from bertpipe.stages.understanding.base_model import BaseModel
    from bertpipe.text.readers.report import ReadReport
    from bertpipe.training.batches import EpochBatches
    from bertpipe.training.dev_scored import DevScored
    from bertpipe.training.labelled_batches import LabelledBatches

LR, IMPORTED_LR = 3e-4, 5e-5
# The width that IMPORTED_LR is for: BERT-base's.
_USUAL_WIDTH = 768
# Texts cut by more than this share are worth a word.
MANY_CUT = 0.01


class HeadConfig(TrainingConfig):
    """Training a BERT with a head, from a model that is there."""

    model: str = Field(
        "", description="Model to start from: a folder of `bertpipe import`, or of a pretrain or finetune step."
    )
    dev_share: float = Field(
        0.1, gt=0, lt=1, description="Share of data that is measured with, if there is no dev, chosen by hashes of ids."
    )
    epochs: float = Field(4.0, gt=0, description="How often all of data is seen, if no steps, tokens or budget say so.")
    budget: str = Field("", description='Time to train, instead of epochs: "90s", "4m", "1h30m".')
    accumulate: int = Field(1, ge=1, description="Batches whose gradients make one step.")
    lr: float | None = Field(
        None,
        gt=0,
        description="Highest learning rate; by default 0.0003, for an imported model 0.00005 times (768 / its width)².",
    )
    head_lr_scale: float = Field(10.0, gt=0, description="Factor on lr for the head, where it is new.")
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="The rate of a layer as a share of the rate of the one above it; 1 is none."
    )
    freeze: int = Field(
        0, ge=0, description="Lowest layers that do not learn: 1 the embeddings, 2 also the first layer ..."
    )
    dropout: float | None = Field(None, ge=0, lt=1, description="Dropout in training, instead of the model's own.")
    warmup: float = Field(0.1, ge=0, le=1, description="Share of the steps in which the learning rate rises.")
    patience: int = Field(
        5, ge=1, description="Legs (tenths of the training) without a better dev figure before it stops."
    )

    @field_validator("budget")
    @classmethod
    def _a_length_of_time(cls, value: str) -> str:
        if value:
            parse_duration(value)
        return value


class UnderstandingConfig(HeadConfig):
    """The data of a task, and its training."""

    data: str = Field(description="File or folder to learn from.")
    dev: str = Field("", description="File to measure with while learning; by default a share of data.")
    strict: bool = Field(
        False, description="An empty text, or a tag that continues nothing, is an error, not left out or mended."
    )
    max_tokens: int = Field(128, ge=8, description="Tokens that the model reads at once.")
    batch_tokens: int = Field(2048, ge=8, description="Tokens in a batch, padding included.")


def data_source(config: UnderstandingConfig, base: Path) -> str:
    """Digest of the files and the model that a config names.

    Raises:
        InputError: A file is not there.
    """
    from bertpipe.stages.understanding.base_model import base_model_source

    parts = [_digest(resolve_path(path, base)) if path else "" for path in (config.data, config.dev)]
    return " ".join([*parts, base_model_source(config.model, base)])


def _digest(path: Path) -> str:
    """Sha256 (hex) over a file, or over the names and contents of a folder's files."""
    whole = hashlib.sha256()
    try:
        if path.is_dir():
            for inner in sorted(inner for inner in path.rglob("*") if inner.is_file()):
                whole.update(inner.relative_to(path).as_posix().encode() + b"\0" + _digest(inner).encode())
        else:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise InputError("cannot be read", path=path, why=error.strerror or str(error)) from error
    return whole.hexdigest()


def learning_rate(config: HeadConfig, base: BaseModel) -> float:
    """The highest learning rate.

    An imported model of BERT-base's width takes the published 5e-5 (Devlin et al. 2019, appendix A.3). The narrower it
    is, the larger the steps that suit it: at half the width, four times as large ones were as good or better on every
    collection that was measured (``benchmarks/RESULTS.md``). A model that has learned a task already is changed little,
    whatever its width.
    """
    if config.lr:
        return config.lr
    if not base.imported:
        return LR
    if base.task:
        return IMPORTED_LR
    return min(LR, IMPORTED_LR * (_USUAL_WIDTH / base.bert.config.width) ** 2)


def check_length(config: UnderstandingConfig, longest: int, *, imported: bool) -> None:
    """Makes sure that a model can read what it is to read.

    Raises:
        ConfigError: It cannot.
    """
    if config.max_tokens > longest:
        raise ConfigError(
            f"finetune.max_tokens = {config.max_tokens} is more than the model can read",
            hint=f"Lower it to {longest}." if imported else f"Lower it, or raise pretrain.max_length from {longest}.",
        )


def require_steps(config: HeadConfig) -> None:
    """Makes sure that a new head learns at all.

    Raises:
        ConfigError: It does not.
    """
    if config.steps == 0:
        raise ConfigError("steps = 0 leaves a head that knows nothing", hint="Leave it out, or give a number.")


def require_examples(count: int, what: str, path: Path) -> None:
    """Makes sure that there is something to learn from, or to measure with.

    Args:
        count: Examples.
        what: What they are for: "learn from".
        path: Where they should be.

    Raises:
        InputError: There are none.
    """
    if not count:
        raise InputError(f"there is nothing to {what}", path=path, hint="Add examples, or name another file.")


def note_left_out(run: StageRun, report: ReadReport) -> None:
    """Tells how many records a reader has left out."""
    if report.skipped:
        run.progress.note(f"{report.skipped:,} records are left out; the first: {report.problems[0]}")


def note_cut(run: StageRun, cut: int, count: int) -> None:
    """Tells how many texts are longer than what the model reads, if they are more than a few."""
    if cut > MANY_CUT * count:
        limit = run.config.max_tokens
        run.progress.note(f"{cut:,} of {count:,} texts are cut at {limit} tokens (finetune.max_tokens)")


def figures_of(figures: Mapping[str, float]) -> dict[str, float]:
    """Figures of the dev set under the names that they have in metrics."""
    from bertpipe.training.dev_scored import OUTPUT

    return rounded({f"{OUTPUT}{name}": value for name, value in figures.items()})


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """Figures with as many digits as they are worth."""
    return {name: round(float(value), 4) for name, value in figures.items()}


def train_best(
    run: StageRun,
    module: Any,
    batches: EpochBatches,
    dev: LabelledBatches,
    *,
    best: str,
    label: str,
) -> dict[str, Any]:
    """Trains, and ends with the weights that were best on the dev set.

    Args:
        run: Its config is a `HeadConfig`.
        module: Makes the `DevScored` for a number of steps; every module it makes trains the same model.
        batches: Training batches.
        dev: Of the whole dev set.
        best: The figure that decides, without its ``val_``.
        label: Name of the progress bar.

    Returns:
        Metrics: those of the best leg, its step, and the epochs.
    """
    from bertpipe.training.dev_scored import OUTPUT

    config: HeadConfig = run.config
    per_epoch = max(1, batches.steps_per_epoch // config.accumulate)

    def recipe(steps: int) -> DevScored:
        return module(steps)

    return train(
        run,
        recipe,
        batches,
        dev,
        dev.steps_per_epoch,
        label,
        steps=None if config.budget or config.tokens else max(1, round(config.epochs * per_epoch)),
        accumulate=config.accumulate,
        best=f"{OUTPUT}{best}",
        patience=config.patience,
    )
