"""How well a model tells how similar two texts are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertpipe.progress import Progress
from bertpipe.stages.evaluation.data_fields import DataFields
from bertpipe.text.readers.scored_pairs import ScoredPairReader

if TYPE_CHECKING:
    from bertpipe.models.predictions import Compared
    from bertpipe.models.predictor import Predictor


def evaluate_similarities(
    predictor: Predictor, data: Path, fields: DataFields, errors: int, progress: Progress
) -> dict[str, Any]:
    """Measures a model of similarity; see `bertpipe.stages.evaluation.classes.evaluate_classes`."""
    from bertpipe.tasks.correlation import score_similarities

    pairs = list(
        ScoredPairReader(
            data, text_field=fields.text_field, pair_field=fields.pair_field, score_field=fields.score_field
        )
    )
    progress.start("comparing", total=len(pairs), unit="pairs")
    found: list[Compared] = []
    for prediction in predictor.predict([pair.text for pair in pairs], [pair.pair for pair in pairs]):
        found.append(prediction)  # type: ignore[arg-type]
        progress.advance(1)
    progress.finish()
    # The cosine, as the score is cut at the ends of its scale.
    report = score_similarities([one.cosine for one in found], [pair.score for pair in pairs]).as_json()
    order = sorted(range(len(pairs)), key=lambda place: -abs(found[place].score - pairs[place].score))
    worst = [
        {
            "id": pairs[place].id,
            "right": pairs[place].score,
            "predicted": round(found[place].score, 4),
            "text": f"{pairs[place].text} | {pairs[place].pair}",
        }
        for place in order[:errors]
    ]
    scatter = {
        "expected": [pair.score for pair in pairs],
        "predicted": [round(one.score, 4) for one in found],
    }
    return {**report, "cut": sum(one.cut for one in found), "scatter": scatter, "errors": worst}
