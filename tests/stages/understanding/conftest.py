"""Tiny pipelines that learn to understand, one a task, each run once through the command line."""

import csv
import json
import random
import shutil
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "data"
MODEL = """
[corpus]
path = "docs/examples.jsonl"

[tokenize]
vocab_size = 700

[pretrain]
preset = "tiny"
width = 32
layers = 2
heads = 2
max_length = 64
length = 48
rows = 4
steps = 4
accelerator = "cpu"
"""
FINETUNE = {"max_tokens": 48, "batch_tokens": 512, "lr": 0.003, "dropout": 0.1, "accelerator": "cpu"}


def table(name):
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def reviews():
    return table("sample_reviews.tsv")


def topics():
    """Reviews with several labels: the mood, and what it is about."""
    words = {"grinder": "kitchen", "磨豆机": "kitchen", "kettle": "kitchen", "水壶": "kitchen", "watch": "small"}
    made = []
    for row in reviews():
        about = sorted({label for word, label in words.items() if word in row["text"]})
        mood = [] if row["label"] == "neutral" else [row["label"]]
        made.append({"text": row["text"], "label": about + mood})
    return made


def pairs():
    """Pairs of reviews: whether both are of one mood."""
    rng = random.Random(0)
    rows = reviews()
    made = []
    for row in rows:
        other = rng.choice(rows)
        made.append({"text": row["text"], "pair": other["text"], "label": int(row["label"] == other["label"])})
    return made


def names():
    return [json.loads(line) for line in (DATA / "sample_names.jsonl").read_text(encoding="utf-8").splitlines()]


def similar():
    return [row | {"score": float(row["score"])} for row in table("sample_similar.tsv")]


SEVERAL = {"epochs": 24.0, "multi_label": True, "head_lr_scale": 1.0, "patience": 10}
TASKS = {
    "classification": ("classification", reviews, {"epochs": 6.0}),
    "multi_label": ("classification", topics, SEVERAL),
    "pairs": ("classification", pairs, {"steps": 6, "pair_field": "pair"}),
    "tagging": ("tagging", names, {"epochs": 6.0, "stride": 8}),
    "similarity": ("similarity", similar, {"epochs": 4.0}),
}


def write_jsonl(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")


def toml(settings):
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())


@pytest.fixture(scope="session")
def make(open_project):
    """Makes a project that was never run."""

    def made(folder: Path, name: str):
        task, records, settings = TASKS[name]
        project = open_project(folder)
        write_jsonl(project.docs / "examples.jsonl", records())
        head = f'task = "{task}"\nname = "tiny"\n'
        keys = {"data": "docs/examples.jsonl", **FINETUNE, **settings}
        project.file.write_text(f"{head}{MODEL}\n[finetune]\n{toml(keys)}")
        return project

    return made


def built_once(name):
    @pytest.fixture(scope="session", name=name)
    def build(make, tmp_path_factory):
        project = make(tmp_path_factory.mktemp(name) / "project", name)
        assert project.ran() == ["corpus", "snapshot", "tokenize", "pretrain", "finetune"]
        return project

    return build


# Look at them only; to change something take `copy_of`.
classification, multi_label, pairs_of_texts, tagging, similarity = (
    built_once(name) for name in ("classification", "multi_label", "pairs", "tagging", "similarity")
)


@pytest.fixture
def copy_of(open_project, tmp_path):
    """Copies a built project to another place."""
    return lambda project: open_project(shutil.copytree(project.folder, tmp_path / "another place" / "project"))


@pytest.fixture
def from_model(open_project, tmp_path):
    """Makes a project whose only step starts from the model of another one."""

    def made(base, name: str, **more):
        task, records, settings = TASKS[name]
        project = open_project(tmp_path / "from model")
        write_jsonl(project.docs / "examples.jsonl", records())
        keys = {"model": str(base), "data": "docs/examples.jsonl", **FINETUNE, **settings, "steps": 6} | more
        project.file.write_text(f'task = "{task}"\nname = "tiny"\n\n[finetune]\n{toml(keys)}')
        return project

    return made
