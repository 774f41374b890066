r"""What pipelines that understand learn from real collections: classes, entities, similarity, answers.

    python benchmarks/understanding.py sst2 --data FOLDER --folder FOLDER --model models/minilm
    python benchmarks/understanding.py chinese-bert --data FOLDER --folder FOLDER
    python benchmarks/understanding.py online-shopping --data FOLDER --folder FOLDER \
        --model FOLDER/chinese-bert/runs/chinese-bert/pretrain

``--data`` holds the collections as published: sst2/{train,dev}.tsv, clinc150/data_train_val.json,
banking77/train.csv, online_shopping/online_shopping_10_cats.csv, wnut17/{wnut17train,emerging.dev}.conll,
uner_zh_gsd/zh_gsd-ud-{train,dev}.iob2, stsb/stsb-en-{train,dev}.csv, squad/{train-v1.1,half_dev-v2.0}.json,
drcd/DRCD_dev.json, lctt/articles.jsonl. ``--model`` is an imported model, or a BERT that `chinese-bert` pretrained.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recipe import MODEL, Recipe, copy, run_recipes, set_aside, write_records


def intents(data: Path, folder: Path) -> None:
    """CLINC150's questions in scope."""
    parts = json.loads((data / "clinc150" / "data_train_val.json").read_text(encoding="utf-8"))
    for part in ("train", "val"):
        write_records(folder / f"{part}.jsonl", [{"text": text, "label": label} for text, label in parts[part]])


def table(file: str, text: str, label: str, share: float) -> Callable[[Path, Path], None]:
    """A table with a row of names; some rows are set aside by what their text is."""

    def prepare(data: Path, folder: Path) -> None:
        with (data / file).open(encoding="utf-8-sig", newline="") as rows:
            records = [{"text": row[text].strip("\ufeff \n"), "label": row[label]} for row in csv.DictReader(rows)]
        records = [one for one in records if one["text"]]
        aside = [set_aside(one["text"], share) for one in records]
        for name, wanted in (("train.jsonl", False), ("test.jsonl", True)):
            kept = [one for one, is_aside in zip(records, aside, strict=True) if is_aside == wanted]
            write_records(folder / name, kept)

    return prepare


def squad(data: Path, folder: Path) -> None:
    """SQuAD's training questions, and the answerable half of a dev set beside the whole."""
    copy("squad/train-v1.1.json", "squad/half_dev-v2.0.json")(data, folder)
    dev = json.loads((folder / "half_dev-v2.0.json").read_text(encoding="utf-8"))
    for article in dev["data"]:
        for paragraph in article["paragraphs"]:
            paragraph["qas"] = [one for one in paragraph["qas"] if not one.get("is_impossible")]
    (folder / "answerable.json").write_text(json.dumps(dev, ensure_ascii=False), encoding="utf-8")


def articles_of_drcd(data: Path, folder: Path) -> None:
    """DRCD's dev set; one article in five is set aside."""
    whole: dict[str, Any] = json.loads((data / "drcd" / "DRCD_dev.json").read_text(encoding="utf-8"))
    for name, wanted in (("train.json", False), ("test.json", True)):
        kept = [one for one in whole["data"] if set_aside(str(one["title"]), 0.2) == wanted]
        (folder / name).write_text(json.dumps({**whole, "data": kept}, ensure_ascii=False), encoding="utf-8")


def understanding(task: str, finetune: str, prepare: Callable[[Path, Path], None], *evaluate: str) -> Recipe:
    """A model that is there already, and a task."""
    return Recipe(f'task = "{task}"\n[finetune]\nmodel = "{MODEL}"\n{finetune}', prepare, evaluate)


RECIPES: dict[str, Recipe] = {
    "chinese-bert": Recipe(
        """
[corpus]
path = "articles.jsonl"
[tokenize]
vocab_size = 16000
[pretrain]
preset = "mini"
budget = "30m"
""",
        copy("lctt/articles.jsonl"),
        (),
        step="pretrain",
    ),
    "sst2": understanding(
        "classification",
        'data = "train.tsv"\ndev = "dev.tsv"\ntext_field = "1"\nlabel_field = "2"\n'
        "lr = 2e-4\nlayer_decay = 0.8\ndropout = 0.1\nepochs = 4\nconsistency = 2.0\nbatch_tokens = 1024\n",
        copy("sst2/train.tsv", "sst2/dev.tsv"),
        "dev.tsv",
    ),
    "clinc150": understanding(
        "classification",
        'data = "train.jsonl"\ndev = "val.jsonl"\nlr = 2e-4\nepochs = 8\ndropout = 0.0\n',
        intents,
        "val.jsonl",
    ),
    "banking77": understanding(
        "classification",
        'data = "train.jsonl"\nlr = 2e-4\nepochs = 12\ndropout = 0.0\n',
        table("banking77/train.csv", "text", "category", 0.1),
        "test.jsonl",
    ),
    "online-shopping": understanding(
        "classification",
        'data = "train.jsonl"\n',
        table("online_shopping/online_shopping_10_cats.csv", "review", "label", 0.1),
        "test.jsonl",
    ),
    "wnut17": understanding(
        "tagging",
        'data = "wnut17train.conll"\ndev = "emerging.dev.conll"\n',
        copy("wnut17/wnut17train.conll", "wnut17/emerging.dev.conll"),
        "emerging.dev.conll",
    ),
    "uner-zh": understanding(
        "tagging",
        'data = "zh_gsd-ud-train.iob2"\ndev = "zh_gsd-ud-dev.iob2"\n',
        copy("uner_zh_gsd/zh_gsd-ud-train.iob2", "uner_zh_gsd/zh_gsd-ud-dev.iob2"),
        "zh_gsd-ud-dev.iob2",
    ),
    "stsb-en": understanding(
        "similarity",
        'data = "stsb-en-train.csv"\ndev = "stsb-en-dev.csv"\ntext_field = "1"\npair_field = "2"\nscore_field = "3"\n',
        copy("stsb/stsb-en-train.csv", "stsb/stsb-en-dev.csv"),
        "stsb-en-dev.csv",
    ),
    "squad": understanding(
        "question-answering",
        'data = "train-v1.1.json"\nlr = 1e-4\ndropout = 0.0\ndev_questions = 500\nbudget = "2h"\n',
        squad,
        "answerable.json",
    ),
    "drcd": understanding(
        "question-answering", 'data = "train.json"\nlr = 2e-4\ndropout = 0.0\n', articles_of_drcd, "test.json"
    ),
}


if __name__ == "__main__":
    run_recipes(RECIPES, __doc__)
