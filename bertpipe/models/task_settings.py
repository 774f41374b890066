"""What the weights of a model for a task do not tell: its labels, its limits, its calibration."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from bertpipe.errors import ArtefactError

SETTINGS = "task.json"
CLASSIFICATION, TAGGING, SIMILARITY, QUESTION_ANSWERING = (
    "classification",
    "tagging",
    "similarity",
    "question-answering",
)
UNDERSTANDING = (CLASSIFICATION, TAGGING, SIMILARITY, QUESTION_ANSWERING)
"""Tasks of a BERT with a head."""


@dataclass(frozen=True)
class TaskSettings:
    """A model's task, as it learned it.

    Attributes:
        task: One of `UNDERSTANDING`.
        max_tokens: Tokens that it reads at once, special pieces included.
        labels: Names of the classes, or of the tags, in the order of the logits.
        multi_label: A text may have any number of the labels.
        paired: It reads two texts at once.
        scheme: How tags mark spans: "iob2" or "bioes"; empty without tags.
        stride: Tokens that two windows of a long text share.
        temperature: Logits are divided by it before they become probabilities.
        threshold: What a probability, or a score, must exceed to count: a label's of several, an answer's over none.
        slope: A score of similarity is slope times cosine plus intercept ...
        intercept: See there.
        lowest: ... but not below the lowest score that was learned from,
        highest: nor above the highest.
        question_tokens: Tokens of a question that are read.
        answer_tokens: Tokens of the longest answer.
        retrieval_weight: How much a passage's score in a search counts beside the answer in it.

    Raises:
        ArtefactError: A value is impossible.
    """

    task: str
    max_tokens: int
    labels: tuple[str, ...] = ()
    multi_label: bool = False
    paired: bool = False
    scheme: str = ""
    stride: int = 0
    temperature: float = 1.0
    threshold: float = 0.5
    slope: float = 1.0
    intercept: float = 0.0
    lowest: float = -1.0
    highest: float = 1.0
    question_tokens: int = 0
    answer_tokens: int = 0
    retrieval_weight: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not _fits(value, field.default, field.name):
                raise ArtefactError(f"{field.name} = {value!r} is no setting of a task")
        if self.task not in UNDERSTANDING:
            raise ArtefactError(f"there is no task {self.task!r}", why=f"there are {', '.join(UNDERSTANDING)}")
        if self.max_tokens < 3 or not 0 <= self.stride < self.max_tokens:
            raise ArtefactError(f"max_tokens = {self.max_tokens} with stride = {self.stride} reads nothing")
        if not self.temperature > 0 or self.highest <= self.lowest:
            raise ArtefactError(f"temperature = {self.temperature}, {self.lowest} to {self.highest} cannot be")
        if len(set(self.labels)) < len(self.labels):
            raise ArtefactError("a label is there twice", why=", ".join(self.labels))
        if self.task in (CLASSIFICATION, TAGGING) and not self.labels:
            raise ArtefactError(f"there is no label for {self.task}")

    def save(self, folder: Path) -> None:
        """Writes ``task.json``."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (folder / SETTINGS).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> TaskSettings:
        """Reads what `save` wrote.

        Raises:
            ArtefactError: The file is missing or damaged.
        """
        path = folder / SETTINGS
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            labels = values.get("labels", [])
            return cls(**values | {"labels": tuple(labels) if isinstance(labels, list) else labels})
        except (OSError, ValueError, TypeError, AttributeError, ArtefactError) as error:
            raise ArtefactError(f"{path} cannot be read", why=str(error)) from error


def _fits(value: Any, default: Any, name: str) -> bool:
    if name == "labels":
        return isinstance(value, tuple) and all(isinstance(label, str) for label in value)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, int if name == "max_tokens" or isinstance(default, int) else str)
