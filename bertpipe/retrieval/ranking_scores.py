"""Scores of rankings by trec_eval's own code, through ir_measures (MacAvaney, Macdonald and Ounis 2022).

The report of an index has its own `bertpipe.retrieval.metrics`, so that building one needs no extra; a test holds them
against these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bertpipe.errors import BertpipeError
from bertpipe.retrieval.trec_run import falling_scores
from bertpipe.text.readers.qrels import Qrels

METRICS = {"ndcg@10": "nDCG@10", "mrr@10": "RR@10", "map@100": "AP@100", "recall@10": "R@10", "recall@100": "R@100"}
"""Our names for metrics, and those of ir_measures."""
DEPTH = 100
"""Documents of a ranking that metrics look at."""
CUTS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)
"""Where the curves are measured."""
CURVES = {"ndcg": "nDCG", "recall": "R"}


def require_ir_measures() -> Any:
    """The library, asked for before long work that it would score.

    Raises:
        BertpipeError: It is not installed.
    """
    try:
        import ir_measures
        import pytrec_eval  # noqa: F401
    except ImportError as error:
        raise BertpipeError(
            "ir-measures is needed to measure an index",
            why=str(error),
            hint="Install it with `pip install bertpipe[evaluate]`.",
        ) from error
    return ir_measures


def score_rankings(
    qrels: Qrels, rankings: Mapping[str, Sequence[tuple[str, float]]], queries: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, list[float]]]:
    """Scores the rankings of one way to search.

    Args:
        qrels: Grades by query and document.
        rankings: By query: documents and their scores, best first.
        queries: Q ids of the queries to score; one without a ranking found nothing.

    Returns:
        `METRICS` of each query, float64 (Q,) by name; and the means of `CURVES` at each of `CUTS`.

    Raises:
        BertpipeError: ir-measures is not installed.
    """
    library = require_ir_measures()
    names = [*METRICS.values(), *(f"{curve}@{cut}" for curve in CURVES.values() for cut in CUTS)]
    measures = {name: library.parse_measure(name) for name in names}
    run = {
        query: {
            document: float(score)
            for (document, _), score in zip(ranking, falling_scores([one for _, one in ranking]), strict=True)
        }
        for query, ranking in rankings.items()
    }
    place = {query: number for number, query in enumerate(queries)}
    values = {str(measure): np.zeros(len(queries)) for measure in measures.values()}
    wanted = {query: qrels[query] for query in queries}
    for metric in library.iter_calc(list(set(measures.values())), wanted, run):
        values[str(metric.measure)][place[metric.query_id]] = metric.value
    of = {name: values[str(measure)] for name, measure in measures.items()}
    curves = {name: [float(of[f"{curve}@{cut}"].mean()) for cut in CUTS] for name, curve in CURVES.items()}
    return {name: of[theirs] for name, theirs in METRICS.items()}, curves
