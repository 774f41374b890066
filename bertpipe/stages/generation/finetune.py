"""Teach the Transformer its task: to write a document's title from its text."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from pydantic import Field

from bertpipe.errors import ConfigError, InputError
from bertpipe.models.decoding import DIALOGUE, READ_TO_THE_END, SUMMARIZATION, TRANSLATION
from bertpipe.pipeline.artefact import Manifest
from bertpipe.pipeline.stage import Input, Stage, StageRun
from bertpipe.stages.tokenize import HELD_OUT, TRAIN
from bertpipe.stages.training import TrainingConfig, train

VALIDATION_STEPS = 8
# BART's is from Lewis et al.'s published recipes.
LR, IMPORTED_LR = 2e-3, 3e-5
# Sources cut by more than this share of the pairs are worth a word.
MANY_CUT = 0.01


class FinetuneGeneratorConfig(TrainingConfig):
    """The task and its training."""

    batch_tokens: int = Field(
        8192, ge=64, description="Tokens in a batch, of sources and targets together, padding included."
    )
    max_source: int = Field(
        128, ge=4, description="Tokens of a source that are read; the rest of a longer one is left out."
    )
    max_target: int = Field(
        128, ge=4, description="Tokens of a target that are learned; the rest of a longer one is left out."
    )
    lr: float | None = Field(
        None, gt=0, description="Highest learning rate; by default 0.002, for an imported model 0.00003."
    )
    warmup: float = Field(0.08, ge=0, le=1, description="Share of the steps in which the learning rate rises.")
    schedule: Literal["linear", "inverse-sqrt"] = Field(
        "linear", description="How the rate falls: to 0 at the last step, or with the root of the steps."
    )
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="Share of a piece's probability spread over all.")
    dropout: float | None = Field(None, ge=0, lt=1, description="Dropout in training, instead of the pretrained one's.")
    average: int = Field(
        1, ge=1, description="Legs (tenths of the training) whose last weights are averaged; 5 suits inverse-sqrt."
    )


class SummarizationConfig(FinetuneGeneratorConfig):
    """Summaries: long sources."""

    max_source: int = Field(
        400, ge=4, description="Tokens of a source that are read; the rest of a longer one is left out."
    )
    max_target: int = Field(
        64, ge=4, description="Tokens of a target that are learned; the rest of a longer one is left out."
    )


def finetune_generator(run: StageRun, task: str) -> dict[str, Any]:
    """Writes the generator, its tokenizer and its learning curve.

    Args:
        run: The run.
        task: What it learns.
    """
    import torch

    from bertpipe.models.checkpoint import load_transformer, save_model
    from bertpipe.models.generator import GeneratorSettings
    from bertpipe.models.transformer import Transformer
    from bertpipe.text.token_store import TokenStore
    from bertpipe.text.tokenizer import Tokenizer, tokenizer_file
    from bertpipe.training.sequence_pairs import SequencePairs
    from bertpipe.training.sequence_to_sequence import SequenceToSequence

    config: FinetuneGeneratorConfig = run.config
    tokens = run.inputs["tokenize"]
    pretrained = load_transformer(run.inputs["pretrain"])
    vocab_size = Tokenizer(tokens).vocab_size
    shape = replace(pretrained.config, vocab_size=vocab_size)
    if config.dropout is not None:
        shape = replace(shape, dropout=config.dropout)
    imported = bool(Manifest.read(run.inputs["pretrain"]).config["imported"])
    for key in ("max_source", "max_target"):
        if getattr(config, key) > shape.max_length:
            raise ConfigError(
                f"finetune.{key} = {getattr(config, key)} is more than the model can read or write",
                hint=f"Lower it to {shape.max_length}."
                if imported
                else f"Lower it, or raise pretrain.max_length from {shape.max_length}.",
            )
    torch.manual_seed(config.seed)
    model = Transformer(shape)
    weights = pretrained.state_dict()
    # Pieces beyond the tokenizer's served pretraining only.
    for name in ("token_embedding.weight", "output_bias"):
        if name in weights:
            weights[name] = weights[name][:vocab_size]
    model.load_state_dict(weights)

    def pairs(source: TokenStore) -> SequencePairs:
        return SequencePairs(
            source,
            batch_tokens=config.batch_tokens,
            max_source=config.max_source,
            max_target=config.max_target,
            pad_id=shape.pad_id,
            start_id=shape.start_id,
            end_id=shape.end_id,
            seed=config.seed,
            to_the_end=task in READ_TO_THE_END,
            source_prefix=shape.source_prefix,
            source_suffix=shape.source_suffix,
            first_id=shape.first_id,
        )

    batches, validation = pairs(TokenStore(tokens / TRAIN)), pairs(TokenStore(tokens / HELD_OUT))
    if not batches.num_pairs and config.steps != 0:
        raise InputError(
            "there is nothing to learn from",
            why="no document has both a text (the source) and a title (the target)",
            hint="Name the fields with corpus.text_field and corpus.title_field.",
        )
    for what, cut, key in (
        ("sources", batches.cut_sources, "max_source"),
        ("targets", batches.cut_targets, "max_target"),
    ):
        if cut > MANY_CUT * batches.num_pairs:
            limit = getattr(config, key)
            run.progress.note(f"{cut:,} of {batches.num_pairs:,} {what} are cut at {limit} tokens (finetune.{key})")

    def recipe(steps: int) -> SequenceToSequence:
        return SequenceToSequence(
            model,
            lr=config.lr or (IMPORTED_LR if imported else LR),
            weight_decay=config.weight_decay,
            warmup=config.warmup,
            steps=steps,
            schedule=config.schedule,
            label_smoothing=config.label_smoothing,
        )

    metrics = train(
        run,
        recipe,
        batches,
        validation if validation.num_pairs else None,
        min(VALIDATION_STEPS, validation.steps_per_epoch),
        "fine-tuning",
        average=config.average,
    )
    save_model(model, run.out)
    file = tokenizer_file(tokens)
    shutil.copyfile(file, run.out / file.name)
    # Weights that are taken as they are read texts as they were published to.
    by_sentence = not (imported and config.steps == 0)
    GeneratorSettings(task, config.max_source, config.max_target, by_sentence=by_sentence).save(run.out)
    parameters = sum(item.numel() for item in model.parameters())
    epochs = round(metrics["steps"] / max(1, batches.steps_per_epoch), 2)
    return {**metrics, "pairs": batches.num_pairs, "epochs": epochs, "parameters": parameters}


def _stage(task: str, config: type[FinetuneGeneratorConfig], summary: str) -> Stage:
    return Stage(
        name="finetune",
        version=1,
        config=config,
        inputs=(Input("tokenize"), Input("pretrain")),
        run=partial(finetune_generator, task=task),
        summary=summary,
        example="bertpipe finetune -p translation.toml --budget 30m",
    )


FINETUNE_TRANSLATION = _stage(TRANSLATION, FinetuneGeneratorConfig, "Teach the Transformer to translate.")
FINETUNE_SUMMARIZATION = _stage(SUMMARIZATION, SummarizationConfig, "Teach the Transformer to summarize.")
FINETUNE_DIALOGUE = _stage(DIALOGUE, FinetuneGeneratorConfig, "Teach the Transformer to reply.")
