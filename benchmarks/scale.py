"""Measures searching at scale: building, size, memory, recall, and how long searches take beside the raw engines.

    python benchmarks/scale.py --passages 1000000 --folder FOLDER
    python benchmarks/scale.py --passages 1000000 --folder FOLDER --vectors real.npy --queries queries.npy

Texts are made up as in ``benchmarks/lexical_engines.py``, or taken from JSON lines (``--texts``). Vectors come from
``--vectors``, a float32 ``.npy`` of real ones in no order. Where they are fewer than the passages, the rest is made out
of them: one of the first 20,000, one of its ten nearest among these, a point between both drawn evenly, noise of a
tenth of their distance, and length 1. Without ``--vectors`` all are made up: clusters of Gaussian noise. Queries
likewise.

What is raw: FAISS's own refining index (``IndexRefine`` over the same codes, full vectors in memory) with the same
parameters, and tantivy with the same terms. Ours is a whole search of an open `bertpipe.Index`, passages read and all,
with vectors of queries at hand; what encoding adds is measured apart, with ``--encoder``. All take turns at every
query, so that other work on the machine disturbs them alike, in an order that is drawn for each: the first to read what
a query needs finds it in memory, the others in the processor's cache. Times are CPU time of the process, which other
work disturbs least, and wall time. What is built already lies in the folder and is not built again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from lexical_engines import from_file, zipfian

QUERIES, WARM, DEPTH, K = 300, 50, 100, 10


# ---- what is searched
def passage_texts(options: argparse.Namespace) -> Iterator[str]:
    """Yields the texts of this run."""
    yield from from_file(options.texts) if options.texts else zipfian(options.passages, options.seed)


def query_texts(options: argparse.Namespace) -> list[str]:
    """Returns queries of 3 to 8 neighbouring words of a passage."""
    generator = np.random.default_rng(options.seed + 1)
    pool: list[str] = []
    for number, text in enumerate(passage_texts(options)):
        if number % 199 == 0:
            pool.append(text)
        if len(pool) == 4 * QUERIES:
            break
    queries = []
    for _ in range(QUERIES):
        words = pool[generator.integers(len(pool))].split()
        size = int(generator.integers(3, 9))
        start = int(generator.integers(max(1, len(words) - size)))
        queries.append(" ".join(words[start : start + size]))
    return queries


def made_vectors(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Returns the vectors of passages, mapped from a file, and those of queries."""
    import faiss

    path = options.folder / "made.npy"
    if options.vectors:
        real = np.load(options.vectors, mmap_mode="r")[: options.passages]
        queries = np.load(options.queries)
    else:
        made = clustered(min(options.passages, 50_000) + 2000, options.width, options.seed)
        real, queries = made[:-2000], made[-2000:]
    if not path.is_file():
        partial = path.with_suffix(".new.npy")
        filled = np.lib.format.open_memmap(partial, "w+", np.float32, (options.passages, real.shape[1]))
        filled[: len(real)] = real
        some = np.ascontiguousarray(real[:20_000])
        near = faiss.knn(some, some, 11, metric=faiss.METRIC_INNER_PRODUCT)[1][:, 1:]
        for start in range(len(real), options.passages, 50_000):
            stop = min(start + 50_000, options.passages)
            filled[start:stop] = between(some, near, stop - start, [options.seed, start])
        filled.flush()
        del filled
        partial.replace(path)
    return np.load(path, mmap_mode="r"), np.ascontiguousarray(queries, dtype=np.float32)


