"""How well an index finds, measured on queries of which somebody knows the answers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bertpipe.errors import StorageError
from bertpipe.progress import Progress
from bertpipe.retrieval.document_ranking import rank_documents
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.judged_queries import JudgedQueries
from bertpipe.retrieval.mixture_tuning import tune_mixture
from bertpipe.retrieval.query_batches import encoded_queries
from bertpipe.retrieval.ranking_scores import CUTS, DEPTH, METRICS, require_ir_measures, score_rankings
from bertpipe.retrieval.search_result import MODES, Mode
from bertpipe.retrieval.trec_run import run_lines
from bertpipe.tasks.bootstrap import bootstrap_intervals

BASELINE: Mode = "bm25"
"""What the other ways of searching are compared with."""
RERANKED = "reranked"
"""The way in which searches run by default, with the first hits in the reranker's order."""
SEED = 0
# Digits of what is measured: more than any interval is sure of, few enough to read.
_DIGITS = 6

Rankings = dict[str, dict[str, list[tuple[str, float]]]]
"""By way of searching (a mode, or `RERANKED`) and query: documents and their scores, best first."""


def evaluate_index(
    index: Index,
    judged: JudgedQueries,
    *,
    progress: Progress,
    runs: Path | None = None,
    rerank_depth: int | None = None,
    tune: bool = False,
) -> dict[str, Any]:
    """Searches for every query in every mode, and scores what was found.

    Args:
        index: What to measure.
        judged: Queries with what is relevant to them.
        progress: Told how far it is.
        runs: A folder for ``hybrid.run`` and its like, in TREC's format.
        rerank_depth: Also measures the default mode reranked, so many of its first hits read: a number, because what a
            time allows is another number on every machine. None: the reranker has no say.
        tune: Also looks for the mixture of words and vectors that finds these queries best.

    Returns:
        JSON values; see ``docs/evaluation.md``.

    Raises:
        BertpipeError: ir-measures is not installed.
        ConfigError: There is no reranker, or none of its hits are to be read.
        StorageError: The runs cannot be written.
    """
    require_ir_measures()
    ways: dict[str, dict[str, Any]] = {mode: {"mode": mode, "rerank": False} for mode in MODES}
    if rerank_depth is not None:
        index.require_reranker()
        ways[RERANKED] = {"mode": index.settings.mode, "rerank": True, "rerank_depth": rerank_depth}
    began = time.perf_counter()
    rankings = _search(index, judged, progress, ways)
    seconds = time.perf_counter() - began
    if runs is not None:
        save_runs(runs, rankings)
    queries = [query.id for query in judged.queries]
    values: dict[str, dict[str, np.ndarray]] = {}
    curves: dict[str, dict[str, list[float]]] = {}
    for way in ways:
        values[way], curves[way] = score_rankings(judged.qrels, rankings[way], queries)
    pairs = [(way, BASELINE) for way in ways if way != BASELINE]
    if rerank_depth is not None and index.settings.mode != BASELINE:
        pairs.append((RERANKED, index.settings.mode))
    return {
        "task": "retrieval",
        "passages": len(index),
        "queries": len(queries),
        "left_out": judged.left_out,
        "unknown_documents": {"count": len(judged.unknown), "first": judged.unknown[:3]},
        "weight": index.settings.weight,
        "nearness": index.settings.nearness,
        "mode": index.settings.mode,
        **({"best_mixture": _tuned(index, judged, progress)} if tune else {}),
        **({} if rerank_depth is None else {"rerank_depth": rerank_depth}),
        "searches_per_second": round(len(queries) * len(ways) / max(seconds, 1e-9), 1),
        **_summary(values, pairs),
        "curves": {"at": list(CUTS), **{way: _rounded(curves[way]) for way in ways}},
        "per_query": _per_query(judged, rankings, values),
    }


def save_runs(folder: Path, rankings: Rankings) -> None:
    """Writes the rankings of each way of searching to ``<way>.run``.

    Raises:
        StorageError: The disk refused.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for way, of_queries in rankings.items():
            with (folder / f"{way}.run").open("w", encoding="utf-8") as file:
                for query, ranking in of_queries.items():
                    file.writelines(f"{line}\n" for line in run_lines(query, ranking, f"bertpipe-{way}"))
    except OSError as error:
        raise StorageError(f"the runs cannot be written to {folder}", why=error.strerror or str(error)) from error


def _search(index: Index, judged: JudgedQueries, progress: Progress, ways: Mapping[str, Mapping[str, Any]]) -> Rankings:
    rankings: Rankings = {way: {} for way in ways}
    progress.start("searching", total=len(judged.queries), unit="queries")
    vectors = encoded_queries(index, [query.text for query in judged.queries], "hybrid")
    for query, vector in zip(judged.queries, vectors, strict=True):
        for way, how in ways.items():
            found = rank_documents(index, query.text, DEPTH, vector=vector, **how)
            rankings[way][query.id] = [(judged.name(one.id), one.score) for one in found]
        progress.advance(1)
    progress.finish()
    return rankings


def _tuned(index: Index, judged: JudgedQueries, progress: Progress) -> dict[str, Any]:
    progress.start("tuning the mixture", total=len(judged.queries), unit="queries")
    best = tune_mixture(index, judged, progress.advance, SEED)
    progress.finish()
    return best


def _summary(values: Mapping[str, Mapping[str, np.ndarray]], pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Means with intervals, and differences of pairs: query by query."""
    columns = [values[way][metric] for way in values for metric in METRICS]
    differences = [values[one][metric] - values[other][metric] for one, other in pairs for metric in METRICS]
    table = np.stack([*columns, *differences], axis=1)  # (Q, C)
    intervals = iter(bootstrap_intervals(table, SEED).tolist())
    means = iter(table.mean(axis=0).tolist())

    def next_figures() -> dict[str, float]:
        low, high = next(intervals)
        return {name: round(value, _DIGITS) for name, value in (("mean", next(means)), ("low", low), ("high", high))}

    modes = {way: {metric: next_figures() for metric in METRICS} for way in values}
    paired: dict[str, Any] = {}
    for one, other in pairs:
        gains = values[one]["ndcg@10"] - values[other]["ndcg@10"]
        paired[f"{one} - {other}"] = {metric: next_figures() for metric in METRICS} | {
            # Equal rankings give equal figures to the last bit; anything else is a difference.
            "queries": {
                "better": int((gains > 0).sum()),
                "equal": int((gains == 0).sum()),
                "worse": int((gains < 0).sum()),
            }
        }
    return {"modes": modes, "differences": paired}


def _per_query(
    judged: JudgedQueries, rankings: Rankings, values: Mapping[str, Mapping[str, np.ndarray]]
) -> list[dict[str, Any]]:
    rows = []
    for place, query in enumerate(judged.queries):
        relevant = {document for document, grade in judged.qrels[query.id].items() if grade > 0}
        row: dict[str, Any] = {"id": query.id, "text": query.text, "relevant": len(relevant)}
        for way, of_way in values.items():
            documents = [document for document, _ in rankings[way][query.id]]
            first = next((rank for rank, document in enumerate(documents, start=1) if document in relevant), None)
            scores = {metric: round(float(column[place]), _DIGITS) for metric, column in of_way.items()}
            row[way] = {**scores, "first_relevant": first, "best": documents[:1]}
        rows.append(row)
    return rows


def _rounded(curves: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    return {name: [round(value, _DIGITS) for value in curve] for name, curve in curves.items()}
