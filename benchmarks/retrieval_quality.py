r"""How well bertpipe finds, on collections with queries and judgements: words, vectors, both, and reranked.

    python benchmarks/retrieval_quality.py squad --data FOLDER --folder FOLDER --model models/minilm --parts 4
    python benchmarks/retrieval_quality.py squad-nothing --data FOLDER --folder FOLDER --parts 8
    python benchmarks/retrieval_quality.py squad --data FOLDER --folder FOLDER --model models/minilm \
        --learn-share 0.3 --set finetune.budget=30m --queries 2000

``--data`` holds the collections as published: squad/train-v1.1.json, drcd/DRCD_dev.json, lctt/articles.jsonl,
medquad/medquad.jsonl, cranfield/. A recipe becomes a pipeline file; what is to be learned is learned as `bertpipe run`
would, and goes on where it was stopped. What is judged on is set aside before, by article or by subject, and so is what
the weights of mixtures are tuned with. The collections are written in BEIR's layout, for `bertpipe evaluate` as well.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from judged_collections import COLLECTIONS, JudgedCollection, write_lines
from judged_search import Mixture, SearchedCollection, best_rerank_weight, print_table, reranked_measures

from bertpipe.cli.execute import execute
from bertpipe.pipeline.override import parse_setting
from bertpipe.retrieval.encoder import Encoder
from bertpipe.retrieval.reranker import open_reranker
from bertpipe.stages.saved_model import SavedModel

MODEL = "MODEL"
"""Stands in a pipeline file for the folder that ``--model`` names."""
DEPTH = 10
"""Candidates that a reranker reads."""
WITHOUT_DEV = Mixture(0.5)
"""Where there is nothing to tune it with."""

CORPUS = """
[corpus]
path = "learn/corpus.jsonl"
id_field = "_id"
"""
PAIRS = """pairs = "learn/pairs.jsonl"
passage_title_field = "title"
"""
IMPORTED = f"""
[tokenize]
imported = "{MODEL}"
[pretrain]
imported = "{MODEL}"
"""
FROM_MODEL = f"""{CORPUS}{IMPORTED}steps = 0
[finetune]
{PAIRS}pairs_share = 1.0
batch_size = 128
passage_tokens = 192
lr = 1.5e-4
budget = "45m"
"""
FROM_NOTHING = f"""{CORPUS}
[pretrain]
layers = 1
budget = "10m"
[finetune]
{PAIRS}pairs_share = 0.75
batch_size = 256
passage_tokens = 192
word_dropout = 0.25
budget = "20m"
"""
RERANKER = f"""
[finetune.reranker]
{PAIRS}max_tokens = 224
batch_size = 6
negatives = 3
negatives_below = 1.1
lr = 1e-4
dropout = 0.0
budget = "40m"
"""
SQUAD_BATCHES = ("finetune.parts=8", "finetune.pairs_together=192")
"""Two hundred questions are an article: what words confuse most."""
CHINESE = "[tokenize]\nvocab_size = 16000\n"


@dataclass(frozen=True)
class Recipe:
    """A collection, and what is learned for it.

    Attributes:
        collection: Its name.
        pipeline: The pipeline file.
        settings: What is set over the file, as with ``--set``: ablations.
    """

    collection: str
    pipeline: str
    settings: tuple[str, ...] = ()

    @property
    def reranker(self) -> bool:
        """Whether one is trained."""
        return "[finetune.reranker]" in self.pipeline


RECIPES: dict[str, Recipe] = {
    "squad": Recipe("squad", FROM_MODEL + RERANKER.replace("budget", f'model = "{MODEL}"\nbudget')),
    "squad-nothing": Recipe("squad", FROM_NOTHING, SQUAD_BATCHES),
    "squad-hard": Recipe("squad", FROM_MODEL, ("finetune.hard_negatives=1",)),
    "squad-cold": Recipe("squad", FROM_NOTHING, (*SQUAD_BATCHES, "pretrain.warm_start=off")),
    "squad-unpretrained": Recipe("squad", FROM_NOTHING, (*SQUAD_BATCHES, "pretrain.steps=0")),
    "squad-nothing-hard": Recipe("squad", FROM_NOTHING, (*SQUAD_BATCHES, "finetune.hard_negatives=1")),
    "drcd": Recipe("drcd", FROM_NOTHING + CHINESE),
    "lctt": Recipe("lctt", FROM_NOTHING + CHINESE),
    "medquad": Recipe("medquad", FROM_NOTHING),
    "medquad-model": Recipe("medquad", FROM_MODEL),
    # There are no pairs: what is learned is what the abstracts say by themselves.
    "cranfield": Recipe("cranfield", f'{CORPUS}[pretrain]\nlayers = 1\nbudget = "4m"\n[finetune]\nbudget = "4m"\n'),
    "cranfield-model": Recipe("cranfield", f"{CORPUS}{IMPORTED}steps = 0\n[finetune]\nbatch_size = 64\nsteps = 50\n"),
    "cranfield-adapted": Recipe(
        "cranfield", f'{CORPUS}{IMPORTED}budget = "4m"\n[finetune]\nbatch_size = 64\nsteps = 50\n'
    ),
}


def prepare(recipe: Recipe, data: Path, folder: Path, learn_share: float, model: Path | None) -> None:
    """Writes the three parts of the collection and the pipeline file."""
    parts = COLLECTIONS[recipe.collection](data, learn_share).all_to_read()
    for name in ("learn", "dev", "test"):
        getattr(parts, name).save(folder / name)
    write_lines(folder / "learn" / "pairs.jsonl", parts.learn.pairs())
    text = recipe.pipeline.lstrip()
    if model is not None:
        text = text.replace(MODEL, model.resolve().as_posix())
    (folder / "bertpipe.toml").write_text(text, encoding="utf-8")


def load(folder: Path) -> JudgedCollection:
    """Reads what `JudgedCollection.save` wrote."""
    found = JudgedCollection()
    with (folder / "corpus.jsonl").open(encoding="utf-8") as file:
        for record in map(json.loads, file):
            found.documents[record["_id"]] = (record["title"], record["text"])
    with (folder / "queries.jsonl").open(encoding="utf-8") as file:
        for record in map(json.loads, file):
            found.queries[record["_id"]] = record["text"]
    with (folder / "qrels.tsv").open(encoding="utf-8") as file:
        for line in list(file)[1:]:
            query, document, _ = line.split("\t")
            found.relevant.setdefault(query, set()).add(document)
    return found


def measure(
    folder: Path, encoder: Path, label: str, queries: int, parts: int, reranker: Path | None, rerank_queries: int
) -> dict[str, np.ndarray]:
    """All ways to search with an encoder.

    Args:
        folder: Of the run: holds ``dev`` and ``test``.
        encoder: The encoder's folder.
        label: What it is called in the table.
        queries: How many of the test queries, and of the dev queries at most; 0 is all.
        parts: Parts of a passage with vectors of their own.
        reranker: The reranker's folder, if there is one.
        rerank_queries: Queries that it reads the candidates of; half as many of the dev queries choose its weight.

    Returns:
        `judged_search.METRICS` of every query by the name of the way.
    """
    opened = Encoder(encoder)
    began = time.perf_counter()
    test_part, dev_part = load(folder / "test").some(queries), load(folder / "dev").some(queries or 2000)
    test, dev = SearchedCollection(test_part, opened, parts=parts), None
    if dev_part.queries:
        same = dev_part.documents == test_part.documents
        dev = test.asked(dev_part) if same else SearchedCollection(dev_part, opened, parts=parts)
    mixture, apart = dev.best_mixtures() if dev else (WITHOUT_DEV, WITHOUT_DEV)
    seconds = time.perf_counter() - began
    note = f"{label}: {mixture}, {len(test.passages):,} passages, {seconds:.0f} s"
    rows = {
        "words (BM25)": test.measures(lambda query: query.words()),
        f"{label}: vectors": test.measures(lambda query: query.vectors()),
        f"{label}: both": test.measures(lambda query: query.both(mixture)),
        f"{label}: both, without nearness": test.measures(lambda query: query.both(apart)),
        f"{label}: both, by ranks": test.measures(lambda query: query.by_ranks()),
    }
    if reranker is not None and dev:
        ranker = open_reranker(reranker)
        rerank_weight = best_rerank_weight(dev.read(ranker, mixture, DEPTH, rerank_queries // 2), mixture)
        began = time.perf_counter()
        read = test.read(ranker, mixture, DEPTH, rerank_queries)
        each = (time.perf_counter() - began) * 1000 / len(read)
        note += f"; reranker: weight {rerank_weight}, {each:.0f} ms for {DEPTH} candidates"
        name = f"{label}: both, {len(read):,} queries"
        rows[name] = reranked_measures(read, mixture, None)
        rows[f"{name}, reranked"] = reranked_measures(read, mixture, rerank_weight)
        rows[f"{name}, reranked alone"] = reranked_measures(read, mixture, 1.0)
    print(note, file=sys.stderr)
    return rows


def main() -> None:
    """Reads the command line, trains and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--folder", type=Path, required=True, help="where the runs go; resumed if they are there")
    parser.add_argument("--model", type=Path, help="folder of the model to start from, where the recipe needs one")
    parser.add_argument("--learn-share", type=float, default=1.0, help="share of what could be learned from")
    parser.add_argument("--queries", type=int, default=0, help="queries to judge with, chosen by hash; 0 is all")
    parser.add_argument("--parts", type=int, default=1, help="parts of a passage with vectors of their own")
    parser.add_argument("--rerank-queries", type=int, default=500, help="queries to rerank")
    parser.add_argument("--published", action="store_true", help="measure --model as it is, and train nothing")
    parser.add_argument("--set", action="append", default=[], metavar="STEP.KEY=VALUE", help="as for `bertpipe run`")
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.recipe]
    if (MODEL in recipe.pipeline or arguments.published) and not arguments.model:
        parser.error(f"{arguments.recipe} starts from a model: name one with --model")
    folder = (arguments.folder / arguments.recipe).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    prepare(recipe, arguments.data, folder, arguments.learn_share, arguments.model)
    reranker = None
    if arguments.published:
        encoder, label = folder / "published", arguments.model.name
        if not encoder.is_dir():
            encoder.mkdir()
            SavedModel.open(arguments.model).to_onnx(encoder)
    else:
        pipeline = folder / "bertpipe.toml"
        overrides = [parse_setting(text) for text in (*recipe.settings, *arguments.set)]
        last = "reranker" if recipe.reranker else "finetune"
        execute(str(pipeline), overrides, targets={last})
        runs = folder / "runs" / folder.name
        encoder, label = runs / "finetune" / "encoder", arguments.recipe
        reranker = runs / "reranker" / "reranker" if recipe.reranker else None
    rows = measure(folder, encoder, label, arguments.queries, arguments.parts, reranker, arguments.rerank_queries)
    np.savez(folder / f"{encoder.parent.name}-{arguments.parts}-measures.npz", **rows)
    print_table({name: values for name, values in rows.items() if "queries" not in name}, "words (BM25)")
    reranked = {name: values for name, values in rows.items() if "queries" in name}
    if reranked:
        print()
        print_table(reranked, next(iter(reranked)))


if __name__ == "__main__":
    main()
