"""Teach a BERT to say how similar two texts are."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from bertpipe.errors import InputError, TrainingError
from bertpipe.models.task_settings import SIMILARITY
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
    train_best,
)

if TYPE_CHECKING:
    from bertpipe.text.readers.scored_pairs import ScoredPair
    from bertpipe.text.tokenizer import Tokenizer
    from bertpipe.training.labelled_batches import LabelledSequence


class SimilarityConfig(UnderstandingConfig):
    """Pairs of texts with scores."""

    text_field: str = Field("text", description="Field of one text; a number is the column of a table without a head.")
    pair_field: str = Field("pair", description="Field of the other text.")
    score_field: str = Field("score", description="Field of the score, on whatever scale; more is more similar.")
    max_tokens: int = Field(128, ge=8, description="Tokens of each text that the model reads.")
    loss: Literal["cosent", "mse"] = Field(
        "cosent", description="What is learned: the order of the scores, or the scores themselves."
    )


def finetune_similarity(run: StageRun) -> dict[str, Any]:
    """Writes the encoder, its tokenizer, its scale and its learning curve."""
    import numpy as np
    import torch

    from bertpipe.models.checkpoint import save_model
    from bertpipe.models.task_settings import TaskSettings
    from bertpipe.stages.understanding.base_model import open_base_model, text_encoder
    from bertpipe.training.budget import training_device
    from bertpipe.training.dev_scored import dev_outputs
    from bertpipe.training.labelled_batches import LabelledBatches
    from bertpipe.training.layer_rates import freeze, layer_scales
    from bertpipe.training.similarity import Similarity

    config: SimilarityConfig = run.config
    learned, measured = read_pairs(run)
    scores = [pair.score for pair in learned]
    if min(scores) == max(scores):
        raise InputError(
            "there is no difference to learn", path=run.path(config.data), why=f"every score is {scores[0]:g}"
        )
    base = open_base_model(run)
    check_length(config, base.bert.config.max_length, imported=base.imported)
    torch.manual_seed(config.seed)
    freeze(base.bert, config.freeze)
    model = text_encoder(base)
    lowest, highest = min(scores), max(scores)
    pad_id = base.tokenizer.pad_id

    def batches(pairs: Sequence[ScoredPair], tokens: int) -> LabelledBatches:
        sequences = _sequences(run, pairs, base.tokenizer, lowest, highest)
        return LabelledBatches(sequences, batch_tokens=tokens, pad_id=pad_id, seed=config.seed)

    train_batches, dev = batches(learned, config.batch_tokens), batches(measured, 4 * config.batch_tokens)
    truth = np.array([pair.score for pair in measured])
    scales = layer_scales(base.bert.config.layers, config.layer_decay, "bert.")

    def module(steps: int) -> Similarity:
        return Similarity(
            model,
            truth=truth,
            loss=config.loss,
            pad_id=pad_id,
            lr=learning_rate(config, base),
            weight_decay=config.weight_decay,
            warmup=config.warmup,
            steps=steps,
            layer_scales={"pooling.": config.head_lr_scale, **scales},
        )

    metrics = train_best(run, module, train_batches, dev, best="spearman", label="learning similarity")
    scorer = module(1)
    cosines = np.array(dev_outputs(scorer, dev, training_device(config.accelerator)), dtype=np.float64)
    slope, intercept = np.polyfit(cosines, truth, 1) if np.ptp(cosines) > 0 else (0.0, 0.0)
    if not slope > 0:
        raise TrainingError(
            "the model finds no likeness in the texts that people found alike",
            why=f"its cosines fall as the scores of {len(measured):,} dev pairs rise",
            hint="More is more similar: check score_field. Else train longer.",
        )
    save_model(model, run.out)
    shutil.copyfile(base.file, run.out / base.file.name)
    TaskSettings(
        SIMILARITY,
        config.max_tokens,
        paired=True,
        slope=float(slope),
        intercept=float(intercept),
        lowest=lowest,
        highest=highest,
    ).save(run.out)
    counts = {"pairs": len(learned), "dev_pairs": len(measured)}
    return {**metrics, **figures_of(scorer.figures(list(cosines))), **counts}


def read_pairs(run: StageRun) -> tuple[list[ScoredPair], list[ScoredPair]]:
    """The pairs to learn from, and those to measure with.

    Raises:
        InputError: There are none, or those to measure with all have one score.
    """
    from bertpipe.text.readers.scored_pairs import ScoredPairReader
    from bertpipe.text.readers.split import is_dev

    config: SimilarityConfig = run.config

    def read(written: str) -> list[ScoredPair]:
        reader = ScoredPairReader(
            run.path(written),
            text_field=config.text_field,
            pair_field=config.pair_field,
            score_field=config.score_field,
            strict=config.strict,
        )
        found = list(reader)
        note_left_out(run, reader.report)
        return found

    learned = read(config.data)
    if config.dev:
        measured = read(config.dev)
    else:
        measured = [pair for pair in learned if is_dev(pair.text, config.dev_share)]
        learned = [pair for pair in learned if not is_dev(pair.text, config.dev_share)]
    require_examples(len(learned), "learn from", run.path(config.data))
    require_examples(len(measured), "measure with", run.path(config.dev or config.data))
    if len({pair.score for pair in measured}) < 2:
        raise InputError(
            "there is no order to measure with",
            path=run.path(config.dev or config.data),
            why=f"every score of {len(measured):,} dev pairs is {measured[0].score:g}",
        )
    return learned, measured


def _sequences(
    run: StageRun, pairs: Sequence[ScoredPair], tokenizer: Tokenizer, lowest: float, highest: float
) -> list[LabelledSequence]:
    """A text in either segment; scores are scaled to 0 to 1."""
    from bertpipe.text.sequences import query_sequence
    from bertpipe.training.labelled_batches import LabelledSequence

    limit = run.config.max_tokens
    sides = [tokenizer.encode_batch(texts) for texts in ([one.text for one in pairs], [one.pair for one in pairs])]
    note_cut(run, sum(len(ids) + 2 > limit for side in sides for ids in side), 2 * len(pairs))
    made = []
    for pair, *both in zip(pairs, *sides, strict=True):
        first, second = (query_sequence(ids, limit, tokenizer.special) for ids in both)
        types = [0] * len(first) + [1] * len(second)
        made.append(LabelledSequence([*first, *second], types, (pair.score - lowest) / (highest - lowest)))
    return made


_SUMMARY = "Teach the BERT how similar texts are."
_EXAMPLE = "bertpipe finetune -p similarity.toml --epochs 4"
FINETUNE_SIMILARITY = Stage(
    name="finetune",
    version=1,
    config=SimilarityConfig,
    inputs=(Input("tokenize"), Input("pretrain")),
    run=finetune_similarity,
    summary=_SUMMARY,
    example=_EXAMPLE,
    source=data_source,
)
SIMILARITY_FROM_MODEL = replace(FINETUNE_SIMILARITY, inputs=())
