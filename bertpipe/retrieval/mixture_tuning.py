"""Which mixture of words and vectors finds given queries best: people's own are seldom like those of a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertpipe.retrieval.candidates import Candidates
from bertpipe.retrieval.fusion import NEARNESS
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.judged_queries import JudgedQueries
from bertpipe.retrieval.metrics import ndcg
from bertpipe.retrieval.query_batches import encoded_queries
from bertpipe.retrieval.report import CUT, FEWEST_QUERIES, best_weight, in_first_half, measured_hybrid
from bertpipe.retrieval.search_result import Mode
from bertpipe.tasks.bootstrap import bootstrap_interval


@dataclass(frozen=True)
class JudgedQuery:
    """A query with the candidates of both sides.

    Attributes:
        candidates: Passages.
        documents: int64 (C,), the number of each candidate's document.
        relevant: Numbers of the documents that answer it.
    """

    candidates: Candidates
    documents: np.ndarray
    relevant: frozenset[int]

    def measures(self, mode: Mode, weight: float, nearness: float = 0.0) -> tuple[float, ...]:
        """NDCG@10 of the hybrid with documents that are relevant or not, whatever their grades."""
        order = np.argsort(-self.candidates.hybrid(weight, nearness), kind="stable")
        ranking = list(dict.fromkeys(self.documents[order].tolist()))
        return (ndcg(ranking, set(self.relevant), CUT),)


def judged_candidates(index: Index, judged: JudgedQueries, advance: Callable[[int], None]) -> list[JudgedQuery]:
    """Searches for every query in the hybrid mode.

    Args:
        index: Where to search.
        judged: Queries with what is relevant to them.
        advance: Told the number of queries done since the last call.
    """
    names = [judged.name(name) for name, _ in index.passages.documents()]
    owners = np.repeat(np.arange(len(names)), index.passages.passage_counts())
    numbers: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        numbers.setdefault(name, []).append(number)
    found = []
    vectors = encoded_queries(index, [query.text for query in judged.queries], "hybrid")
    for query, vector in zip(judged.queries, vectors, strict=True):
        grades = judged.qrels[query.id]
        relevant = [number for name, grade in grades.items() if grade > 0 for number in numbers.get(name, ())]
        candidates = index.candidates(query.text, vector)
        found.append(JudgedQuery(candidates, owners[candidates.numbers], frozenset(relevant)))
        advance(1)
    return found


def tune_mixture(index: Index, judged: JudgedQueries, advance: Callable[[int], None], seed: int = 0) -> dict[str, Any]:
    """The mixture that finds the queries best, and what it gains over the index's own.

    The queries fall into two halves by their ids, and each is measured with what was best on the other.

    Args:
        index: Where to search.
        judged: Queries with what is relevant to them.
        advance: As in `judged_candidates`.
        seed: Of the bootstrap.

    Returns:
        JSON values; see ``docs/evaluation.md``.
    """
    queries = judged_candidates(index, judged, advance)
    first = np.array([in_first_half(query.id) for query in judged.queries], dtype=bool)
    if len(queries) < FEWEST_QUERIES or first.all() or not first.any():
        return {"measured": False, "queries": len(queries)}
    settings = index.settings
    own = np.array([one.measures("hybrid", settings.weight, settings.nearness)[0] for one in queries])
    gains = {share: measured_hybrid(queries, first, share).values[:, 0] - own for share in (0.0, NEARNESS)}
    best = max(gains, key=lambda nearness: gains[nearness].mean())
    low, high = bootstrap_interval(gains[best], seed)
    return {
        "measured": True,
        "queries": len(queries),
        "weight": best_weight(queries, best),
        "nearness": best,
        "gain": {"mean": round(float(gains[best].mean()), 6), "low": round(low, 6), "high": round(high, 6)},
        "helps": low > 0,
    }
