"""The report that every index carries: how well words, vectors and both together find, on this very corpus."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from bertpipe.retrieval.candidates import Candidates, find_candidates
from bertpipe.retrieval.cutting import parts_of
from bertpipe.retrieval.encoder import Encoder
from bertpipe.retrieval.fusion import DEFAULT_WEIGHT, NEARNESS, WEIGHTS
from bertpipe.retrieval.held_out import HeldOutQuery
from bertpipe.retrieval.lexical import LexicalIndex
from bertpipe.retrieval.metrics import ndcg, recall, reciprocal_rank
from bertpipe.retrieval.passage_store import PassageStore
from bertpipe.retrieval.search_result import MODES, Mode
from bertpipe.retrieval.terms import passage_terms
from bertpipe.retrieval.vectors import VectorIndex
from bertpipe.tasks.bootstrap import bootstrap_interval
from bertpipe.text.passages import document_windows

CUT = 10
# With fewer queries an interval says nothing, and a weight tuned on half of them is noise.
FEWEST_QUERIES = 20
STALE_SHARE = 0.1
"""The share of the measured documents that may change before a report is measured again."""
METRICS = ("ndcg@10", "mrr@10", "recall@10")


@dataclass(frozen=True)
class Judged:
    """A query with the candidates of both sides.

    Attributes:
        query: The query.
        candidates: Passages of the evaluation collection.
        documents: int64 (C,), the number of each candidate's document.
        relevant: Number of the document that the query was taken out of.
        read: Titles and texts of passages of the evaluation collection, by number.
    """

    query: HeldOutQuery
    candidates: Candidates
    documents: np.ndarray
    relevant: int
    read: Callable[[Sequence[int]], list[tuple[str, str]]] | None = None

    def found(self, mode: Mode, weight: float, nearness: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """The places of the candidates that a mode finds, best first, and its scores of them."""
        bm25, dense = self.candidates.bm25, self.candidates.dense
        if mode == "bm25":
            score, keep = bm25, bm25 > 0
        else:
            score = dense if mode == "dense" else self.candidates.hybrid(weight, nearness)
            keep = np.ones(len(score), dtype=bool)
        order = np.argsort(-score, kind="stable")
        order = order[keep[order]]
        return order, score[order]

    def ranking(self, mode: Mode, weight: float, nearness: float = 0.0) -> list[int]:
        """The documents in the order of their best passages."""
        places, _ = self.found(mode, weight, nearness)
        return list(dict.fromkeys(self.documents[places].tolist()))

    def measures(self, mode: Mode, weight: float, nearness: float = 0.0) -> tuple[float, float, float]:
        """`METRICS` of one mode's ranking."""
        return measures_of(self.ranking(mode, weight, nearness), self.relevant)


def measures_of(ranking: Sequence[int], relevant: int) -> tuple[float, float, float]:
    """`METRICS` of a ranking of documents, of which one is relevant."""
    return (
        ndcg(ranking, {relevant}, CUT),
        reciprocal_rank(ranking, {relevant}, CUT),
        recall(ranking, {relevant}, CUT),
    )