def clustered(count: int, width: int, seed: int) -> np.ndarray:
    """Returns made-up vectors: noise around 500 centres."""
    generator = np.random.default_rng(seed)
    made = generator.standard_normal((500, width), dtype=np.float32)[generator.integers(500, size=count)]
    made += 0.8 * generator.standard_normal((count, width), dtype=np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def between(some: np.ndarray, near: np.ndarray, count: int, seed: list[int]) -> np.ndarray:
    """Returns vectors made out of real ones and the numbers of their nearest; see the module."""
    generator = np.random.default_rng(seed)
    rows = generator.integers(len(some), size=count)
    first = some[rows]
    step = some[near[rows, generator.integers(near.shape[1], size=count)]] - first
    distance = np.linalg.norm(step, axis=1, keepdims=True)
    noise = generator.standard_normal(first.shape, dtype=np.float32)
    noise *= 0.1 * distance / np.linalg.norm(noise, axis=1, keepdims=True)
    made = first + generator.random((count, 1), dtype=np.float32) * step + noise
    return made / np.linalg.norm(made, axis=1, keepdims=True)


# ---- building
class Clock:
    """Wall and CPU time of steps, and what else is worth keeping, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}

    def step(self, name: str, work: Callable[[], Any]) -> Any:
        """Does and times a step."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.values[name] = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        self.keep(name, self.values[name])
        return result

    def keep(self, name: str, value: Any) -> None:
        """Writes a value down."""
        self.values[name] = value
        self.path.write_text(json.dumps(self.values, indent=1))
        print(name, json.dumps(value), file=sys.stderr, flush=True)


def build(options: argparse.Namespace) -> None:
    """Lays out an index folder; parts that are there stay."""
    from bertpipe.retrieval.encoder import encoder_digest
    from bertpipe.retrieval.index_folder import ENCODER, LEXICAL, PASSAGES, VECTORS, IndexSettings
    from bertpipe.retrieval.lexical import LexicalIndex
    from bertpipe.retrieval.passage import Passage
    from bertpipe.retrieval.passage_store import PassageStore
    from bertpipe.retrieval.passage_writer import PassageWriter
    from bertpipe.retrieval.tuning import build_tuned

    folder, clock = options.folder, Clock(options.folder / "built.json")

    def store() -> None:
        with PassageWriter(folder / "passages.new") as passages:
            passages.add_many(
                Passage(number, f"d{number}#0", f"d{number}", "", text, 0, len(text), {})
                for number, text in enumerate(passage_texts(options))
            )
        (folder / "passages.new").replace(folder / PASSAGES)

    def words() -> None:
        shutil.rmtree(folder / "lexical.new", ignore_errors=True)
        rows = ((number, "", text) for number, text in enumerate(passage_texts(options)))
        LexicalIndex.build(folder / "lexical.new", rows)
        (folder / "lexical.new").rename(folder / LEXICAL)

    if not (folder / PASSAGES).is_file():
        clock.step("passages", store)
    if not (folder / LEXICAL).is_dir():
        clock.step("words", words)
    with PassageStore.open(folder / PASSAGES) as opened:
        options.passages = len(opened)
    if not (folder / VECTORS).is_dir() or options.structure:
        vectors, queries = clock.step("making vectors", lambda: made_vectors(options))
        # Half of the queries choose the effort, the others measure it.
        tuned = clock.step(
            "vectors", lambda: build_tuned(vectors, lambda: queries[::2], structure=options.structure or "auto")
        )
        tuned.index.save(folder / "vectors.new")
        shutil.rmtree(folder / VECTORS, ignore_errors=True)
        (folder / "vectors.new").rename(folder / VECTORS)
        clock.keep("structure", tuned.report)
        clock.keep("recall", recall(tuned.index, vectors, queries[1::2][:1000]))
        np.save(folder / "queries.npy", queries[1::2])
    encoder = folder / ENCODER
    if not encoder.is_dir():
        if options.encoder:
            shutil.copytree(options.encoder, encoder)
        else:
            encoder.mkdir()
            for name in ("encoder.onnx", "encoder.json", "tokenizer.model"):
                (encoder / name).write_text("none")
    IndexSettings(encoder_digest(encoder), options.passages, "hybrid", 0.5).save(folder)
    (folder / "texts.json").write_text(json.dumps(query_texts(options)))


def recall(index: Any, vectors: np.ndarray, queries: np.ndarray) -> dict[str, Any]:
    """Recall@10 and @100 of searches for 10 and 100, on queries that nothing was tuned with."""
    from bertpipe.retrieval.tuning import exact_nearest
    from bertpipe.tasks.bootstrap import bootstrap_interval

    exact = exact_nearest(vectors, queries, DEPTH)
    figures = {}
    for k in (K, DEPTH):
        found = [index.search(query, k)[0] for query in queries]
        shares = [len(np.intersect1d(a, b[:k])) / k for a, b in zip(found, exact, strict=True)]
        low, high = bootstrap_interval(shares, 0)
        figures[f"recall@{k}"] = [round(float(np.mean(shares)), 4), round(low, 4), round(high, 4)]
    return figures


# ---- searching
class AtHand:
    """Stands in for the encoder: knows the vectors of the queries."""

    def __init__(self, known: dict[str, np.ndarray]) -> None:
        self.known = known

    def encode_queries(self, queries: list[str]) -> np.ndarray:
        """Looks the vectors up."""
        return np.stack([self.known[query] for query in queries])


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Searches, in this process, with ``options.threads`` threads; the raw engines take turns with ours."""
    import faiss

    from bertpipe.retrieval.fusion import NEARNESS
    from bertpipe.retrieval.index import Index

    faiss.omp_set_num_threads(options.threads)
    begin = time.perf_counter()
    index = Index(options.folder, threads=options.threads)
    opened = time.perf_counter() - begin
    texts = json.loads((options.folder / "texts.json").read_text())
    vectors = np.load(options.folder / "queries.npy")[: len(texts)]
    texts = texts[: len(vectors)]
    known = dict(zip(texts, vectors, strict=True))
    index._encoder = AtHand(known)  # type: ignore[assignment]
    searches: dict[str, Callable[[str], Any]] = {
        "dense": lambda query: index.search(query, K, "dense"),
        "bm25": lambda query: index.search(query, K, "bm25"),
        "hybrid": lambda query: index.search(query, K, "hybrid"),
    }
    usual = index.settings

    def with_nearness(query: str) -> Any:
        index.settings = replace(usual, nearness=NEARNESS)
        found = index.search(query, K, "hybrid")
        index.settings = usual
        return found

    searches["hybrid, nearness"] = with_nearness
    if options.raw:
        searches |= raw_engines(index, known)
    if options.real_encoder:
        from bertpipe.retrieval.encoder import Encoder

        encoder = Encoder(options.folder / "encoder", options.threads)
        searches["encoding"] = lambda query: encoder.encode_queries([query])
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in searches}
    names, generator = list(searches), np.random.default_rng(options.seed)
    for number, query in enumerate([*texts[:WARM], *texts]):
        for name in map(names.__getitem__, generator.permutation(len(names)).tolist()):
            wall, cpu = time.perf_counter(), time.process_time()
            searches[name](query)
            if number >= WARM:
                taken[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    figures: dict[str, Any] = {"open_ms": opened * 1000} | memory()
    for name, pairs in taken.items():
        for kind, values in zip(("cpu", "wall"), np.array(pairs).T * 1000, strict=True):
            figures[f"{name} {kind}"] = [round(float(value), 3) for value in np.percentile(values, [50, 95])]
            figures[f"{name} {kind} sum"] = float(values.sum())
    return figures


def raw_engines(index: Any, known: dict[str, np.ndarray]) -> dict[str, Callable[[str], Any]]:
    """FAISS and tantivy by themselves, over the same files."""
    import faiss
    import tantivy

    from bertpipe.retrieval.analysis import analyse

    dense, codes = index._vectors, index._vectors.codes
    full = faiss.IndexFlatIP(dense.width)
    full.add(dense._vectors)
    if codes is None:
        refined, chosen = full, None
    else:
        refined = faiss.IndexRefine(codes._index, full)

    def by_vector(query: str, k: int) -> Any:
        nonlocal chosen
        if codes is not None:
            chosen = faiss.IndexRefineSearchParameters(
                k_factor=dense.effort.refine, base_index_params=codes._parameters(k, dense.effort.probes, None)
            )
        return refined.search(known[query][None], k, params=chosen)

    searcher, schema = index._lexical._searcher, index._lexical._schema

    def by_words(query: str, k: int) -> Any:
        terms = dict.fromkeys(analyse(query))
        clauses = [(tantivy.Occur.Should, tantivy.Query.term_query(schema, "terms", term, "freq")) for term in terms]
        hits = searcher.search(tantivy.Query.boolean_query(clauses), k, count=False).hits
        return searcher.fast_field_values("number", [address for _, address in hits])

    return {
        "raw dense": lambda query: by_vector(query, K),
        "raw bm25": lambda query: by_words(query, K),
        "raw hybrid": lambda query: (by_vector(query, DEPTH), by_words(query, DEPTH)),
    }


def memory() -> dict[str, float]:
    """Megabytes of this process that lie in memory: its own, and pages of mapped files."""
    path = Path("/proc/self/status")
    if not path.is_file():
        return {}
    lines = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    named = {"own_mb": "RssAnon", "mapped_mb": "RssFile"}
    return {name: int(lines[field].split()[0]) / 1000 for name, field in named.items()}


# ---- driving
def in_child(options: argparse.Namespace, action: str, threads: int, *flags: str) -> dict[str, Any]:
    """Runs one measurement in a new process."""
    command = [sys.executable, __file__, "--action", action, "--threads", str(threads), *flags]
    for name in ("folder", "passages", "seed", "width", "texts", "vectors", "queries", "structure", "encoder"):
        value = getattr(options, name)
        command += [] if value is None else [f"--{name}", str(value)]
    counts = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL", "RAYON")}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | counts)
    return json.loads(done.stdout.splitlines()[-1])


def report(options: argparse.Namespace, alone: dict[str, Any], measured: dict[int, dict[str, Any]]) -> None:
    """Prints what was found as Markdown."""
    built = json.loads((options.folder / "built.json").read_text())
    sizes = {
        name: sum(file.stat().st_size for file in (options.folder / name).rglob("*") if file.is_file()) / 1e6
        for name in ("vectors", "lexical")
    }
    sizes["passages"] = (options.folder / "passages.sqlite").stat().st_size / 1e6
    codes = options.folder / "vectors" / "codes.faiss"
    if codes.is_file():
        sizes["codes alone"] = codes.stat().st_size / 1e6
    print("built:", json.dumps(built))
    print("megabytes:", json.dumps({name: round(size, 1) for name, size in sizes.items()}))
    print("without the raw engines:", json.dumps({name: alone[name] for name in ("open_ms", "own_mb", "mapped_mb")}))
    print("\n| threads | search | CPU p50 / p95, ms | wall p50 / p95, ms | ours to raw, CPU |\n|---|---|---|---|---|")
    for threads, figures in measured.items():
        for name in ("raw dense", "dense", "raw bm25", "bm25", "raw hybrid", "hybrid", "hybrid, nearness", "encoding"):
            if f"{name} cpu" not in figures:
                continue
            (cpu, cpu95), (wall, wall95) = figures[f"{name} cpu"], figures[f"{name} wall"]
            raw = figures.get(f"raw {name.partition(',')[0]} cpu")
            ratio = f"{cpu / raw[0]:.2f}" if raw else ""
            print(f"| {threads} | {name} | {cpu:.2f} / {cpu95:.2f} | {wall:.2f} / {wall95:.2f} | {ratio} |")


def main() -> None:
    """Builds, measures, reports."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=384, help="of vectors that are made up")
    parser.add_argument("--folder", type=Path, required=True, help="for the index: 5 GB for a million passages")
    parser.add_argument("--texts", type=Path, help="JSON lines with a field 'text', instead of made-up text")
    parser.add_argument("--vectors", type=Path, help="float32 .npy of real vectors of length 1")
    parser.add_argument("--queries", type=Path, help="float32 .npy of real queries' vectors; goes with --vectors")
    parser.add_argument("--structure", help="a FAISS factory string; builds the vectors anew")
    parser.add_argument("--encoder", type=Path, help="an exported text encoder, to measure encoding with")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--action", help=argparse.SUPPRESS)
    parser.add_argument("--raw", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--real-encoder", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if (options.vectors is None) != (options.queries is None):
        parser.error("--vectors and --queries go together")
    if options.action == "build":
        build(options)
        print("{}")
    elif options.action == "measure":
        print(json.dumps(measure(options)))
    else:
        options.folder.mkdir(parents=True, exist_ok=True)
        in_child(options, "build", 1)
        flags = ["--raw", *(["--real-encoder"] if options.encoder else [])]
        alone = in_child(options, "measure", 1)
        report(options, alone, {threads: in_child(options, "measure", threads, *flags) for threads in (1, 2)})


if __name__ == "__main__":
    main()
