"""How well a tagger does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertpipe.progress import Progress
from bertpipe.stages.evaluation.calibration import calibration_of
from bertpipe.stages.evaluation.data_fields import DataFields
from bertpipe.text.readers.tagged import TaggedReader, TaggedSentence
from bertpipe.text.words import join_words, units_of

if TYPE_CHECKING:
    from bertpipe.models.predictor import Predictor
    from bertpipe.tasks.tagging_scheme import Span

# Sentences whose windows are computed together.
GROUP = 256


def evaluate_entities(
    predictor: Predictor, data: Path, fields: DataFields, errors: int, progress: Progress
) -> dict[str, Any]:
    """Measures a tagger on the words of the data; see `bertpipe.stages.evaluation.classes.evaluate_classes`."""
    import numpy as np

    from bertpipe.tasks.entity_scores import score_entities
    from bertpipe.text.tagger_sequences import unit_tags, word_tags

    scheme = predictor.tagging_scheme
    sentences = list(TaggedReader(data, word_column=fields.word_column, tag_column=fields.tag_column))
    place = {label: number for number, label in enumerate(scheme.labels)}
    progress.start("tagging", total=len(sentences), unit="sentences")
    said: list[list[str]] = []
    sure, right = [], []
    for start in range(0, len(sentences), GROUP):
        some = sentences[start : start + GROUP]
        units = [units_of(sentence.words, predictor.tokenizer) for sentence in some]
        scores = predictor.unit_log_probabilities(units)
        for sentence, its_units, log_probabilities in zip(some, units, scores, strict=True):
            decoded = [scheme.labels[label] for label in scheme.decode(log_probabilities)]
            said.append(word_tags(its_units, scheme.to_iob2(decoded), sentence.words))
            true = scheme.from_iob2(unit_tags(its_units, sentence.tags, sentence.words))
            # A type that the model does not know is never right.
            numbers = np.array([place.get(tag, -1) for tag in true])
            sure.append(np.exp(log_probabilities.max(axis=1)))
            right.append(log_probabilities.argmax(axis=1) == numbers)
        progress.advance(len(some))
    progress.finish()
    report = score_entities(said, [sentence.tags for sentence in sentences]).as_json()
    return {
        "items": report["sentences"],
        "entities": report["gold"],
        "predicted": report["predicted"],
        "scores": report["scores"],
        "classes": report["by_type"],
        "calibration": calibration_of(np.concatenate(sure), np.concatenate(right)),
        "errors": _worst(sentences, said, errors),
    }


def _worst(sentences: Sequence[TaggedSentence], said: Sequence[Sequence[str]], most: int) -> list[dict[str, Any]]:
    """Sentences with the most entities that are missing, or that are none."""
    from bertpipe.tasks.tagging_scheme import spans_of

    wrong = []
    for place, (sentence, tags) in enumerate(zip(sentences, said, strict=True)):
        true, found = set(spans_of(sentence.tags)), set(spans_of(tags))
        if true != found:
            wrong.append((-len(true ^ found), place, sorted(true), sorted(found)))
    wrong.sort()
    return [
        {
            "id": sentences[place].id,
            "right": _named(sentences[place].words, true),
            "predicted": _named(sentences[place].words, found),
            "text": join_words(sentences[place].words)[0],
        }
        for _, place, true, found in wrong[:most]
    ]


def _named(words: Sequence[str], spans: Sequence[Span]) -> str:
    return "; ".join(f"{span.kind}: {join_words(words[span.start : span.end])[0]}" for span in spans) or "none"