def judge(
    queries: Sequence[HeldOutQuery],
    store: PassageStore,
    vectors: np.ndarray,
    encoder: Encoder,
    *,
    overlap: int,
    advance: Callable[[int], None],
) -> list[Judged]:
    """Searches for every query in a collection from which all queries have been removed.

    Args:
        queries: Held-out queries.
        store: All passages.
        vectors: float32 (N, D), their vectors.
        encoder: What made the vectors.
        overlap: Tokens shared by neighbouring passages.
        advance: Told the number of queries done since the last call.
    """
    if not queries:
        return []
    numbers: dict[str, int] = {}
    without = {query.document.id: query.document for query in queries}
    replaced: list[tuple[str, str, str]] = []  # document, title, text
    for document in without.values():
        limit = encoder.settings.passage_tokens
        for window in document_windows(document.title, document.text, encoder.tokenizer, limit, overlap):
            replaced.append((document.id, document.title, document.text[window.start : window.end]))
    kept: list[int] = []
    owner: list[int] = []

    def rows() -> Iterator[tuple[int, str]]:
        every = store.terms()
        for (document, _), count in zip(store.documents(), store.passage_counts(), strict=True):
            own = list(islice(every, int(count)))
            if document not in without:
                for number, terms in own:
                    yield len(kept), terms
                    kept.append(number)
                    owner.append(numbers.setdefault(document, len(numbers)))
        for place, (document, title, text) in enumerate(replaced):
            yield len(kept) + place, passage_terms(title, text)
            owner.append(numbers.setdefault(document, len(numbers)))

    def read(chosen: Sequence[int]) -> list[tuple[str, str]]:
        known = store.get_many([kept[number] for number in chosen if number < len(kept)])
        texts = iter([(passage.title, passage.text) for passage in known])
        return [next(texts) if number < len(kept) else replaced[number - len(kept)][1:] for number in chosen]

    with tempfile.TemporaryDirectory() as folder:
        lexical = LexicalIndex.build_from_terms(Path(folder) / "lexical", rows())
        parts = parts_of(store)
        fresh = encoder.encode_passages([(title, text) for _, title, text in replaced], parts)
        dense = VectorIndex.build(np.concatenate([vectors[kept], fresh]), parts=parts)
        documents = np.asarray(owner, dtype=np.int64)
        query_vectors = encoder.encode_queries([query.text for query in queries])
        judged = []
        for query, vector in zip(queries, query_vectors, strict=True):
            found = find_candidates(lexical, dense, query.text, vector, near=True)
            judged.append(Judged(query, found, documents[found.numbers], numbers[query.document.id], read))
            advance(1)
    return judged


class Measured(Protocol):
    """A query that can be measured with any weight."""

    def measures(self, mode: Mode, weight: float, nearness: float = 0.0) -> tuple[float, ...]:
        """Metrics of one mode's ranking, nDCG@10 first."""


