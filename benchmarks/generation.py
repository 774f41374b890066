"""What pipelines that write learn from real collections: translation, titles, dialogue.

    python benchmarks/generation.py multi30k-en-de --data FOLDER --folder FOLDER

``--data`` holds the collections as published: multi30k/{train,val}.{en,de}, tatoeba_en_zh/cmn.txt,
pydocs_en_zh/pairs.tsv (file, en, zh), lctt/articles.jsonl (title, text), xdailydialog/dialogues_text_{En,Zh}.txt.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from recipe import Recipe, copy, run_recipes, set_aside, write_records

SAVE = ("--save", "written.txt")


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
        (f"val.{source}", "--targets", f"val.{target}", *SAVE),
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
        ("test.jsonl", *SAVE),
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
steps = 4000
batch_tokens = 2048
lr = 1e-3
warmup = 0.1
max_source = 128
max_target = 48
""",
        dialogues(f"dialogues_text_{language}.txt"),
        ("test.txt", *SAVE),
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
inner = 512
dropout = 0.2
[finetune]
steps = 5000
batch_tokens = 4096
lr = 1e-3
warmup = 0.1
max_source = 96
max_target = 96
""",
        english_chinese,
        ("test.jsonl", "--text-field", "en", "--title-field", "zh", *SAVE),
    ),
    "lctt-titles": titles("none"),
    "lctt-titles-bart": titles("bart"),
    "lctt-titles-t5": titles("t5"),
    "dialogue-en": replies("En"),
    "dialogue-zh": replies("Zh"),
}

if __name__ == "__main__":
    run_recipes(RECIPES, __doc__)
