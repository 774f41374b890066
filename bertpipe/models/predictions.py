"""What a model says about a text, one class a task."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bertpipe.tasks.answer_spans import AnswerSpan

# Digits that are worth writing down.
DIGITS = 4


@dataclass(frozen=True)
class LabelProbability:
    """A label and how probable it is, calibrated on the dev set."""

    label: str
    probability: float


@dataclass(frozen=True)
class Classified:
    """The classes of a text.

    Attributes:
        text: The text.
        pair: The second text; None where there is none.
        labels: What it is: one label, or those of several that are probable enough, likeliest first.
        probabilities: Of all labels, likeliest first.
        cut: The model has not read the end.
    """

    text: str
    pair: str | None
    labels: tuple[str, ...]
    probabilities: tuple[LabelProbability, ...]
    cut: bool

    def as_json(self, top: int | None = None) -> dict[str, Any]:
        """JSON values, with the likeliest labels alone if so many are asked for."""
        probabilities = [
            {"label": one.label, "probability": round(one.probability, DIGITS)} for one in self.probabilities[:top]
        ]
        pair = {} if self.pair is None else {"pair": self.pair}
        return {"text": self.text, **pair, "labels": list(self.labels), "probabilities": probabilities, "cut": self.cut}


@dataclass(frozen=True)
class Entity:
    """A span of a text that has a name of a kind.

    Attributes:
        label: The kind.
        text: The span.
        start: Where it begins in the text, in characters.
        end: Where it ends.
        probability: Of the least sure of its tags.
    """

    label: str
    text: str
    start: int
    end: int
    probability: float


@dataclass(frozen=True)
class Tagged:
    """The entities of a text, in their order.

    Attributes:
        text: The text.
        entities: What was found.
    """

    text: str
    entities: tuple[Entity, ...]

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        entities = [asdict(entity) | {"probability": round(entity.probability, DIGITS)} for entity in self.entities]
        return {"text": self.text, "entities": entities}


@dataclass(frozen=True)
class Compared:
    """How similar two texts are.

    Attributes:
        text: One.
        pair: The other.
        score: On the scale of the scores that were learned from.
        cosine: Of the texts' vectors.
        cut: The model has not read the end of one.
    """

    text: str
    pair: str
    score: float
    cosine: float
    cut: bool

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self) | {"score": round(self.score, DIGITS), "cosine": round(self.cosine, DIGITS)}


@dataclass(frozen=True)
class Answered:
    """What a text answers to a question.

    Attributes:
        text: The question.
        pair: The text that was read for it.
        answers: Most probable first; none where the text does not answer it.
        cut: The model has not read the end of the question.
    """

    text: str
    pair: str
    answers: tuple[AnswerSpan, ...]
    cut: bool

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        answers = [
            {"text": one.text, "start": one.start, "end": one.end, "probability": round(one.score, DIGITS)}
            for one in self.answers
        ]
        return {"text": self.text, "pair": self.pair, "answers": answers, "cut": self.cut}


Prediction = Classified | Tagged | Compared | Answered
