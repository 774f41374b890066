"""What pipelines that write learn from real collections: translation, titles, dialogue.

    python benchmarks/generation.py multi30k-en-de --data FOLDER --folder FOLDER

``--data`` holds the collections as published: multi30k/{train,val}.{en,de}, tatoeba_en_zh/cmn.txt,
pydocs_en_zh/pairs.tsv (file, en, zh), lctt/articles.jsonl (title, text), xdailydialog/dialogues_text_{En,Zh}.txt.
Everything runs through the command line, as a user's own pipeline would: the recipe becomes a pipeline file,
`bertpipe run` trains it (and goes on where it was stopped), `bertpipe evaluate` measures it on texts set aside.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Recipe:
    """A collection, what is learned from it and how it is measured.

    Attributes:
        pipeline: The pipeline file.
        prepare: Writes what the pipeline reads and what is set aside, from the data folder into the run's.
        evaluate: Arguments of `bertpipe evaluate`, in the run's folder.
    """

    pipeline: str
    prepare: Callable[[Path, Path], None]
    evaluate: tuple[str, ...]


def set_aside(name: str, share: float) -> bool:
    """Whether what has this name is measured with instead of learned from: a pure function of the name."""
    return int.from_bytes(hashlib.sha256(f"set aside {name}".encode()).digest()[:8], "big") / 2**64 < share


def write_records(path: Path, records: Iterable[dict[str, str]]) -> None:
    """Writes JSON lines."""
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")


def copy(*names: str) -> Callable[[Path, Path], None]:
    """Takes files as they are."""

    def prepare(data: Path, folder: Path) -> None:
        for name in names:
            source = data / name
            (folder / source.name).write_bytes(source.read_bytes())

    return prepare


def english_chinese(data: Path, folder: Path) -> None:
    """Tatoeba's sentences and the paragraphs of Python's documentation; whole files of the latter are set aside."""
    learned, measured = [], []
    for line in (data / "tatoeba_en_zh" / "cmn.txt").read_text(encoding="utf-8").splitlines():
        english, chinese, *_ = line.split("\t")
        # One English sentence may have several translations; they stay together.
        (measured if set_aside(english, 0.02) else learned).append({"en": english, "zh": chinese, "from": "tatoeba"})
    for line in (data / "pydocs_en_zh" / "pairs.tsv").read_text(encoding="utf-8").splitlines():
        file, english, chinese = line.split("\t")
        (measured if set_aside(file, 0.03) else learned).append({"en": english, "zh": chinese, "from": file})
    write_records(folder / "train.jsonl", learned)
    write_records(folder / "test.jsonl", measured)
    for name, wanted in (("tatoeba", True), ("pydocs", False)):
        write_records(folder / f"test-{name}.jsonl", [one for one in measured if (one["from"] == "tatoeba") == wanted])


def articles(data: Path, folder: Path) -> None:
    """LCTT's articles; one in ten is set aside."""
    learned, measured = [], []
    for line in (data / "lctt" / "articles.jsonl").read_text(encoding="utf-8").splitlines():
        article = json.loads(line)
        (measured if set_aside(article["id"], 0.1) else learned).append(article)
    write_records(folder / "train.jsonl", learned)
    write_records(folder / "test.jsonl", measured)


def dialogues(name: str) -> Callable[[Path, Path], None]:
    """XDailyDialog in one language; one dialogue in twenty is set aside."""

    def prepare(data: Path, folder: Path) -> None:
        lines = (data / "xdailydialog" / name).read_text(encoding="utf-8").splitlines()
        aside = [set_aside(str(number), 0.05) for number in range(len(lines))]
        for file, wanted in (("train.txt", False), ("test.txt", True)):
            kept = [line for line, is_aside in zip(lines, aside, strict=True) if is_aside == wanted]
            (folder / file).write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    return prepare


def captions(source: str, target: str) -> Recipe:
    """Multi30k."""
    return Recipe(
        f"""
task = "translation"
[corpus]
reader = "parallel"
path = "train.{source}"
target_path = "train.{target}"
[tokenize]
vocab_size = 6000
case = "exact"
[pretrain]
encoder_layers = 3
decoder_layers = 3
inner = 512
dropout = 0.3
[finetune]
steps = 2600
""",
        copy(*(f"multi30k/{part}.{language}" for part in ("train", "val") for language in (source, target))),
        (f"val.{source}", "--targets", f"val.{target}"),
    )


def titles(objective: str) -> Recipe:
    """LCTT: an article's title from its text."""
    return Recipe(
        f"""
task = "summarization"
[corpus]
path = "train.jsonl"
[tokenize]
vocab_size = 8000
case = "exact"
[pretrain]
objective = "{objective}"
encoder_layers = 3
decoder_layers = 3
inner = 512
budget = "20m"
[finetune]
budget = "15m"
max_source = 256
max_target = 32
dropout = 0.3
lr = 1e-3
""",
        articles,
        ("test.jsonl",),
    )


def replies(language: str) -> Recipe:
    """XDailyDialog."""
    return Recipe(
        """
task = "dialogue"
[corpus]
reader = "dialogue"
path = "train.txt"
[tokenize]
vocab_size = 8000
case = "exact"
[pretrain]
encoder_layers = 3
decoder_layers = 3
inner = 512
dropout = 0.2
[finetune]
budget = "15m"
max_source = 128
max_target = 48
""",
        dialogues(f"dialogues_text_{language}.txt"),
        ("test.txt",),
    )


RECIPES: dict[str, Recipe] = {
    "multi30k-en-de": captions("en", "de"),
    "multi30k-de-en": captions("de", "en"),
    "en-zh": Recipe(
        """
task = "translation"
[corpus]
path = "train.jsonl"
text_field = "en"
title_field = "zh"
id_field = ""
[tokenize]
vocab_size = 12000
case = "exact"
[pretrain]
encoder_layers = 3
decoder_layers = 3
inner = 1024
dropout = 0.2
[finetune]
budget = "40m"
max_source = 96
max_target = 96
""",
        english_chinese,
        ("test.jsonl", "--text-field", "en", "--title-field", "zh"),
    ),
    "lctt-titles": titles("none"),
    "lctt-titles-bart": titles("bart"),
    "lctt-titles-t5": titles("t5"),
    "dialogue-en": replies("En"),
    "dialogue-zh": replies("Zh"),
}


def main() -> None:
    """Runs a recipe and prints what `bertpipe evaluate --json` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--folder", type=Path, required=True, help="where the runs go; resumed if they are there")
    parser.add_argument("--set", action="append", default=[], metavar="STEP.KEY=VALUE", help="as for `bertpipe run`")
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.recipe]
    folder = (arguments.folder / arguments.recipe).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    recipe.prepare(arguments.data, folder)
    pipeline = folder / "bertpipe.toml"
    pipeline.write_text(recipe.pipeline.lstrip(), encoding="utf-8")
    bertpipe = [sys.executable, "-m", "bertpipe"]
    settings = [item for setting in arguments.set for item in ("--set", setting)]
    subprocess.run([*bertpipe, "run", str(pipeline), *settings], check=True, cwd=folder)
    subprocess.run([*bertpipe, "evaluate", *recipe.evaluate, "--json", "--save", "written.txt"], check=True, cwd=folder)


if __name__ == "__main__":
    main()
