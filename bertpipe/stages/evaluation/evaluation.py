"""A trained model of a task, measured on labelled data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bertpipe.errors import ConfigError
from bertpipe.models.task_settings import CLASSIFICATION, QUESTION_ANSWERING, TAGGING, TaskSettings
from bertpipe.progress import Progress
from bertpipe.stages.evaluation.answers import evaluate_answers
from bertpipe.stages.evaluation.classes import evaluate_classes
from bertpipe.stages.evaluation.data_fields import DataFields
from bertpipe.stages.evaluation.entities import evaluate_entities
from bertpipe.stages.evaluation.similarities import evaluate_similarities
from bertpipe.stages.training import CURVE


def evaluate_model(
    folder: Path,
    data: Path,
    *,
    given: Mapping[str, str | None],
    rules: str | None,
    errors: int,
    progress: Progress,
) -> dict[str, Any]:
    """Measures a model on labelled data of its task.

    Args:
        folder: The artefact of a finetune step for one of `bertpipe.models.task_settings.UNDERSTANDING`.
        data: A file or folder in one of the formats that the step reads.
        given: Fields that the user has named, see `DataFields`.
        rules: Of answers, see `evaluate_answers`; None lets the data decide.
        errors: How many of the worst errors to give.
        progress: Told how far it is.

    Returns:
        JSON values: ``task``, ``model``, ``data``, ``items``, ``scores`` with intervals, and what else the task has.

    Raises:
        BertpipeError: The model is damaged, the data broken, or something was set that the task does not have.
    """
    task = TaskSettings.load(folder).task
    fields = DataFields.of_model(folder, given)
    if task == QUESTION_ANSWERING:
        report = evaluate_answers(folder, data, rules, errors, progress)
    elif rules:
        raise ConfigError("--rules means nothing for this model's task")
    else:
        from bertpipe.models.predictor import Predictor

        evaluate = {CLASSIFICATION: evaluate_classes, TAGGING: evaluate_entities}.get(task, evaluate_similarities)
        report = evaluate(Predictor(folder), data, fields, errors, progress)
    curve = folder / CURVE
    points = [json.loads(line) for line in curve.read_text(encoding="utf-8").splitlines()] if curve.is_file() else []
    return {"task": task, "model": str(folder), "data": str(data), **report, "curve": points}
