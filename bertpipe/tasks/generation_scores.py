"""The scores of generated text, with intervals: translations, summaries and replies alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bertpipe.errors import InputError
from bertpipe.tasks.bootstrap import bootstrap_interval
from bertpipe.tasks.corpus_scores import bleu, chrf
from bertpipe.tasks.diversity import distinct
from bertpipe.tasks.estimate import Estimate
from bertpipe.tasks.rouge import rouge_signature, rouge_values
from bertpipe.tasks.word_tokens import WordTokens, is_chinese

Language = Literal["auto", "zh", "other"]


@dataclass(frozen=True, slots=True)
class GenerationScores:
    """How good generated texts are.

    Attributes:
        items: How many predictions were scored.
        references: How many references there were for all of them.
        empty: How many predictions have no text.
        language: What BLEU's words are: "zh" takes Chinese apart into characters.
        scores: ``bleu``, ``chrf``, ``rouge1``, ``rouge2``, ``rougeL``, ``exact`` (the share of predictions that are
            equal to a reference, up to white space), ``distinct1`` and ``distinct2``. All are 0 to 100.
        signatures: How ``bleu``, ``chrf`` and ``rouge`` were computed, for others to compute the same.
    """

    items: int
    references: int
    empty: int
    language: Literal["zh", "other"]
    scores: Mapping[str, Estimate]
    signatures: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "items": self.items,
            "references": self.references,
            "empty": self.empty,
            "language": self.language,
            "scores": {name: score.as_json() for name, score in self.scores.items()},
            "signatures": dict(self.signatures),
        }


def score_generation(
    predictions: Sequence[str],
    references: Sequence[str | Sequence[str]],
    *,
    language: Language = "auto",
    seed: int = 0,
) -> GenerationScores:
    """Scores generated texts against what people wrote.

    BLEU and chrF are scores of the whole corpus, ROUGE and exact matches are means over the items. Intervals are those
    of the percentile bootstrap over items.

    Args:
        predictions: N generated texts; one may be empty, and then finds nothing.
        references: For each prediction a text or several.
        language: Of the references. "auto": Chinese if most of their letters are ideographs.
        seed: Of the bootstrap. The result is a pure function of the arguments.

    Raises:
        InputError: There is nothing to score, there are not as many predictions as references, or one of them is not
            text, or a reference is missing or empty.
        BertpipeError: sacrebleu or rouge-score is not installed.
    """
    several = [[item] if isinstance(item, str) else list(item) for item in references]
    _check(predictions, several)
    if language == "auto":
        language = "zh" if is_chinese(text for texts in several for text in texts) else "other"
    corpus = {
        "bleu": bleu(predictions, several, chinese=language == "zh", seed=seed),
        "chrf": chrf(predictions, several, seed=seed),
    }
    scores = {name: Estimate(score.value, (score.low, score.high)) for name, score in corpus.items()}
    for name, values in rouge_values(predictions, several).items():
        scores[name] = _mean(values, seed)
    exact = [_plain(text) in map(_plain, texts) for text, texts in zip(predictions, several, strict=True)]
    scores["exact"] = _mean(100.0 * np.array(exact), seed)
    words = [WordTokens().tokenize(text) for text in predictions]
    for n in (1, 2):
        # A resample repeats items, and what repeats is not distinct: the bootstrap would only find too little.
        scores[f"distinct{n}"] = Estimate(100 * distinct(words, n))
    return GenerationScores(
        items=len(predictions),
        references=sum(map(len, several)),
        empty=sum(not text.strip() for text in predictions),
        language=language,
        scores=scores,
        signatures={name: score.signature for name, score in corpus.items()} | {"rouge": rouge_signature()},
    )


def _check(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if len(predictions) != len(references):
        raise InputError(
            f"{len(predictions):,} predictions do not fit {len(references):,} references",
            hint="Give one line or record for each, in the same order.",
        )
    if not predictions:
        raise InputError("there is nothing to score", why="no prediction and no reference")
    for number, (prediction, texts) in enumerate(zip(predictions, references, strict=True), start=1):
        if not isinstance(prediction, str):
            raise InputError(f"prediction {number} is not text", why=f"it is {prediction!r}")
        if not texts:
            raise InputError(f"prediction {number} has no reference", hint="Give it one, or leave it out.")
        for text in texts:
            if not isinstance(text, str):
                raise InputError(f"the reference of prediction {number} is not text", why=f"it is {text!r}")
            if not text.strip():
                raise InputError(f"the reference of prediction {number} is empty", hint="Fill it in, or leave it out.")


def _plain(text: str) -> str:
    return " ".join(text.split())


def _mean(values: np.ndarray, seed: int) -> Estimate:
    return Estimate(float(values.mean()), bootstrap_interval(values, seed))
