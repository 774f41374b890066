"""What a search found, and in which mode."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

from bertpipe.retrieval.analysis import analyse
from bertpipe.retrieval.lexical import LONGEST_QUERY, MOST_TERMS
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.snippet import Snippet, snippet

Mode = Literal["hybrid", "dense", "bm25"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found.

    Attributes:
        rank: From 1.
        score: What hits are ordered by; comparable within one search only.
        passage: The passage.
        scores: The score of each side that the mode looks at: "bm25", "dense"; "reranker" where it was read.
        parts: What each side adds to a hybrid score, scaled and weighted; empty in other modes, and where a reranker
            had a say.
    """

    rank: int
    score: float
    passage: Passage
    scores: dict[str, float]
    parts: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The hit as the command line prints it."""
        return {
            "rank": self.rank,
            "score": round(self.score, 6),
            "passage_id": self.passage.passage_id,
            "document": self.passage.document,
            "title": self.passage.title,
            "text": self.passage.text,
            "start": self.passage.start,
            "end": self.passage.end,
            "metadata": self.passage.metadata,
            "scores": {name: round(value, 6) for name, value in self.scores.items()},
        }


@dataclass(frozen=True)
class SearchResult:
    """What a query found.

    Attributes:
        query: The query.
        mode: The mode it was searched in.
        took_ms: Milliseconds, opening the index not counted.
        hits: Best first.
        reranked: How many candidates a reranker read.
        notes: What is to be said about the condition, such as that no document has a field.
    """

    query: str
    mode: Mode
    took_ms: float
    hits: list[Hit] = field(default_factory=list)
    reranked: int = 0
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The result as the command line prints it."""
        hits = [hit.as_json() for hit in self.hits]
        reranked = {"reranked": self.reranked} if self.reranked else {}
        return {"query": self.query, "mode": self.mode, **reranked, "took_ms": round(self.took_ms, 2), "hits": hits}

    @cached_property
    def terms(self) -> list[str]:
        """The terms of the query that hits are searched by, for marking them."""
        return list(dict.fromkeys(analyse(self.query[:LONGEST_QUERY])))[:MOST_TERMS]

    def snippet(self, hit: Hit, columns: int) -> Snippet:
        """The part of a hit's text that shows most of the query's words.

        Args:
            hit: One of the hits.
            columns: Columns of a terminal that it may take.
        """
        return snippet(hit.passage.text, self.terms, columns)
