r"""What a sync costs, and whether it comes to the same as building anew.

    python benchmarks/sync.py --folder FOLDER [--documents 100000] [--text FILE] [--structure Flat]

A pipeline with a small encoder of its own learns from the first 2,000 documents. Then all documents are indexed from
nothing; 1% are changed, added and removed, and indexed by a sync; and those are indexed from nothing again. Figures are
of the steps corpus, embed and index, the learning not counted, and of the whole command. The sync's index and the one
made anew answer the same queries, in all three modes and with the same weight. They agree in everything where vectors
are compared exactly; compressed codes are trained on the vectors of the time, and miss other ones of the ten nearest.
``--text`` names a file whose words are used instead of made-up ones: documents are crops of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bertpipe.retrieval.index import Index
from bertpipe.retrieval.search_result import MODES

PIPELINE = """
[corpus]
path = "documents"
[tokenize]
vocab_size = 8000
[pretrain]
preset = "mini"
layers = 1
steps = 5
dropout = 0.0
[finetune]
steps = 5
[index]
structure = "{structure}"
"""
STEPS = ("corpus", "embed", "index")
WORDS, FILES, LEARN = 50, 100, 2000


def write_documents(folder: Path, documents: dict[int, str]) -> None:
    """Writes the documents as JSON lines in many files, in the order of their numbers."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lines: dict[int, list[str]] = {}
    for number, text in sorted(documents.items()):
        record = {"id": str(number), "text": text, "year": 1990 + number % 40, "lang": ("en", "de")[number % 3 == 0]}
        lines.setdefault(number % FILES, []).append(json.dumps(record, ensure_ascii=False))
    for place, some in lines.items():
        (folder / f"{place:02d}.jsonl").write_text("\n".join(some) + "\n", encoding="utf-8")


class Texts:
    """Makes texts of fifty words: crops of a file, or made-up words as rare as words are (Zipf)."""

    def __init__(self, file: Path | None) -> None:
        self._rng = np.random.default_rng(0)
        if file:
            self._words = file.read_text(encoding="utf-8").split()
        else:
            syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er", "il")]
            made = ["".join(self._rng.choice(syllables, self._rng.integers(1, 4))) for _ in range(5_000)]
            shares = 1 / np.arange(1, len(made) + 1)
            self._words = list(self._rng.choice(made, 2_000_000, p=shares / shares.sum()))

    def one(self) -> str:
        """The next text."""
        start = int(self._rng.integers(len(self._words) - WORDS))
        words = self._words[start : start + WORDS]
        return ". ".join(" ".join(words[place : place + 12]).capitalize() for place in range(0, WORDS, 12)) + "."


def run(file: Path) -> dict[str, Any]:
    """Brings the pipeline up to date; returns the seconds of the whole command and of its steps."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "bertpipe", "run", "-p", str(file), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    seconds = time.perf_counter() - began
    steps = {step["step"]: step for step in json.loads(done.stdout)["steps"]}
    ran = {name: step["seconds"] for name, step in steps.items() if step["state"] == "ran"}
    return {"command": round(seconds, 1), "steps": ran, "metrics": steps["embed"]["metrics"]}


def compare(synced: Index, anew: Index, queries: list[str]) -> dict[str, Any]:
    """How many queries have the same hits in the same order, and how far scores are apart at most."""
    anew.settings = replace(anew.settings, weight=synced.settings.weight)
    results: dict[str, Any] = {}
    for mode in MODES:
        same, close, apart = 0, 0, 0.0
        for query in queries:
            one, other = (index.search(query, 10, mode).hits for index in (synced, anew))
            same += [hit.passage.passage_id for hit in one] == [hit.passage.passage_id for hit in other]
            scores = np.array([[hit.score for hit in hits] for hits in (one, other)])
            apart = max(apart, float(np.abs(scores[0] - scores[1]).max(initial=0)))
            close += bool(np.allclose(scores[0], scores[1], rtol=1e-5, atol=1e-6))
        results[mode] = {"same hits": same, "same scores": close, "farthest": apart}
    return results


def digest(folder: Path) -> str:
    """Sha256 of a file, or of the files in a folder."""
    files = sorted(folder.iterdir()) if folder.is_dir() else [folder]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def main() -> None:
    """Runs it and prints one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where to work; must not exist")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--structure", default="auto", help="index.structure; Flat is exact at any size")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True)
    file, runs = folder / "sync.toml", folder / "runs" / "sync"
    file.write_text(PIPELINE.format(structure=arguments.structure))
    texts = Texts(arguments.text)
    documents = {number: texts.one() for number in range(arguments.documents)}
    figures: dict[str, Any] = {}

    write_documents(folder / "documents", {number: documents[number] for number in range(LEARN)})
    figures["learning"] = run(file)
    for step in STEPS:
        shutil.rmtree(runs / step)
    write_documents(folder / "documents", documents)
    figures["full"] = run(file)
    print(json.dumps(figures["full"]), file=sys.stderr)

    rng = np.random.default_rng(1)
    hundredth = arguments.documents // 100
    chosen = rng.permutation(arguments.documents)[:hundredth].tolist()
    changed, removed = chosen[: hundredth // 2], chosen[hundredth // 2 : 3 * hundredth // 4]
    for number in changed:
        documents[number] = texts.one()
    for number in removed:
        del documents[number]
    for number in range(arguments.documents, arguments.documents + hundredth - hundredth * 3 // 4):
        documents[number] = texts.one()
    write_documents(folder / "documents", documents)
    figures["sync"] = run(file)
    print(json.dumps(figures["sync"]), file=sys.stderr)
    figures["report since"] = Index(runs / "index").report()["since"]

    synced = folder / "synced"
    shutil.copytree(runs / "index", synced)
    for step in STEPS:
        shutil.rmtree(runs / step)
    figures["anew"] = run(file)
    whole = {name: sum(figures[name]["steps"].values()) for name in ("full", "sync", "anew")}
    figures["share of the steps"] = round(whole["sync"] / whole["full"], 4)
    figures["share of the command"] = round(figures["sync"]["command"] / figures["full"]["command"], 4)
    asked = [
        " ".join(documents[number].split()[3:8]) for number in list(documents)[:: len(documents) // arguments.queries]
    ]
    figures["queries"] = len(asked)
    figures["equal"] = compare(Index(synced), Index(runs / "index"), asked)
    for part in ("passages.sqlite", "lexical"):
        figures[f"{part}, byte by byte"] = digest(synced / part) == digest(runs / "index" / part)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
