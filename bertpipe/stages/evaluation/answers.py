"""How well a reader finds answers in the texts that have them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertpipe.errors import InputError
from bertpipe.progress import Progress
from bertpipe.text.readers.squad import SquadReader

if TYPE_CHECKING:
    from bertpipe.models.passage_reader import Reading

# Questions that are read together.
GROUP = 64


def evaluate_answers(folder: Path, data: Path, rules: str | None, errors: int, progress: Progress) -> dict[str, Any]:
    """Measures a reader, each question on its own text.

    Args:
        folder: The model's.
        data: Questions, as JSON like SQuAD's.
        rules: "squad" for SQuAD 1.1, "squad2" or "cmrc"; None: CMRC's for Chinese, else SQuAD 2.0's where there are
            questions without an answer, else SQuAD 1.1's.
        errors: How many of the worst errors to give.
        progress: Told after every question.

    Raises:
        InputError: The data is broken.
    """
    from bertpipe.models.answerer import open_answerer
    from bertpipe.tasks.answer_scores import answer_values, score_answers
    from bertpipe.tasks.word_tokens import is_chinese

    reader = open_answerer(folder)
    asked = SquadReader(data)
    questions = list(asked)
    if not questions:
        raise InputError("there is no question to measure with", path=data)
    some_impossible = any(one.impossible for one in questions)
    if rules is None:
        chinese = is_chinese(answer.text for one in questions for answer in one.answers)
        rules = "cmrc" if chinese else "squad2" if some_impossible else "squad"
    progress.start("reading", total=len(questions), unit="questions")
    readings: list[Reading] = []
    for start in range(0, len(questions), GROUP):
        some = questions[start : start + GROUP]
        readings += reader.read_pairs([(one.question, one.context) for one in some], k=1)
        progress.advance(len(some))
    progress.finish()
    best = [reading.answers[0] if reading.answers else None for reading in readings]
    truth = [[answer.text for answer in one.answers] for one in questions]
    forced = [one.text if one else "" for one in best]
    none = [1.0 - one.score if one else 1.0 for one in best]
    # Where every question has an answer, none is held back.
    said = [one.text if one and (not some_impossible or reader.good_enough(one)) else "" for one in best]
    report = score_answers(said, truth, rules=rules).as_json()  # type: ignore[arg-type]
    if some_impossible:
        report["best"] = score_answers(forced, truth, rules=rules, no_answer=none, resamples=0).as_json()["best"]  # type: ignore[arg-type]
        report["always_empty"] = round(100 * sum(one.impossible for one in questions) / len(questions), 2)
        report["no_answer"] = _no_answer(said, truth)
    f1 = answer_values(said, truth, rules)["f1"]  # type: ignore[arg-type]
    forced_f1 = answer_values(forced, truth, rules)["f1"]  # type: ignore[arg-type]
    order = sorted(range(len(questions)), key=lambda place: (f1[place], none[place]))
    worst = [
        {
            "id": questions[place].id,
            "question": questions[place].question,
            "right": " / ".join(dict.fromkeys(truth[place])) or "no answer",
            "predicted": said[place] or "no answer",
            "score": round(1 - none[place], 4),
        }
        for place in order[:errors]
        if f1[place] < 100
    ]
    return {
        **report,
        "cut": sum(reading.cut for reading in readings),
        "left_out": asked.report.skipped,
        "coverage": _coverage(none, forced_f1),
        "errors": worst,
    }


def _no_answer(said: list[str], truth: list[list[str]]) -> dict[str, float]:
    """Precision and recall of saying that there is no answer."""
    silent = sum(not text for text in said)
    rightly = sum(not text and not answers for text, answers in zip(said, truth, strict=True))
    without = sum(not answers for answers in truth)
    return {
        "precision": round(rightly / silent, 4) if silent else 0.0,
        "recall": round(rightly / without, 4) if without else 0.0,
    }


def _coverage(none: list[float], f1: Any) -> list[dict[str, float]]:
    """Mean F1 of the answers that the reader is surest of, for every twentieth of the questions."""
    import numpy as np

    order = np.argsort(none, kind="stable")
    sums = np.cumsum(np.asarray(f1)[order])
    counts = sorted({max(1, round(share * len(order) / 20)) for share in range(1, 21)})
    return [{"coverage": round(n / len(order), 4), "f1": round(float(sums[n - 1]) / n, 2)} for n in counts]
