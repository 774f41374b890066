"""Teach a BERT to tell which classes a text, or a pair of texts, belongs to."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from bertpipe.errors import ConfigError, InputError
from bertpipe.models.task_settings import CLASSIFICATION
from bertpipe.pipeline.stage import Input, Stage, StageRun
from bertpipe.stages.understanding.settings import (
    UnderstandingConfig,
    check_length,
    data_source,
    figures_of,
    learning_rate,
    note_cut,
    note_left_out,
    require_examples,
    require_steps,
    rounded,
    train_best,
)

if TYPE_CHECKING:
    from bertpipe.text.readers.labelled import LabelledText
    from bertpipe.text.tokenizer import Tokenizer
    from bertpipe.training.labelled_batches import LabelledSequence


class ClassificationConfig(UnderstandingConfig):
    """Texts with classes."""

    text_field: str = Field("text", description="Field of the text; a number is the column of a table without a head.")
    pair_field: str = Field("", description="Field of the second text, where pairs are classified.")
    label_field: str = Field("label", description="Field of the label.")
    multi_label: bool = Field(False, description="A text may have any number of the labels.")
    label_separator: str = Field(
        ",", min_length=1, description="What stands between the labels of a text with several; lists in JSON need none."
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: a label counts the more the rarer it is."
    )
    consistency: float = Field(
        0.0,
        ge=0,
        description="Weight of the divergence between two readings with other units dropped; twice the time.",
    )


def finetune_classification(run: StageRun) -> dict[str, Any]:
    """Writes the classifier, its tokenizer, its labels and its learning curve."""
    import numpy as np
    import torch

    from bertpipe.models.checkpoint import save_model
    from bertpipe.models.task_settings import TaskSettings
    from bertpipe.models.text_classifier import TextClassifier
    from bertpipe.stages.understanding.base_model import open_base_model
    from bertpipe.training.budget import training_device
    from bertpipe.training.calibrating import best_threshold, calibrate
    from bertpipe.training.classification import Classification, balanced_weights
    from bertpipe.training.dev_scored import dev_outputs
    from bertpipe.training.labelled_batches import LabelledBatches
    from bertpipe.training.layer_rates import freeze, layer_scales

    config: ClassificationConfig = run.config
    require_steps(config)
    learned, measured = read_texts(run)
    labels = sorted({label for text in learned for label in text.labels})
    if len(labels) < 2:
        raise InputError(
            "there are no two classes to tell apart",
            path=run.path(config.data),
            why=f"every label is {labels[0]!r}" if labels else "no text has a label",
        )
    base = open_base_model(run)
    check_length(config, base.bert.config.max_length, imported=base.imported)
    if config.consistency and not base.bert.config.dropout:
        raise ConfigError(
            "finetune.consistency compares readings that do not differ",
            why="nothing is dropped",
            hint="Set finetune.dropout to 0.1 or so.",
        )
    sequences = _sequences(run, learned, base.tokenizer, labels)
    dev_sequences = _sequences(run, measured, base.tokenizer, labels)
    torch.manual_seed(config.seed)
    freeze(base.bert, config.freeze)
    model = TextClassifier(base.bert, len(labels))
    weights = balanced_weights([text.labels for text in learned], labels, multi_label=config.multi_label)
    pad_id = base.tokenizer.pad_id
    batches = LabelledBatches(sequences, batch_tokens=config.batch_tokens, pad_id=pad_id, seed=config.seed)
    dev = LabelledBatches(dev_sequences, batch_tokens=4 * config.batch_tokens, pad_id=pad_id, seed=config.seed)
    truth = np.array([sequence.labels for sequence in dev_sequences])

    def module(steps: int) -> Classification:
        return Classification(
            model,
            labels=labels,
            truth=truth,
            multi_label=config.multi_label,
            weights=torch.from_numpy(weights) if config.class_weights == "balanced" else None,
            consistency=config.consistency,
            lr=learning_rate(config, base),
            weight_decay=config.weight_decay,
            warmup=config.warmup,
            steps=steps,
            layer_scales={
                "head.": config.head_lr_scale,
                **layer_scales(base.bert.config.layers, config.layer_decay, "bert."),
            },
        )

    best = "micro_f1" if config.multi_label else "accuracy"
    metrics = train_best(run, module, batches, dev, best=best, label="learning to classify")
    scorer = module(1)
    logits = np.stack(dev_outputs(scorer, dev, training_device(config.accelerator)))
    calibration = calibrate(logits, truth)
    cooled = logits / calibration["temperature"]
    threshold = best_threshold(cooled, truth) if config.multi_label else 0.5
    save_model(model, run.out)
    shutil.copyfile(base.file, run.out / base.file.name)
    TaskSettings(
        CLASSIFICATION,
        config.max_tokens,
        tuple(labels),
        multi_label=config.multi_label,
        paired=bool(config.pair_field),
        temperature=calibration["temperature"],
        threshold=threshold,
    ).save(run.out)
    counts = {"texts": len(learned), "dev_texts": len(measured), "labels": len(labels)}
    return {**metrics, **figures_of(scorer.figures(list(cooled))), **rounded(calibration), **counts}


def read_texts(run: StageRun) -> tuple[list[LabelledText], list[LabelledText]]:
    """The texts to learn from, and those to measure with.

    Without a dev file, texts whose label would otherwise not be learned at all stay with those to learn from.

    Raises:
        InputError: There are none, or a dev file has a label that none to learn from has.
    """
    from bertpipe.text.readers.split import is_dev

    config: ClassificationConfig = run.config
    learned = _read(run, config.data)
    measured: list[LabelledText] = []
    if config.dev:
        measured = _read(run, config.dev)
    else:
        measured = [text for text in learned if is_dev(text.text, config.dev_share)]
        learned = [text for text in learned if not is_dev(text.text, config.dev_share)]
    known = {label for text in learned for label in text.labels}
    unknown = [text for text in measured if not known.issuperset(text.labels)]
    if unknown and config.dev:
        first = unknown[0]
        label = next(label for label in first.labels if label not in known)
        raise InputError(
            f"the label {label!r} is on no text to learn from",
            path=first.path,
            line=first.line,
            hint="Add examples of it to data, or take it out of dev.",
        )
    if unknown:
        rare = set(unknown)
        learned, measured = [*learned, *unknown], [text for text in measured if text not in rare]
    require_examples(len(learned), "learn from", run.path(config.data))
    require_examples(len(measured), "measure with", run.path(config.dev or config.data))
    return learned, measured


def _read(run: StageRun, written: str) -> list[LabelledText]:
    from bertpipe.text.readers.labelled import LabelledReader

    config: ClassificationConfig = run.config
    reader = LabelledReader(
        run.path(written),
        text_field=config.text_field,
        pair_field=config.pair_field,
        label_field=config.label_field,
        separator=config.label_separator if config.multi_label else "",
        strict=config.strict,
    )
    found = list(reader)
    note_left_out(run, reader.report)
    for text in found:
        if len(text.labels) != 1 and not config.multi_label:
            raise InputError(
                f"the text has {len(text.labels)} labels",
                path=text.path,
                line=text.line,
                hint="Set finetune.multi_label = true for texts with several or none.",
            )
    return found


def _sequences(
    run: StageRun, texts: Sequence[LabelledText], tokenizer: Tokenizer, labels: Sequence[str]
) -> list[LabelledSequence]:
    from bertpipe.text.sequences import labelled_sequence
    from bertpipe.training.labelled_batches import LabelledSequence

    config: ClassificationConfig = run.config
    place = {label: number for number, label in enumerate(labels)}
    firsts = tokenizer.encode_batch([text.text for text in texts])
    seconds = tokenizer.encode_batch([text.pair for text in texts])
    made = []
    cut = 0
    for text, first, second in zip(texts, firsts, seconds, strict=True):
        ids, types = labelled_sequence(first, second, config.max_tokens, tokenizer.special)
        cut += len(first) + len(second) + (3 if second else 2) > len(ids)
        known = [float(label in text.labels) for label in labels] if config.multi_label else place[text.labels[0]]
        made.append(LabelledSequence(ids, types, known))
    note_cut(run, cut, len(texts))
    return made


_SUMMARY = "Teach the BERT to classify texts."
_EXAMPLE = "bertpipe finetune -p classification.toml --epochs 3"
FINETUNE_CLASSIFICATION = Stage(
    name="finetune",
    version=1,
    config=ClassificationConfig,
    inputs=(Input("tokenize"), Input("pretrain")),
    run=finetune_classification,
    summary=_SUMMARY,
    example=_EXAMPLE,
    source=data_source,
)
CLASSIFICATION_FROM_MODEL = replace(FINETUNE_CLASSIFICATION, inputs=())
