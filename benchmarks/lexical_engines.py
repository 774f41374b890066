"""Compares BM25 engines: tantivy and bm25s, at a million passages and on a Chinese corpus.

Every measurement runs in a process of its own, pinned to one core, and the engines are fed the same terms,
made by ``bertpipe.retrieval.analysis``. Text is drawn from a Zipf-Mandelbrot distribution over made-up words.

    python benchmarks/lexical_engines.py --passages 1000000 --folder FOLDER
    python benchmarks/lexical_engines.py --texts articles.jsonl --folder FOLDER

An engine runs where its packages are installed (tantivy, bm25s, numba). Progress goes to standard error, one
Markdown table to standard output.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ENGINES = ("tantivy", "bm25s", "bm25s-numba")
K1, B = 1.2, 0.75
QUERIES, DEPTH = 500, 100
ADDED, DELETED = 1000, 100
CHUNK = 10_000


# ---- the texts
def made_up_words(count: int) -> np.ndarray:
    """Returns ``count`` different pronounceable words; the frequent ones are short."""
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
    words = []
    for number in range(count):
        word = ""
        number += 1
        while number:
            number, digit = divmod(number - 1, len(syllables))
            word += syllables[digit]
        words.append(word)
    return np.array(words, dtype=object)


def zipfian(count: int, seed: int, vocabulary: int = 200_000) -> Iterator[str]:
    """Yields ``count`` passages of 60 to 100 words."""
    words = made_up_words(vocabulary)
    weights = 1.0 / (np.arange(vocabulary) + 2.7) ** 1.07
    bounds = np.cumsum(weights / weights.sum())
    for chunk in range(0, count, CHUNK):
        generator = np.random.default_rng([seed, chunk])
        lengths = generator.integers(60, 101, min(CHUNK, count - chunk))
        drawn = words[np.searchsorted(bounds, generator.random(lengths.sum())).clip(max=vocabulary - 1)]
        for passage in np.split(drawn, np.cumsum(lengths)[:-1]):
            yield " ".join(passage)


def from_file(path: Path, width: int = 300) -> Iterator[str]:
    """Yields the ``text`` fields of a JSON lines file, cut into stretches of ``width`` characters."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)["text"]
            for start in range(0, len(text), width):
                yield text[start : start + width]


def texts(options: argparse.Namespace) -> Iterator[str]:
    """Yields the passages of this run."""
    return from_file(options.texts) if options.texts else zipfian(options.passages, options.seed)


def write_queries(options: argparse.Namespace) -> None:
    """Writes queries of 3 to 8 neighbouring words of a passage, or 6 to 16 characters of a Chinese one."""
    generator = np.random.default_rng(options.seed + 1)
    pool = [text for number, text in enumerate(texts(options)) if number % 199 == 0][: 20 * QUERIES]
    queries = []
    while len(queries) < QUERIES:
        text = pool[generator.integers(len(pool))]
        pieces, joiner = (text.split(), " ") if not options.texts else (list(text), "")
        size = int(generator.integers(3, 9)) * (1 if joiner else 2)
        start = int(generator.integers(max(1, len(pieces) - size)))
        query = joiner.join(pieces[start : start + size]).strip()
        if len(query) > 3:
            queries.append(query)
    (options.folder / "queries.json").write_text(json.dumps(queries), encoding="utf-8")


def added_texts() -> list[str]:
    """Returns the passages that are added to an existing index."""
    return list(zipfian(ADDED, seed=99))


