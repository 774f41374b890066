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
from bertpipe.retrieval.query_batches import encoded_queries
from bertpipe.retrieval.ranking_scores import CUTS, DEPTH, METRICS, require_ir_measures, score_rankings
from bertpipe.retrieval.search_result import MODES, Mode
from bertpipe.retrieval.trec_run import run_lines
from bertpipe.tasks.bootstrap import bootstrap_intervals

BASELINE: Mode = "bm25"
"""What the other modes are compared with."""
SEED = 0
# Digits of what is measured: more than any interval is sure of, few enough to read.
_DIGITS = 6

Rankings = dict[Mode, dict[str, list[tuple[str, float]]]]
"""By mode and query: documents and their scores, best first."""


def evaluate_index(
    index: Index, judged: JudgedQueries, *, progress: Progress, runs: Path | None = None, modes: Sequence[Mode] = MODES
) -> dict[str, Any]:
    """Searches for every query in every mode, and scores what was found.

    Args:
        index: What to measure.
        judged: Queries with what is relevant to them.
        progress: Told how far it is.
        runs: A folder for ``<mode>.run`` files in TREC's format.
        modes: How to search; `BASELINE` is among them.

    Returns:
        JSON values; see ``docs/evaluation.md``.

    Raises:
        BertpipeError: ir-measures is not installed.
        StorageError: The runs cannot be written.
    """
    require_ir_measures()
    began = time.perf_counter()
    rankings = _search(index, judged, progress, modes)
    seconds = time.perf_counter() - began
    if runs is not None:
        save_runs(runs, rankings)
    queries = [query.id for query in judged.queries]
    values: dict[Mode, dict[str, np.ndarray]] = {}
    curves: dict[Mode, dict[str, list[float]]] = {}
    for mode in modes:
        values[mode], curves[mode] = score_rankings(judged.qrels, rankings[mode], queries)
    return {
        "task": "retrieval",
        "passages": len(index),
        "queries": len(queries),
        "left_out": judged.left_out,
        "unknown_documents": {"count": len(judged.unknown), "first": judged.unknown[:3]},
        "weight": index.settings.weight,
        "mode": index.settings.mode,
        "searches_per_second": round(len(queries) * len(modes) / max(seconds, 1e-9), 1),
        **_summary(values),
        "curves": {"at": list(CUTS), **{mode: _rounded(curves[mode]) for mode in modes}},
        "per_query": _per_query(judged, rankings, values),
    }


def save_runs(folder: Path, rankings: Rankings) -> None:
    """Writes each mode's rankings to ``<mode>.run``.

    Raises:
        StorageError: The disk refused.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for mode, of_queries in rankings.items():
            with (folder / f"{mode}.run").open("w", encoding="utf-8") as file:
                for query, ranking in of_queries.items():
                    file.writelines(f"{line}\n" for line in run_lines(query, ranking, f"bertpipe-{mode}"))
    except OSError as error:
        raise StorageError(f"the runs cannot be written to {folder}", why=error.strerror or str(error)) from error


def _search(index: Index, judged: JudgedQueries, progress: Progress, modes: Sequence[Mode]) -> Rankings:
    rankings: Rankings = {mode: {} for mode in modes}
    progress.start("searching", total=len(judged.queries), unit="queries")
    vectors = encoded_queries(index, [query.text for query in judged.queries], "hybrid")
    for query, vector in zip(judged.queries, vectors, strict=True):
        for mode in modes:
            found = rank_documents(index, query.text, DEPTH, mode, vector=vector, rerank=False)
            rankings[mode][query.id] = [(judged.name(one.id), one.score) for one in found]
        progress.advance(1)
    progress.finish()
    return rankings


def _summary(values: Mapping[Mode, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """Means with intervals, and differences to the baseline: paired, query by query."""
    others = [mode for mode in values if mode != BASELINE]
    columns = [values[mode][metric] for mode in values for metric in METRICS]
    differences = [values[mode][metric] - values[BASELINE][metric] for mode in others for metric in METRICS]
    table = np.stack([*columns, *differences], axis=1)  # (Q, C)
    intervals = iter(bootstrap_intervals(table, SEED).tolist())
    means = iter(table.mean(axis=0).tolist())

    def next_figures() -> dict[str, float]:
        low, high = next(intervals)
        return {name: round(value, _DIGITS) for name, value in (("mean", next(means)), ("low", low), ("high", high))}

    modes = {mode: {metric: next_figures() for metric in METRICS} for mode in values}
    paired: dict[str, Any] = {f"{mode} - {BASELINE}": {metric: next_figures() for metric in METRICS} for mode in others}
    for mode in others:
        gains = values[mode]["ndcg@10"] - values[BASELINE]["ndcg@10"]
        # Equal rankings give equal figures to the last bit; anything else is a difference.
        paired[f"{mode} - {BASELINE}"]["queries"] = {
            "better": int((gains > 0).sum()),
            "equal": int((gains == 0).sum()),
            "worse": int((gains < 0).sum()),
        }
    return {"modes": modes, "differences": paired}


def _per_query(
    judged: JudgedQueries, rankings: Rankings, values: Mapping[Mode, Mapping[str, np.ndarray]]
) -> list[dict[str, Any]]:
    rows = []
    for place, query in enumerate(judged.queries):
        relevant = {document for document, grade in judged.qrels[query.id].items() if grade > 0}
        row: dict[str, Any] = {"id": query.id, "text": query.text, "relevant": len(relevant)}
        for mode, of_mode in values.items():
            documents = [document for document, _ in rankings[mode][query.id]]
            first = next((rank for rank, document in enumerate(documents, start=1) if document in relevant), None)
            scores = {metric: round(float(column[place]), _DIGITS) for metric, column in of_mode.items()}
            row[mode] = {**scores, "first_relevant": first, "best": documents[:1]}
        rows.append(row)
    return rows


def _rounded(curves: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    return {name: [round(value, _DIGITS) for value in curve] for name, curve in curves.items()}
