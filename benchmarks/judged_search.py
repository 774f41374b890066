"""Searching a judged collection with an encoder of bertpipe's: both sides, their mixtures, and a reranker."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from judged_collections import JudgedCollection

from bertpipe.models.passage_ranker import PassageRanker
from bertpipe.retrieval.candidates import Candidates, find_candidates
from bertpipe.retrieval.encoder import Encoder
from bertpipe.retrieval.fusion import NEARNESS, WEIGHTS
from bertpipe.retrieval.lexical import LexicalIndex
from bertpipe.retrieval.metrics import ndcg, recall, reciprocal_rank
from bertpipe.retrieval.reranking import mixed
from bertpipe.retrieval.vectors import VectorIndex
from bertpipe.tasks.bootstrap import bootstrap_interval
from bertpipe.text.passages import document_windows

METRICS = ("nDCG@10", "MRR@10", "Recall@10")
CUT = 10
# Of reciprocal rank fusion (Cormack et al. 2009).
RRF_K = 60


class Mixture(NamedTuple):
    """How the sides are mixed.

    Attributes:
        weight: Of the vectors, 0 to 1.
        nearness: Of words that stand together.
    """

    weight: float
    nearness: float = 0.0


@dataclass(frozen=True)
class SearchedQuery:
    """A query with the candidates of both sides.

    Attributes:
        text: The query.
        candidates: Passages.
        documents: The document of each candidate.
        relevant: The documents that answer it.
    """

    text: str
    candidates: Candidates
    documents: list[str]
    relevant: set[str]

    def measures(self, score: np.ndarray) -> tuple[float, float, float]:
        """`METRICS` of the documents in the order of their best passages; minus infinity is not found."""
        order = [place for place in np.argsort(-score, kind="stable") if score[place] > -np.inf]
        ranking = list(dict.fromkeys(self.documents[place] for place in order))
        return (
            ndcg(ranking, self.relevant, CUT),
            reciprocal_rank(ranking, self.relevant, CUT),
            recall(ranking, self.relevant, CUT),
        )

    def words(self) -> np.ndarray:
        """BM25."""
        bm25 = self.candidates.bm25
        return np.where(bm25 > 0, bm25, -np.inf)

    def vectors(self) -> np.ndarray:
        """Cosines."""
        return self.candidates.dense

    def both(self, mixture: Mixture) -> np.ndarray:
        """The mixture that searches use."""
        return self.candidates.hybrid(*mixture)

    def by_ranks(self) -> np.ndarray:
        """Reciprocal rank fusion."""
        score = np.zeros(len(self.documents))
        for side in (self.candidates.bm25, self.candidates.dense):
            ranks = np.empty(len(side))
            ranks[np.argsort(-side, kind="stable")] = np.arange(1, len(side) + 1)
            score += np.where(side > 0, 1 / (RRF_K + ranks), 0)
        return score


class SearchedCollection:
    """A collection cut into passages, encoded, and searched for all of its queries.

    Args:
        collection: The collection.
        encoder: The encoder.
        title_weight: How often the words of a title count.
        parts: Parts of a passage with vectors of their own.
    """

    def __init__(self, collection: JudgedCollection, encoder: Encoder, title_weight: int = 3, parts: int = 1) -> None:
        limit = encoder.settings.passage_tokens
        self.passages: list[tuple[str, str]] = []
        owner: list[str] = []
        for name, (title, text) in collection.documents.items():
            for window in document_windows(title, text, encoder.tokenizer, limit):
                self.passages.append((title, text[window.start : window.end]))
                owner.append(name)
        self._encoder, self._owner = encoder, owner
        self._vectors = VectorIndex.build(encoder.encode_passages(self.passages, parts), parts=parts)
        with tempfile.TemporaryDirectory() as folder:
            rows = ((number, *passage) for number, passage in enumerate(self.passages))
            # Once open it needs the names of its files no more.
            self._lexical = LexicalIndex.build(Path(folder) / "words", rows, title_weight=title_weight)
        self.queries = self._search(collection)

    def asked(self, collection: JudgedCollection) -> SearchedCollection:
        """The same passages, searched for other queries.

        Args:
            collection: Of the same documents.
        """
        found = copy(self)
        found.queries = found._search(collection)
        return found

    def _search(self, collection: JudgedCollection) -> list[SearchedQuery]:
        names = list(collection.queries)
        vectors = self._encoder.encode_queries([collection.queries[name] for name in names])
        queries = []
        for name, vector in zip(names, vectors, strict=True):
            text = collection.queries[name]
            found = find_candidates(self._lexical, self._vectors, text, vector, near=True)
            documents = [self._owner[number] for number in found.numbers.tolist()]
            queries.append(SearchedQuery(text, found, documents, collection.relevant[name]))
        return queries

    def measures(self, score: Callable[[SearchedQuery], np.ndarray]) -> np.ndarray:
        """`METRICS` of every query, (Q, 3)."""
        return np.array([query.measures(score(query)) for query in self.queries])

    def best_mixtures(self) -> tuple[Mixture, Mixture]:
        """What gives the best mean nDCG@10, and what does where words that stand together have no say.

        They have one where that surely helps, as in a report.
        """
        best = {}
        for share in (0.0, NEARNESS):
            weight = _best(lambda one, share=share: self.measures(lambda query: query.both(Mixture(one, share))))
            best[share] = Mixture(weight, share)
        alone, together = (self.measures(lambda query, one=one: query.both(one))[:, 0] for one in best.values())
        return best[NEARNESS if bootstrap_interval(together - alone, 0)[0] > 0 else 0.0], best[0.0]

    def read(
        self, ranker: PassageRanker, mixture: Mixture, depth: int, count: int
    ) -> list[tuple[SearchedQuery, np.ndarray]]:
        """Has a reranker read the first candidates of the mixture.

        Returns:
            Of the first ``count`` queries: the query, and the reranker's scores.
        """
        found = []
        for query in self.queries[:count]:
            order = np.argsort(-query.both(mixture), kind="stable")[:depth]
            passages = [self.passages[number] for number in query.candidates.numbers[order].tolist()]
            found.append((query, ranker.scores(query.text, passages)))
        return found


def reranked_measures(
    read: Sequence[tuple[SearchedQuery, np.ndarray]], mixture: Mixture, rerank_weight: float | None
) -> np.ndarray:
    """`METRICS` of queries that a reranker has read, (Q, 3); with None as its weight, those of the mixture alone."""
    rows = []
    for query, scores in read:
        found = query.both(mixture)
        if rerank_weight is not None:
            order = np.argsort(-found, kind="stable")
            changed = np.empty(len(found))
            changed[order] = mixed(found[order], scores, rerank_weight)
            found = changed
        rows.append(query.measures(found))
    return np.array(rows)


def best_rerank_weight(read: Sequence[tuple[SearchedQuery, np.ndarray]], mixture: Mixture) -> float:
    """The reranker's weight with the best mean nDCG@10."""
    return _best(lambda one: reranked_measures(read, mixture, one))


def _best(measures: Callable[[float], np.ndarray]) -> float:
    means = np.array([measures(float(weight))[:, 0].mean() for weight in WEIGHTS])
    best = np.flatnonzero(means >= means.max() - 1e-12)
    return float(WEIGHTS[best[len(best) // 2]])


def print_table(rows: Mapping[str, np.ndarray], base: str, seed: int = 0) -> None:
    """Prints means with 95% intervals, and the paired difference to one of the rows, as a Markdown table.

    Args:
        rows: `METRICS` of every query by the name of a way to search, each (Q, 3).
        base: Name of the row that the others are compared with.
        seed: Of the bootstrap.
    """
    print(f"| searching by | {' | '.join(METRICS)} | nDCG@10 against {base} |\n|---|---|---|---|---|")
    for name, values in rows.items():
        cells = [_interval(values[:, column], seed, "") for column in range(len(METRICS))]
        other = rows[base]
        against = "" if name == base or len(other) != len(values) else _interval((values - other)[:, 0], seed, "+")
        print(f"| {name} | {' | '.join(cells)} | {against} |")


def _interval(values: np.ndarray, seed: int, sign: str) -> str:
    low, high = bootstrap_interval(values, seed)
    return f"{values.mean():{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"