# ---- the engines
class Tantivy:
    """The engine behind tantivy-py: memory-mapped segments."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def build(self, analysed: Iterator[list[str]]) -> None:
        """Writes the index."""
        import tantivy

        schema = tantivy.SchemaBuilder()
        schema.add_text_field("text", tokenizer_name="whitespace", index_option="freq")
        schema.add_unsigned_field("number", indexed=True, fast=True)
        index = tantivy.Index(schema.build(), str(self.folder))
        writer = index.writer(heap_size=1_000_000_000, num_threads=1)
        for number, terms in enumerate(analysed):
            self._add(writer, number, terms)
        writer.commit()
        writer.wait_merging_threads()

    @staticmethod
    def _add(writer: Any, number: int, terms: list[str]) -> None:
        import tantivy

        document = tantivy.Document()
        document.add_text("text", " ".join(terms))
        document.add_unsigned("number", number)
        writer.add_document(document)

    def open(self) -> None:
        """Makes the index searchable."""
        import tantivy

        self.index = tantivy.Index.open(str(self.folder))
        self.index.config_reader("manual")
        self.searcher = self.index.searcher()

    def search(self, terms: list[str], k: int) -> list[int]:
        """Returns the numbers of the best passages."""
        import tantivy

        schema = self.index.schema
        queries = [tantivy.Query.term_query(schema, "text", term, "freq") for term in set(terms)]
        clauses = [(tantivy.Occur.Should, query) for query in queries]
        hits = self.searcher.search(tantivy.Query.boolean_query(clauses), k, count=False).hits
        return self.searcher.fast_field_values("number", [address for _, address in hits])

    def update(self, added: list[list[str]], deleted: list[int], everything: Any) -> None:
        """Adds and deletes in place."""
        writer = self.index.writer(heap_size=200_000_000, num_threads=1)
        for number in deleted:
            writer.delete_documents_by_term("number", number)
        for number, terms in enumerate(added):
            self._add(writer, 10**9 + number, terms)
        writer.commit()
        writer.wait_merging_threads()
        self.index.reload()
        self.searcher = self.index.searcher()


class Bm25s:
    """The engine of bm25s: a sparse matrix of ready scores."""

    backend = "numpy"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def build(self, analysed: Iterator[list[str]]) -> None:
        """Writes the index."""
        import bm25s

        vocabulary: dict[str, int] = {}
        ids = [[vocabulary.setdefault(term, len(vocabulary)) for term in terms] for terms in analysed]
        engine = bm25s.BM25(k1=K1, b=B, method="lucene", backend=self.backend)
        engine.index((ids, vocabulary), show_progress=False)
        engine.save(str(self.folder), show_progress=False)

    def open(self) -> None:
        """Makes the index searchable."""
        import bm25s

        self.engine = bm25s.BM25.load(str(self.folder), mmap=True, show_progress=False)
        if self.backend == "numba":
            self.engine.backend = "numba"
            self.engine.compile(activate_numba=True, warmup=False)

    def search(self, terms: list[str], k: int) -> list[int]:
        """Returns the numbers of the best passages."""
        found = self.engine.retrieve([list(set(terms))], k=k, show_progress=False, n_threads=0)
        return found.documents[0].tolist()

    def update(self, added: list[list[str]], deleted: list[int], everything: Any) -> None:
        """Builds anew: the scores of all passages hang together."""
        gone = set(deleted)
        kept = [terms for number, terms in enumerate(everything) if number not in gone]
        self.build(iter(kept + added))
        self.open()


class Bm25sNumba(Bm25s):
    """bm25s, compiled."""

    backend = "numba"


def engine_of(options: argparse.Namespace) -> Tantivy | Bm25s:
    """Returns the engine that a measurement is about."""
    kinds = {"tantivy": Tantivy, "bm25s": Bm25s, "bm25s-numba": Bm25sNumba}
    return kinds[options.engine](options.folder / options.engine)


# ---- the measurements
class Stopwatch:
    """Adds up the time that items take to come."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, items: Iterator[Any]) -> Iterator[Any]:
        """Yields ``items``."""
        while True:
            begin = time.perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                self.seconds += time.perf_counter() - begin
            yield item


def measure_build(options: argparse.Namespace) -> dict[str, Any]:
    """Builds the index from text; the time to draw the text is not counted, that to analyse it is."""
    from bertpipe.retrieval.analysis import analyse

    engine = engine_of(options)
    shutil.rmtree(engine.folder, ignore_errors=True)
    engine.folder.mkdir(parents=True)
    drawing = Stopwatch()
    begin = time.perf_counter()
    engine.build(map(analyse, drawing.around(texts(options))))
    seconds = time.perf_counter() - begin - drawing.seconds
    size = sum(file.stat().st_size for file in engine.folder.iterdir())
    return {"build_s": seconds, "megabytes": size / 1e6}


def measure_cold(options: argparse.Namespace) -> dict[str, Any]:
    """Opens the index and answers one query."""
    begin = time.perf_counter()
    from bertpipe.retrieval.analysis import analyse

    engine = engine_of(options)
    engine.open()
    query = json.loads((options.folder / "queries.json").read_text(encoding="utf-8"))[options.query]
    found = engine.search(analyse(query), DEPTH)
    return {"cold_s": time.perf_counter() - begin, "found": len(found)}


def measure_latency(options: argparse.Namespace) -> dict[str, Any]:
    """Answers every query, after a round of warming up; in CPU time, which other processes do not disturb."""
    from bertpipe.retrieval.analysis import analyse

    engine = engine_of(options)
    engine.open()
    queries = json.loads((options.folder / "queries.json").read_text(encoding="utf-8"))
    for query in queries[:50]:
        engine.search(analyse(query), DEPTH)
    seconds, found = [], []
    for query in queries:
        begin = time.process_time()
        found.append(engine.search(analyse(query), DEPTH))
        seconds.append(time.process_time() - begin)
    (options.folder / f"{options.engine}.found.json").write_text(json.dumps(found), encoding="utf-8")
    p50, p95 = np.percentile(seconds, [50, 95]) * 1000
    return {"p50_ms": p50, "p95_ms": p95}


