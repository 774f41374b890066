"""What reranking is worth on held-out queries: the same queries with it and without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertpipe.models.passage_ranker import PassageRanker
from bertpipe.retrieval.fusion import WEIGHTS
from bertpipe.retrieval.report import FEWEST_QUERIES, METRICS, Judged, in_first_half, measures_of, summary
from bertpipe.retrieval.reranking import mixed
from bertpipe.retrieval.search_result import Mode

DEPTH = 20
"""Candidates that are read for each query."""
DEFAULT_WEIGHT = 0.5


@dataclass(frozen=True)
class ReadQuery:
    """A query whose first candidates a reranker has read.

    Attributes:
        documents: int64 (C,), the document of each candidate, in the order that the search found them.
        found: (C,), the search's scores, falling.
        reranked: float32 (R,), the reranker's scores of the first R.
        relevant: The document that the query was taken out of.
        first_half: It belongs to the first half of the queries.
        mode: How the candidates were found.
    """

    documents: np.ndarray
    found: np.ndarray
    reranked: np.ndarray
    relevant: int
    first_half: bool
    mode: Mode

    def measures(self, weight: float | None) -> tuple[float, float, float]:
        """`METRICS` of the ranking with a weight of the reranker; None leaves it as it was found."""
        score = self.found if weight is None else mixed(self.found, self.reranked, weight)
        order = np.argsort(-score, kind="stable")
        return measures_of(list(dict.fromkeys(self.documents[order].tolist())), self.relevant)


def read_candidates(
    judged: Sequence[Judged],
    ranker: PassageRanker,
    mode: Mode,
    report: Mapping[str, Any],
    advance: Callable[[int], None],
) -> list[ReadQuery]:
    """Has the first candidates of every query read.

    Args:
        judged: The queries.
        ranker: The reranker.
        mode: How to find candidates.
        report: Of `bertpipe.retrieval.report.make_report`. No query helps to choose the weight of its own search.
        advance: Told the number of queries done since the last call.
    """
    found = []
    for one in judged:
        assert one.read is not None
        first_half = in_first_half(one.query.document.id)
        weight = report["weights_by_half"][int(first_half)] if report["measured"] else report["weight"]
        places, scores = one.found(mode, weight, report["nearness"])
        passages = one.read(one.candidates.numbers[places[:DEPTH]].tolist())
        reranked = ranker.scores(one.query.text, passages)
        found.append(ReadQuery(one.documents[places], scores, reranked, one.relevant, first_half, mode))
        advance(1)
    return found


def best_rerank_weight(queries: Sequence[ReadQuery]) -> float:
    """The reranker's weight with the best mean nDCG@10; the middle of several equally good ones."""
    means = np.array([np.mean([one.measures(float(weight))[0] for one in queries]) for weight in WEIGHTS])
    best = np.flatnonzero(means >= means.max() - 1e-12)
    return float(WEIGHTS[best[len(best) // 2]])


def make_rerank_report(queries: Sequence[ReadQuery], seed: int) -> dict[str, Any]:
    """Measures the order of the search and that of the reranker, each half with the weight that was best on the other.

    Args:
        queries: All found in one mode.
        seed: Of the bootstrap.

    Returns:
        JSON values; see ``docs/report.md``.
    """
    halves = {side: [one for one in queries if one.first_half == side] for side in (True, False)}
    if len(queries) < FEWEST_QUERIES or not all(halves.values()):
        return {
            "measured": False,
            "queries": len(queries),
            "helps": False,
            "weight": DEFAULT_WEIGHT,
            "verdict": f"Reranking was not measured: an honest comparison needs {FEWEST_QUERIES} held-out queries.",
        }
    tuned_on_other = {side: best_rerank_weight(halves[not side]) for side in (True, False)}
    without = np.array([one.measures(None) for one in queries])  # (Q, 3)
    with_it = np.array([one.measures(tuned_on_other[one.first_half]) for one in queries])
    difference = summary(with_it - without, seed)
    gain = difference[METRICS[0]]
    mode = queries[0].mode
    helps = gain["low"] > 0
    verdict = (
        f"Reranking the first {DEPTH} hits {'finds better' if helps else 'does not surely help'}: "
        f"nDCG@10 {gain['mean']:+.3f} (95% interval {gain['low']:+.3f} to {gain['high']:+.3f})."
    )
    return {
        "measured": True,
        "queries": len(queries),
        "depth": DEPTH,
        "modes": {mode: summary(without, seed), "reranked": summary(with_it, seed)},
        "differences": {f"reranked - {mode}": difference},
        "weights_by_half": [tuned_on_other[False], tuned_on_other[True]],
        "weight": best_rerank_weight(queries),
        "helps": helps,
        "verdict": verdict,
    }