def best_weight(judged: Sequence[Measured], nearness: float = 0.0) -> float:
    """The dense side's weight with the best mean nDCG@10; the middle of several equally good ones."""
    means = np.array(
        [np.mean([one.measures("hybrid", float(weight), nearness)[0] for one in judged]) for weight in WEIGHTS]
    )
    best = np.flatnonzero(means >= means.max() - 1e-12)
    return float(WEIGHTS[best[len(best) // 2]])


def make_report(
    judged: Sequence[Judged], seed: int, nearness: Literal["auto", "on", "off"] = "auto", weight: float | None = None
) -> dict[str, Any]:
    """Measures the three modes and says which one won.

    The queries fall into two halves by their documents' ids. Each half is measured with the fusion weight that was best
    on the other, so every query counts and none has helped to choose the weight that it is measured with.

    Args:
        judged: The queries.
        seed: Of the bootstrap.
        nearness: Whether words that stand together count in the hybrid mode; auto: where they surely help.
        weight: Of the dense side in the hybrid mode; tuned if left out.

    Returns:
        JSON values; see ``docs/report.md``.
    """
    if len(judged) < FEWEST_QUERIES:
        return {
            "measured": False,
            "queries": len(judged),
            "mode": "hybrid",
            "weight": DEFAULT_WEIGHT if weight is None else weight,
            "nearness": NEARNESS if nearness == "on" else 0.0,
            "verdict": f"Not measured: {len(judged)} held-out queries, and an honest comparison needs "
            f"{FEWEST_QUERIES}. Searches are hybrid, with {'equal weights' if weight is None else 'the weight given'}.",
        }
    in_first = np.array([in_first_half(one.query.document.id) for one in judged])
    ways = {share: measured_hybrid(judged, in_first, share, weight) for share in (0.0, NEARNESS)}
    together = summary(ways[NEARNESS].values - ways[0.0].values, seed)
    helps = together["ndcg@10"]["low"] > 0
    share = NEARNESS if nearness == "on" or (nearness == "auto" and helps) else 0.0
    values: dict[Mode, np.ndarray] = {
        mode: ways[share].values if mode == "hybrid" else np.array([one.measures(mode, 0.0) for one in judged])
        for mode in MODES
    }  # each (Q, 3)
    modes = {mode: summary(values[mode], seed) for mode in MODES}
    differences = {f"{mode} - bm25": summary(values[mode] - values["bm25"], seed) for mode in MODES if mode != "bm25"}
    winner = choose_mode(values, seed)
    kinds = [one.query.kind for one in judged]
    return {
        "measured": True,
        "queries": len(judged),
        "query_kinds": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "documents_counted_once": True,
        "modes": modes,
        "differences": differences,
        "weights_by_half": ways[share].weights_by_half,
        "weight": best_weight(judged, share) if weight is None else weight,
        "nearness": share,
        "nearness_difference": together,
        "mode": winner,
        "verdict": _verdict(winner, differences, together if share and winner == "hybrid" else None),
    }


class MeasuredHybrid(NamedTuple):
    """What `measured_hybrid` found.

    Attributes:
        values: (Q, M), the metrics of every query.
        weights_by_half: The weights that were best on the first half and on the second.
    """

    values: np.ndarray
    weights_by_half: list[float]


def measured_hybrid(
    queries: Sequence[Measured], in_first: np.ndarray, nearness: float, weight: float | None = None
) -> MeasuredHybrid:
    """Measures the hybrid, each half of the queries with the weight that was best on the other.

    Args:
        queries: Q of them.
        in_first: bool (Q,), whether a query belongs to the first half.
        nearness: Of words that stand together.
        weight: Of the dense side; tuned if left out.
    """
    halves = [[one for one, first in zip(queries, in_first, strict=True) if first == side] for side in (True, False)]
    weights = [best_weight(half, nearness) if weight is None else weight for half in halves]
    rows = [one.measures("hybrid", weights[int(first)], nearness) for one, first in zip(queries, in_first, strict=True)]
    return MeasuredHybrid(np.array(rows), weights)


def choose_mode(values: Mapping[Mode, np.ndarray], seed: int) -> Mode:
    """The mode with the best nDCG@10; the hybrid where vectors alone are not surely better than it.

    Held-out queries are written in the corpus's own words. A person also types names and numbers that no encoder has
    seen, and there the hybrid still has the words to go by.

    Args:
        values: `METRICS` of every query by mode, each (Q, 3).
        seed: Of the bootstrap.
    """
    ndcg_of = {mode: values[mode][:, 0] for mode in MODES}
    means = {mode: float(ndcg_of[mode].mean()) for mode in MODES}
    best = max(MODES, key=lambda mode: (means[mode], mode == "bm25"))
    if best == "dense" and means["hybrid"] > means["bm25"]:
        low, _ = bootstrap_interval(ndcg_of["dense"] - ndcg_of["hybrid"], seed)
        return "dense" if low > 0 else "hybrid"
    return best


def in_first_half(document_id: str) -> bool:
    """Whether the query of a document belongs to the first half of the queries."""
    return hashlib.sha256(f"half {document_id}".encode(errors="surrogatepass")).digest()[0] < 128


def summary(values: np.ndarray, seed: int) -> dict[str, dict[str, float]]:
    """The means of `METRICS`, with 95% intervals.

    Args:
        values: (Q, 3).
        seed: Of the bootstrap.
    """
    found = {}
    for column, name in enumerate(METRICS):
        low, high = bootstrap_interval(values[:, column], seed)
        mean = float(values[:, column].mean())
        found[name] = {"mean": round(mean, 4), "low": round(low, 4), "high": round(high, 4)}
    return found


def _verdict(
    winner: Mode, differences: dict[str, dict[str, dict[str, float]]], together: dict[str, dict[str, float]] | None
) -> str:
    if winner == "bm25":
        return (
            "The trained encoder does not help on this corpus: words alone (BM25) find best, "
            "and searches use them alone. A larger training budget or more text may change that."
        )
    gain = differences[f"{winner} - bm25"]["ndcg@10"]
    name = "Words and vectors together find" if winner == "hybrid" else "Vectors alone find"
    sure = f"95% interval {gain['low']:+.3f} to {gain['high']:+.3f}"
    more = ""
    if together:
        part = together["ndcg@10"]
        more = (
            f" Of it, {part['mean']:+.3f} ({part['low']:+.3f} to {part['high']:+.3f}) is of words that stand together."
        )
    if gain["low"] > 0:
        return f"{name} better than words alone: nDCG@10 {gain['mean']:+.3f} ({sure}).{more}"
    return f"{name} about as well as words alone: nDCG@10 {gain['mean']:+.3f}, which may be chance ({sure}).{more}"
