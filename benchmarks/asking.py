r"""Asking a whole collection: how good the answers are, and what is lost in searching and what in reading.

    python benchmarks/asking.py --data FOLDER --folder FOLDER --model models/minilm \
        --reader FOLDER/squad/runs/squad/finetune

``--data`` holds squad/{train-v1.1,half_dev-v2.0}.json; ``--model`` is an imported text encoder, ``--reader`` what the
recipe squad of understanding.py trained. The paragraphs of half_dev are the collection. A question is asked of all of
them, and its own paragraph is read for comparison. The threshold of the reader comes from articles of train-v1.1 that
it was not trained on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bertpipe.retrieval.asking import ask
from bertpipe.retrieval.fusion import NEARNESS
from bertpipe.retrieval.index import Index
from bertpipe.tasks.answer_scores import answer_values, score_answers
from bertpipe.text.readers.split import is_dev
from bertpipe.text.readers.squad import Question, SquadReader

PIPELINE = """
[corpus]
path = "paragraphs.jsonl"
[tokenize]
imported = "{model}"
[pretrain]
imported = "{model}"
steps = 0
[finetune]
steps = 0
query_tokens = 64
passage_tokens = 254
[finetune.reader]
model = "{reader}"
steps = 0
data = "learn.json"
dev = "dev.json"
"""
DEV_SHARE = 0.1
"""The share of articles that the recipe squad measured with."""


@dataclass(frozen=True)
class Asked:
    """A question, and what came of it.

    Attributes:
        question: The question.
        own: The best answer in its own paragraph, and its probability.
        answer: The best answer in the collection, and its probability.
        read: Its own paragraph was among those that were read.
        took_ms: Milliseconds.
    """

    question: Question
    own: tuple[str, float]
    answer: tuple[str, float]
    read: bool
    took_ms: float


def prepare(data: Path, folder: Path, model: Path, reader: Path) -> list[Question]:
    """Writes the collection, the questions for the threshold and the pipeline file.

    Returns:
        The questions to ask.
    """
    questions = list(SquadReader(data / "squad" / "half_dev-v2.0.json"))
    contexts = dict.fromkeys((one.context, one.title) for one in questions)
    with (folder / "paragraphs.jsonl").open("w", encoding="utf-8") as file:
        for (text, title), number in zip(contexts, range(len(contexts)), strict=True):
            record = {"id": f"{number}", "title": title.replace("_", " "), "text": text}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    train = json.loads((data / "squad" / "train-v1.1.json").read_text(encoding="utf-8"))
    unseen = [one for one in train["data"] if is_dev(str(one["title"]), DEV_SHARE)]
    seen = next(one for one in train["data"] if not is_dev(str(one["title"]), DEV_SHARE))
    for name, articles in (("dev.json", unseen), ("learn.json", [seen])):
        (folder / name).write_text(json.dumps({**train, "data": articles}, ensure_ascii=False), encoding="utf-8")
    places = {"model": model.resolve().as_posix(), "reader": reader.resolve().as_posix()}
    (folder / "bertpipe.toml").write_text(PIPELINE.lstrip().format(**places), encoding="utf-8")
    return questions


def ask_all(index: Index, questions: Sequence[Question], k: int) -> list[Asked]:
    """Asks every question, and has its own paragraph read.

    Args:
        index: With a reader, that will keep no answer back.
        questions: The questions.
        k: Passages to read.
    """
    reader = index.reader
    assert reader is not None
    reader.settings = replace(reader.settings, threshold=0.0)
    found = []
    for number, one in enumerate(questions, start=1):
        own = reader.read(one.question, [one.context], k=1).answers
        result = ask(index, one.question, k, answers=1)
        texts = {hit.passage.text for hit in index.search(one.question, k, nearness=NEARNESS).hits}
        found.append(
            Asked(
                one,
                (own[0].text, own[0].score) if own else ("", 0.0),
                (result.answers[0].text, result.answers[0].score) if result.answers else ("", 0.0),
                any(text in one.context for text in texts),
                result.took_ms,
            )
        )
        if number % 100 == 0:
            print(f"{number:,} of {len(questions):,}", file=sys.stderr)
    return found


def figures(asked: Sequence[Asked], threshold: float, own_threshold: float) -> dict[str, Any]:
    """What is reported.

    Args:
        asked: All questions.
        threshold: Of answers in a collection.
        own_threshold: Of answers in a text at hand.
    """
    answerable = [one for one in asked if one.question.answers]
    truth = [[answer.text for answer in one.question.answers] for one in answerable]

    def f1(texts: Iterable[str]) -> np.ndarray:
        return np.asarray(answer_values(list(texts), truth, "squad")["f1"])

    own, found = f1(one.own[0] for one in answerable), f1(one.answer[0] for one in answerable)
    read = np.array([one.read for one in answerable])
    lost = own - found
    report: dict[str, Any] = {
        "questions": len(asked),
        "answerable": len(answerable),
        "own paragraph": score_answers([one.own[0] for one in answerable], truth, rules="squad").as_json()["scores"],
        "collection": score_answers([one.answer[0] for one in answerable], truth, rules="squad").as_json()["scores"],
        "own paragraph is read": round(float(read.mean()), 4),
        "F1 where it is read": round(float(found[read].mean()), 2),
        "F1 lost": round(float(lost.mean()), 2),
        "F1 lost in searching": round(float(lost[~read].sum()) / len(lost), 2),
        "F1 lost in reading": round(float(lost[read].sum()) / len(lost), 2),
        "median ms": round(statistics.median(one.took_ms for one in asked), 1),
    }
    every = [[answer.text for answer in one.question.answers] for one in asked]
    for name, pairs, least in (
        ("own paragraph, with no answer", [one.own for one in asked], own_threshold),
        ("collection, with no answer", [one.answer for one in asked], threshold),
    ):
        said = [text if score >= least else "" for text, score in pairs]
        silent = sum(not text for text in said)
        rightly = sum(not text and not gold for text, gold in zip(said, every, strict=True))
        best = score_answers(
            [text for text, _ in pairs], every, rules="squad2", no_answer=[1 - score for _, score in pairs], resamples=0
        ).as_json()["best"]
        report[name] = {
            **score_answers(said, every, rules="squad2").as_json()["scores"],
            "best": best,
            "always empty": round(100 * sum(not gold for gold in every) / len(every), 2),
            "precision of no answer": round(rightly / silent, 4) if silent else None,
            "recall of no answer": round(rightly / sum(not gold for gold in every), 4),
        }
    return report


def main() -> None:
    """Reads the command line, builds the index and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--folder", type=Path, required=True, help="where the run goes; resumed if it is there")
    parser.add_argument("--model", type=Path, required=True, help="an imported text encoder")
    parser.add_argument("--reader", type=Path, required=True, help="a finetune step for question answering")
    parser.add_argument("--questions", type=int, default=0, help="ask so many, chosen by hash; 0 is all")
    parser.add_argument("-k", type=int, default=10, help="passages to read")
    parser.add_argument("--threads", type=int, default=0, help="threads of the models; 0 is all cores")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    questions = prepare(arguments.data, arguments.folder, arguments.model, arguments.reader)
    questions.sort(key=lambda one: hashlib.sha256(one.id.encode()).digest())
    pipeline = arguments.folder / "bertpipe.toml"
    subprocess.run([sys.executable, "-m", "bertpipe", "run", str(pipeline)], check=True)
    folder = pipeline.parent / "runs" / pipeline.parent.name
    index = Index(folder / "index", arguments.threads)
    assert index.reader is not None
    threshold = index.reader.settings.threshold
    own_threshold = json.loads((folder / "reader" / "task.json").read_text(encoding="utf-8"))["threshold"]
    asked = ask_all(index, questions[: arguments.questions or None], arguments.k)
    report = {"passages": len(index), "k": arguments.k, **figures(asked, threshold, own_threshold)}
    print(json.dumps(report, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
