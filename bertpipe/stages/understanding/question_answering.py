"""Teach a BERT to find the answer to a question in a text: as a task of its own, or as the reader of an index."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from bertpipe.errors import InputError
from bertpipe.models.task_settings import QUESTION_ANSWERING, TaskSettings
from bertpipe.pipeline.stage import Input, Stage, StageRun
from bertpipe.stages.understanding.base_model import open_base_model
from bertpipe.stages.understanding.settings import (
    UnderstandingConfig,
    data_source,
    learning_rate,
    require_examples,
    require_steps,
    train_best,
)

if TYPE_CHECKING:
    from bertpipe.text.readers.squad import Question, SquadReader

CURVE_OF_THRESHOLDS = "thresholds.json"
# With fewer articles, a tenth of them may be none: paragraphs are set apart instead.
FEW_ARTICLES = 30
# Texts among which dev questions are searched for, to see what reading after a search needs: theirs, and others.
SEARCHED_TEXTS = 2000


class QuestionAnsweringConfig(UnderstandingConfig):
    """The questions, how they are read, and the training."""

    data: str = Field(description="Questions with their texts and answers: a JSON file like SQuAD's 1.1 or 2.0.")
    dev_questions: int = Field(1000, ge=1, description="Questions to measure with, at most.")
    strict: bool = Field(False, description="Stop at an answer that does not stand where it should; else leave it out.")
    max_tokens: int = Field(256, ge=24, description="Tokens of a question and a window of its text together.")
    stride: int = Field(64, ge=0, description="Tokens that two windows of a long text share.")
    question_tokens: int = Field(64, ge=4, description="Tokens of a question that are read.")
    answer_tokens: int = Field(30, ge=1, description="Tokens of the longest answer.")
    negatives: float = Field(
        0.5, ge=0, le=4, description="Questions asked about another text of their article, beside each with an answer."
    )
    changed: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of the questions also asked with a word exchanged, or the contrary: no answer.",
    )
    quantize: bool = Field(
        False, description="The graph that answers without torch computes in 8 bits: faster, a little less exact."
    )
    epochs: float = Field(2.0, gt=0, description="How often all of data is seen, if no steps, tokens or budget say so.")
    batch_tokens: int = Field(4096, ge=24, description="Tokens in a batch, padding included.")


def learn_to_read(run: StageRun) -> dict[str, Any]:
    """Writes the reader's weights, its ONNX graph, its threshold and its learning curve."""
    import torch

    from bertpipe.models.answer_reader import AnswerReader
    from bertpipe.models.answerer import answerer
    from bertpipe.models.checkpoint import load_reader, save_model
    from bertpipe.models.onnx_export import export_reader
    from bertpipe.models.quantization import quantize
    from bertpipe.retrieval.index_folder import READER as READER_FOLDER
    from bertpipe.retrieval.reader import GRAPH
    from bertpipe.stages.understanding.search_tuning import tune_for_search
    from bertpipe.tasks.answer_worth import AnswerWorth
    from bertpipe.text.windows import QuestionFrame
    from bertpipe.training.answer_windows import AnswerWindows
    from bertpipe.training.answering import Answering, answers_of
    from bertpipe.training.budget import training_device
    from bertpipe.training.changed_questions import changed_questions
    from bertpipe.training.dev_scored import dev_outputs
    from bertpipe.training.labelled_batches import LabelledBatches
    from bertpipe.training.layer_rates import freeze, layer_scales

    config: QuestionAnsweringConfig = run.config
    base = open_base_model(run)
    bert = base.bert
    frame = QuestionFrame(config.max_tokens, config.stride, config.question_tokens)
    frame.check(bert.config.max_length)
    torch.manual_seed(config.seed)
    model = AnswerReader(bert)
    if base.task == QUESTION_ANSWERING:
        model.head.load_state_dict(load_reader(base.folder).head.state_dict())
    else:
        require_steps(config)
    freeze(bert, config.freeze)
    questions, dev_questions = _questions(run)

    def windows(asked: Sequence[Question], *, made_up: bool, label: str) -> AnswerWindows:
        if made_up and config.changed:
            run.progress.start("exchanging words of questions", unit="questions")
            asked = [*asked, *changed_questions(asked, config.changed, config.seed)]
            run.progress.finish()
        run.progress.start(label, total=len(asked), unit="questions")
        made = AnswerWindows(
            asked,
            base.tokenizer,
            frame,
            negatives=config.negatives if made_up else 0.0,
            seed=config.seed,
            advance=run.progress.advance,
        )
        run.progress.finish()
        if made.cut:
            run.progress.note(f"{made.cut:,} questions are cut at {frame.question_tokens} tokens (question_tokens)")
        return made

    learned = windows(questions, made_up=True, label="reading questions")
    own_negatives = any(one.impossible for one in dev_questions)
    dev = windows(dev_questions, made_up=not own_negatives, label="reading dev questions")
    worth = AnswerWorth(dev.golds)

    def batches(sequences: AnswerWindows, factor: int = 1) -> LabelledBatches:
        size = factor * config.batch_tokens
        return LabelledBatches(sequences, batch_tokens=size, pad_id=base.tokenizer.pad_id, seed=config.seed)

    def module(steps: int) -> Answering:
        scales = layer_scales(bert.config.layers, config.layer_decay, "bert.")
        return Answering(
            model,
            longest=config.answer_tokens,
            dev=dev,
            measure=worth.figures,
            lr=learning_rate(config, base),
            weight_decay=config.weight_decay,
            warmup=config.warmup,
            steps=steps,
            layer_scales={"head.": 1.0 if base.task == QUESTION_ANSWERING else config.head_lr_scale, **scales},
        )

    measured = batches(dev, 2)
    metrics = train_best(run, module, batches(learned), measured, best="mean_f1", label="learning to find answers")
    device = training_device(config.accelerator)
    found = answers_of(dev, dev_outputs(module(1), measured, device), config.answer_tokens)
    curve = worth.curve(found)
    settings = TaskSettings(
        task=QUESTION_ANSWERING,
        max_tokens=config.max_tokens,
        stride=config.stride,
        threshold=curve.best.threshold,
        question_tokens=config.question_tokens,
        answer_tokens=config.answer_tokens,
    )
    words = run.resume / "dev_words"
    shutil.rmtree(words, ignore_errors=True)
    run.progress.start("reading what a search finds", unit="questions")
    search = tune_for_search(
        [(one.question, [answer.text for answer in one.answers]) for one in dev_questions],
        list(dict.fromkeys([*dev.contexts, *learned.contexts]))[:SEARCHED_TEXTS],
        answerer(model, base.tokenizer, settings, device),
        worth.f1,
        words,
        run.progress.advance,
    )
    run.progress.finish()
    settings = replace(settings, retrieval_weight=search.weight)
    save_model(model.cpu(), run.out)
    settings.save(run.out)
    curves = curve.as_json() | {"search": search.curve.as_json() if search.curve else None}
    (run.out / CURVE_OF_THRESHOLDS).write_text(json.dumps(curves, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(base.file, run.out / base.file.name)
    folder = run.out / READER_FOLDER
    folder.mkdir(exist_ok=True)
    export_reader(model, folder / GRAPH)
    if config.quantize:
        quantize(folder / GRAPH)
    shutil.copyfile(base.file, folder / base.file.name)
    # Among the passages of a search an answer has more rivals than in its own text.
    in_search = search.curve.best if search.curve else curve.best
    replace(settings, threshold=in_search.threshold).save(folder)
    rounded = {name: round(value, 2) for name, value in worth.figures(found).items()}
    return {
        **metrics,
        **rounded,
        "threshold": round(curve.best.threshold, 4),
        "coverage": round(curve.best.coverage, 4),
        "always_empty_f1": round(worth.always_empty, 2),
        **({"search_f1": round(search.curve.best.f1, 2)} if search.curve else {}),
        "search_threshold": round(in_search.threshold, 4),
        "retrieval_weight": search.weight,
        "questions": len(learned.names),
        "dev_questions": len(dev.names),
    }


def _questions(run: StageRun) -> tuple[list[Question], list[Question]]:
    """The questions to learn from, and those to measure with: of other articles, or else of other paragraphs."""
    from bertpipe.text.readers.split import is_dev
    from bertpipe.text.readers.squad import SquadReader

    config: QuestionAnsweringConfig = run.config
    path = run.path(config.data)
    questions = _read(run, SquadReader(path, strict=config.strict))
    if config.dev:
        dev_path = run.path(config.dev)
        dev = _read(run, SquadReader(dev_path, strict=config.strict))
    else:
        dev_path = path
        by_article = len({one.title for one in questions}) >= FEW_ARTICLES
        apart = [is_dev(one.title if by_article else one.context, config.dev_share) for one in questions]
        dev = [one for one, held in zip(questions, apart, strict=True) if held]
        questions = [one for one, held in zip(questions, apart, strict=True) if not held]
    require_examples(len(questions), "learn from", path)
    require_examples(len(dev), "measure with", dev_path)
    if not any(one.answers for one in questions):
        raise InputError("no question has an answer", path=path, hint="An extractive reader learns from answers.")
    # An even choice that stays the same when questions are added elsewhere in the file.
    dev.sort(key=lambda one: hashlib.sha256(one.id.encode("utf-8", "surrogatepass")).digest())
    return questions, dev[: config.dev_questions]


def _read(run: StageRun, reader: SquadReader) -> list[Question]:
    questions = list(reader)
    report = reader.report
    if report.bad_offsets:
        run.progress.note(
            f"{report.bad_offsets:,} answers do not stand where they should and are left out, with them "
            f"{report.skipped:,} questions; the first: {report.problems[0]}"
        )
    return questions


FINETUNE_QUESTION_ANSWERING = Stage(
    name="finetune",
    version=4,
    config=QuestionAnsweringConfig,
    inputs=(Input("tokenize"), Input("pretrain")),
    run=learn_to_read,
    summary="Teach the BERT to find the answers to questions.",
    example="bertpipe finetune -p qa.toml --budget 30m",
    source=data_source,
)
QUESTION_ANSWERING_FROM_MODEL = replace(FINETUNE_QUESTION_ANSWERING, inputs=())
"""The same from the model that the key ``model`` names."""

READER = replace(
    FINETUNE_QUESTION_ANSWERING,
    name="reader",
    summary="Teach the BERT to find answers in passages, for `bertpipe ask`.",
    example="bertpipe run --set finetune.reader.budget=30m",
    hidden=True,
    table="finetune.reader",
)
READER_FROM_MODEL = replace(READER, inputs=())
"""The same from the model that the key ``model`` names."""
