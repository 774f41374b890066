"""Tiny pipelines that learn to write, one a task, each run once through the command line."""

import json
import random
import shutil
from pathlib import Path

import pytest

MODEL = """
[tokenize]
vocab_size = 330
case = "keep"

[pretrain]
preset = "tiny"
width = 32
heads = 2
encoder_layers = 1
decoder_layers = 1
max_length = 64
dropout = 0.0
accelerator = "cpu"

[finetune]
batch_tokens = 600
lr = 0.01
accelerator = "cpu"
"""
TRANSLATION = """
task = "translation"
name = "tiny"

[corpus]
reader = "parallel"
path = "docs/train.en"
target_path = "docs/train.xx"
"""
SUMMARIZATION = """
task = "summarization"
name = "tiny"

[corpus]
path = "docs/papers.jsonl"
text_field = "body"
title_field = "short"
"""
DIALOGUE = """
task = "dialogue"
name = "tiny"

[corpus]
reader = "dialogue"
path = "docs/talk.txt"
"""
WORDS = {
    "the": "ta", "red": "ru", "big": "gran", "old": "veto", "dog": "hundo", "cat": "kato", "bird": "birdo",
    "sees": "vidas", "likes": "amas",
}  # fmt: skip


def sentence(rng) -> list[str]:
    names = ["dog", "cat", "bird"]
    return [
        "the",
        rng.choice(["red", "big", "old"]),
        rng.choice(names),
        rng.choice(["sees", "likes"]),
        "the",
        rng.choice(names),
    ]


def written(words) -> str:
    return " ".join(words).capitalize() + "."


def sentences(count, seed=0) -> list[tuple[str, str]]:
    """Sentences with their word-by-word translations."""
    rng = random.Random(seed)
    found = [sentence(rng) for _ in range(count)]
    return [(written(words), written([WORDS[word] for word in words])) for words in found]


def write_parallel(folder: Path) -> None:
    pairs = sentences(120)
    (folder / "train.en").write_text("".join(f"{source}\n" for source, _ in pairs), encoding="utf-8")
    (folder / "train.xx").write_text("".join(f"{target}\n" for _, target in pairs), encoding="utf-8")


def write_papers(folder: Path) -> None:
    rng = random.Random(0)
    with (folder / "papers.jsonl").open("w", encoding="utf-8") as file:
        for _ in range(60):
            body = [written(sentence(rng)) for _ in range(rng.randint(2, 5))]
            file.write(json.dumps({"body": " ".join(body), "short": body[0]}) + "\n")


def write_talk(folder: Path) -> None:
    rng = random.Random(0)
    lines = [" __eou__ ".join(written(sentence(rng)) for _ in range(rng.randint(2, 5))) for _ in range(40)]
    (folder / "talk.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


TASKS = {
    "translation": (TRANSLATION, write_parallel, {"steps": 150, "max_source": 24, "max_target": 24}),
    "summarization": (SUMMARIZATION, write_papers, {"steps": 3, "max_source": 48, "max_target": 24}),
    "dialogue": (DIALOGUE, write_talk, {"steps": 3, "max_source": 64, "max_target": 24}),
}


@pytest.fixture(scope="session")
def make(open_project):
    """Makes a project that was never run."""

    def made(folder: Path, task: str):
        text, write, settings = TASKS[task]
        project = open_project(folder)
        project.docs.mkdir(parents=True)
        write(project.docs)
        keys = "".join(f"{name} = {value}\n" for name, value in settings.items())
        project.file.write_text(text.lstrip() + MODEL + keys, encoding="utf-8")
        return project

    return made


def built_once(task):
    @pytest.fixture(scope="session", name=task)
    def build(make, tmp_path_factory):
        project = make(tmp_path_factory.mktemp(task) / "project", task)
        assert project.ran() == ["corpus", "snapshot", "tokenize", "pretrain", "finetune"]
        return project

    return build


# Look at them only; to change something take `copy_of`.
translation, summarization, dialogue = map(built_once, TASKS)


@pytest.fixture
def copy_of(open_project, tmp_path):
    """Copies a built project to another place."""
    return lambda project: open_project(shutil.copytree(project.folder, tmp_path / "another place" / "project"))


@pytest.fixture
def retrieval(open_project, tmp_path):
    """A pipeline for searching, never run."""
    project = open_project(tmp_path)
    project.file.write_text("")
    return project


@pytest.fixture
def fresh_of(make, tmp_path):
    """Makes a project of a task that was never run."""
    return lambda task: make(tmp_path / "project", task)
