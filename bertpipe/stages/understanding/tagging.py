"""Teach a BERT to tag words: names of people, places, products ..."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from bertpipe.errors import ConfigError, InputError
from bertpipe.models.task_settings import TAGGING
from bertpipe.pipeline.stage import Input, Stage, StageRun
from bertpipe.stages.understanding.settings import (
    UnderstandingConfig,
    check_length,
    data_source,
    figures_of,
    learning_rate,
    require_examples,
    require_steps,
    rounded,
    train_best,
)

if TYPE_CHECKING:
    from bertpipe.text.readers.tagged import TaggedSentence


class TaggingConfig(UnderstandingConfig):
    """Words with tags."""

    word_column: str = Field(
        "", description="Column of the words, counted from 1, or field of a record; by default it is found."
    )
    tag_column: str = Field("", description="Column or field of the tags; by default the last column, or `tags`.")
    scheme: Literal["iob2", "bioes"] = Field(
        "iob2", description="Tags that the model learns; files may be written in either, or in IOB1."
    )
    stride: int = Field(32, ge=0, description="Tokens that two windows of a long sentence share.")
    epochs: float = Field(
        10.0, gt=0, description="How often all of data is seen, if no steps, tokens or budget say so."
    )
    batch_tokens: int = Field(1024, ge=8, description="Tokens in a batch, padding included.")


def finetune_tagging(run: StageRun) -> dict[str, Any]:
    """Writes the tagger, its tokenizer, its tags and its learning curve."""
    import torch

    from bertpipe.models.checkpoint import save_model
    from bertpipe.models.task_settings import TaskSettings
    from bertpipe.models.token_tagger import TokenTagger
    from bertpipe.stages.understanding.base_model import open_base_model
    from bertpipe.tasks.tagging_scheme import TaggingScheme
    from bertpipe.training.budget import training_device
    from bertpipe.training.calibrating import calibrate
    from bertpipe.training.dev_scored import dev_outputs
    from bertpipe.training.labelled_batches import LabelledBatches
    from bertpipe.training.layer_rates import freeze, layer_scales
    from bertpipe.training.tagged_units import TaggedUnits
    from bertpipe.training.tagging import Tagging

    config: TaggingConfig = run.config
    require_steps(config)
    if 2 * config.stride > config.max_tokens:
        raise ConfigError(
            f"finetune.stride = {config.stride} is more than half of max_tokens = {config.max_tokens}", hint="Lower it."
        )
    learned, measured = read_sentences(run)
    types = sorted({tag[2:] for sentence in learned for tag in sentence.tags if tag != "O"})
    if not types:
        raise InputError("there is nothing to tag", path=run.path(config.data), why="every word of it has the tag 'O'")
    scheme = TaggingScheme.for_types(config.scheme, types)
    base = open_base_model(run)
    check_length(config, base.bert.config.max_length, imported=base.imported)

    def units(sentences: Sequence[TaggedSentence]) -> TaggedUnits:
        return TaggedUnits(
            [sentence.words for sentence in sentences],
            [sentence.tags for sentence in sentences],
            base.tokenizer,
            scheme,
            max_tokens=config.max_tokens,
            stride=config.stride,
        )

    train_units, dev_units = units(learned), units(measured)
    _note_windows(run, train_units)
    torch.manual_seed(config.seed)
    freeze(base.bert, config.freeze)
    model = TokenTagger(base.bert, len(scheme.labels))
    settings: dict[str, Any] = {"pad_id": base.tokenizer.pad_id, "seed": config.seed, "per_token": True}
    batches = LabelledBatches(train_units.sequences, batch_tokens=config.batch_tokens, **settings)
    dev = LabelledBatches(dev_units.sequences, batch_tokens=4 * config.batch_tokens, **settings)
    scales = layer_scales(base.bert.config.layers, config.layer_decay, "bert.")

    def module(steps: int) -> Tagging:
        return Tagging(
            model,
            dev=dev_units,
            lr=learning_rate(config, base),
            weight_decay=config.weight_decay,
            warmup=config.warmup,
            steps=steps,
            layer_scales={"head.": config.head_lr_scale, **scales},
        )

    metrics = train_best(run, module, batches, dev, best="f1", label="learning to tag")
    outputs = dev_outputs(module(1), dev, training_device(config.accelerator))
    calibration = calibrate(*dev_units.logits_and_truth(outputs))
    save_model(model, run.out)
    shutil.copyfile(base.file, run.out / base.file.name)
    TaskSettings(
        TAGGING,
        config.max_tokens,
        scheme.labels,
        scheme=config.scheme,
        stride=config.stride,
        temperature=calibration["temperature"],
    ).save(run.out)
    counts = {"sentences": len(learned), "dev_sentences": len(measured), "types": len(types)}
    return {**metrics, **figures_of(dev_units.scores(outputs)), **rounded(calibration), **counts}


def read_sentences(run: StageRun) -> tuple[list[TaggedSentence], list[TaggedSentence]]:
    """The sentences to learn from, and those to measure with.

    Raises:
        InputError: There are none, or a dev file has a type that none to learn from has.
    """
    from bertpipe.text.readers.split import is_dev
    from bertpipe.text.readers.tagged import TaggedReader

    config: TaggingConfig = run.config

    def read(written: str) -> list[TaggedSentence]:
        reader = TaggedReader(
            run.path(written), word_column=config.word_column, tag_column=config.tag_column, strict=config.strict
        )
        found = list(reader)
        if reader.report.broken_tags:
            run.progress.note(
                f"{reader.report.broken_tags:,} tags break the rules; the first: {reader.report.problems[0]}"
            )
        return found

    learned = read(config.data)
    if config.dev:
        measured = read(config.dev)
        known = {tag[2:] for sentence in learned for tag in sentence.tags if tag != "O"}
        for sentence in measured:
            unknown = next((tag for tag in sentence.tags if tag != "O" and tag[2:] not in known), None)
            if unknown and known:
                raise InputError(
                    f"the type {unknown[2:]!r} is on no word to learn from",
                    path=sentence.path,
                    line=sentence.line,
                    hint="Add examples of it to data, or take it out of dev.",
                )
    else:
        names = [" ".join(sentence.words) for sentence in learned]
        measured = [one for one, name in zip(learned, names, strict=True) if is_dev(name, config.dev_share)]
        learned = [one for one, name in zip(learned, names, strict=True) if not is_dev(name, config.dev_share)]
        known = {tag[2:] for sentence in learned for tag in sentence.tags if tag != "O"}
        rare = {one.id for one in measured if any(tag != "O" and tag[2:] not in known for tag in one.tags)}
        learned += [one for one in measured if one.id in rare]
        measured = [one for one in measured if one.id not in rare]
    require_examples(len(learned), "learn from", run.path(config.data))
    require_examples(len(measured), "measure with", run.path(config.dev or config.data))
    return learned, measured


def _note_windows(run: StageRun, units: Any) -> None:
    windows = len(units.sequences) - len(units.sentences)
    if windows:
        run.progress.note(
            f"sentences longer than {run.config.max_tokens} tokens (finetune.max_tokens) "
            f"are read in {windows:,} more windows"
        )


_SUMMARY = "Teach the BERT to tag words."
_EXAMPLE = "bertpipe finetune -p tagging.toml --epochs 20"
FINETUNE_TAGGING = Stage(
    name="finetune",
    version=1,
    config=TaggingConfig,
    inputs=(Input("tokenize"), Input("pretrain")),
    run=finetune_tagging,
    summary=_SUMMARY,
    example=_EXAMPLE,
    source=data_source,
)
TAGGING_FROM_MODEL = replace(FINETUNE_TAGGING, inputs=())
