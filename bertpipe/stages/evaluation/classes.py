"""How well a classifier does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertpipe.errors import InputError
from bertpipe.progress import Progress
from bertpipe.stages.evaluation.calibration import calibration_of
from bertpipe.stages.evaluation.data_fields import DataFields
from bertpipe.text.readers.labelled import LabelledReader, LabelledText

if TYPE_CHECKING:
    from bertpipe.models.predictions import Classified
    from bertpipe.models.predictor import Predictor


def evaluate_classes(
    predictor: Predictor, data: Path, fields: DataFields, errors: int, progress: Progress
) -> dict[str, Any]:
    """Measures a classifier.

    Args:
        predictor: The model.
        data: Labelled texts.
        fields: Where they have what.
        errors: How many of the worst errors to give.
        progress: Told after every text.

    Raises:
        InputError: The data is broken, or has a label that the model does not know.
    """
    import numpy as np

    from bertpipe.tasks.classification_scores import score_classes, score_label_sets

    settings = predictor.settings
    texts = list(
        LabelledReader(
            data,
            text_field=fields.text_field,
            pair_field=fields.pair_field,
            label_field=fields.label_field,
            separator=fields.label_separator if settings.multi_label else "",
        )
    )
    place = {label: number for number, label in enumerate(settings.labels)}
    _check_labels(texts, place, multi_label=settings.multi_label)
    progress.start("predicting", total=len(texts), unit="texts")
    found: list[Classified] = []
    pairs = [text.pair for text in texts] if settings.paired else None
    for prediction in predictor.predict([text.text for text in texts], pairs):
        found.append(prediction)  # type: ignore[arg-type]
        progress.advance(1)
    progress.finish()
    probabilities = np.zeros((len(found), len(place)))  # (N, C)
    for row, prediction in enumerate(found):
        for one in prediction.probabilities:
            probabilities[row, place[one.label]] = one.probability
    if settings.multi_label:
        gold = np.array([[label in text.labels for label in settings.labels] for text in texts])
        predicted = np.array([[label in one.labels for label in settings.labels] for one in found])
        scores = score_label_sets(predicted, gold, settings.labels)
        sure = np.maximum(probabilities, 1 - probabilities)
        calibration = calibration_of(sure.ravel(), ((probabilities > 0.5) == gold).ravel())
    else:
        true = np.array([place[text.labels[0]] for text in texts])
        said = probabilities.argmax(axis=1)
        scores = score_classes(said, true, settings.labels)
        calibration = calibration_of(probabilities.max(axis=1), said == true)
    report = scores.as_json()
    matrix = {} if settings.multi_label else {"confusion": {"labels": report["labels"], "matrix": report["confusion"]}}
    return {
        "items": report["items"],
        "scores": report["scores"],
        "majority": report["majority"],
        "cut": sum(one.cut for one in found),
        "classes": report["by_label"],
        **matrix,
        "calibration": calibration,
        "errors": _worst(texts, found, errors),
    }


def _check_labels(texts: list[LabelledText], known: dict[str, int], *, multi_label: bool) -> None:
    for text in texts:
        unknown = next((label for label in text.labels if label not in known), None)
        if unknown is not None:
            raise InputError(
                f"the model does not know the label {unknown!r}",
                path=text.path,
                line=text.line,
                why=f"it learned {', '.join(sorted(known)[:8])}{' ...' if len(known) > 8 else ''}",
                hint="Take such texts out, or train with examples of it.",
            )
        if len(text.labels) != 1 and not multi_label:
            raise InputError(f"the text has {len(text.labels)} labels", path=text.path, line=text.line)


def _worst(texts: list[LabelledText], found: list[Classified], most: int) -> list[dict[str, Any]]:
    """Errors that the model was surest of."""
    wrong = []
    for text, prediction in zip(texts, found, strict=True):
        if set(text.labels) != set(prediction.labels):
            probability = {one.label: one.probability for one in prediction.probabilities}
            # Of the right labels the one that it thought least of.
            missed = min((probability[label] for label in text.labels), default=0.0)
            wrong.append((missed, text, prediction))
    wrong.sort(key=lambda one: one[0])
    return [
        {
            "id": text.id,
            "right": ", ".join(text.labels),
            "predicted": ", ".join(prediction.labels),
            "probability": round(prediction.probabilities[0].probability, 4),
            "text": text.text if prediction.pair is None else f"{text.text} | {text.pair}",
        }
        for _, text, prediction in wrong[:most]
    ]