def measure_update(options: argparse.Namespace) -> dict[str, Any]:
    """Deletes and adds passages; what an engine needs to be kept from the first build is not counted."""
    from bertpipe.retrieval.analysis import analyse

    engine = engine_of(options)
    engine.open()
    everything = [analyse(text) for text in texts(options)] if isinstance(engine, Bm25s) else None
    added = [analyse(text) for text in added_texts()]
    deleted = list(range(0, DELETED * 7, 7))
    begin = time.perf_counter()
    engine.update(added, deleted, everything)
    seconds = time.perf_counter() - begin
    assert len(engine.search(added[0], 10)) == 10
    return {"update_s": seconds}


def forget_cached(folder: Path) -> None:
    """Asks the operating system to drop the pages of a folder's files."""
    for file in folder.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


# ---- driving
def in_child(options: argparse.Namespace, engine: str, action: str, query: int = 0) -> dict[str, Any]:
    """Runs one measurement in a new process and returns its figures, with its wall time and peak memory."""
    command = [sys.executable, __file__, "--engine", engine, "--action", action, "--query", str(query)]
    for name in ("folder", "passages", "seed", "core", "memory", "texts"):
        value = getattr(options, name)
        command += [] if value is None else [f"--{name}", str(value)]
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "RAYON")}
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | threads)
    wall = time.perf_counter() - begin
    if done.returncode:
        print(f"{engine} {action} failed: {done.stderr[-2000:]}", file=sys.stderr)
        return {"failed": True}
    figures = json.loads(done.stdout.splitlines()[-1]) | {"wall_s": wall}
    shown = " ".join(f"{name}={value:.4g}" for name, value in figures.items())
    print(engine, action, shown, file=sys.stderr, flush=True)
    return figures


def run_action(options: argparse.Namespace) -> None:
    """Is the child: pins itself, measures, prints."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {options.core})
    resource.setrlimit(resource.RLIMIT_DATA, (options.memory << 30, options.memory << 30))
    actions = {
        "build": measure_build,
        "cold": measure_cold,
        "latency": measure_latency,
        "update": measure_update,
    }
    figures = actions[options.action](options)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps(figures | {"peak_mb": usage.ru_maxrss / 1000, "cpu_s": usage.ru_utime + usage.ru_stime}))


def main() -> None:
    """Measures every engine that is installed."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--texts", type=Path, help="JSON lines with a field 'text', instead of made-up text")
    parser.add_argument("--folder", type=Path, required=True, help="for the indexes: a few GB")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--core", type=int, default=0, help="the core that all measurements are pinned to")
    parser.add_argument("--memory", type=int, default=8, help="GiB of private memory that an engine may use")
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--action", help=argparse.SUPPRESS)
    parser.add_argument("--query", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.action:
        run_action(options)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    write_queries(options)
    table: dict[str, dict[str, Any]] = {}
    for engine in ENGINES:
        if any(importlib.util.find_spec(package) is None for package in engine.split("-")):
            continue
        build = in_child(options, engine, "build")
        if "failed" in build:
            continue
        row = {key: build[key] for key in ("build_s", "megabytes")}
        row["build_mb"] = build["peak_mb"]
        in_child(options, engine, "cold")  # compiles what is compiled once
        runs = [in_child(options, engine, "cold", query) for query in range(5)]
        row["cold_ms"] = 1000 * statistics.median(run["cold_s"] for run in runs)
        row["process_ms"] = 1000 * statistics.median(run["wall_s"] for run in runs)
        forget_cached(options.folder / engine)
        row["from_disk_ms"] = 1000 * in_child(options, engine, "cold")["cold_s"]
        latency = in_child(options, engine, "latency")
        row |= {"p50_ms": latency["p50_ms"], "p95_ms": latency["p95_ms"], "search_mb": latency["peak_mb"]}
        update = in_child(options, engine, "update")
        row["update_s"] = update.get("update_s", float("nan"))
        table[engine] = row
    report(options, table)


def report(options: argparse.Namespace, table: dict[str, dict[str, Any]]) -> None:
    """Prints the Markdown table and how far the engines agree."""
    columns = list(next(iter(table.values())))
    print("| engine | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for engine, row in table.items():
        print(f"| {engine} | " + " | ".join(f"{row[column]:.4g}" for column in columns) + " |")
    first, *others = table
    expected = read_found(options, first)
    for engine in others:
        pairs = zip(expected, read_found(options, engine), strict=True)
        shared = [len(set(a[:10]) & set(b[:10])) / max(1, len(a[:10])) for a, b in pairs]
        print(f"\nThe first ten of {first} and {engine} share {statistics.fmean(shared):.1%}.")


def read_found(options: argparse.Namespace, engine: str) -> list[list[int]]:
    """Reads what an engine found for every query."""
    return json.loads((options.folder / f"{engine}.found.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
