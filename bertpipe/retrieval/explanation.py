"""Why a hit was found: what each word of the query and each token of the passage added to its score."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bertpipe.errors import ArtefactError
from bertpipe.pipeline.reading import read_whole
from bertpipe.retrieval.analysis import analyse
from bertpipe.retrieval.encoder import Encoder, encoder_digest
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.index_folder import ENCODER
from bertpipe.retrieval.search_result import Hit
from bertpipe.retrieval.token_shares import TokenShare, TokenShares

NOT_ADDITIVE = "the encoder reads a passage's vector off its first token: no token has a share of its own"


@dataclass(frozen=True, slots=True)
class TermShare:
    """A term of the query.

    Attributes:
        term: As `bertpipe.retrieval.analysis` makes it: stemmed.
        times: How often it stands in the passage, title included.
        passages: In how many passages of the index it stands.
        score: What it adds to the BM25 score.
    """

    term: str
    times: int
    passages: int
    score: float

    def as_json(self) -> dict[str, Any]:
        """The share as the command line prints it."""
        return {"term": self.term, "times": self.times, "passages": self.passages, "score": round(self.score, 6)}


@dataclass(frozen=True)
class Explanation:
    """What a hit's score is made of.

    Attributes:
        parts: What each side adds to the hybrid score; empty in other modes.
        terms: The query's terms that stand in the passage, the largest share first; they add up to the BM25 score.
        tokens: The passage's tokens in their order; they add up to the dense score.
        words: The same, put together to words.
        note: Why there are no tokens, where the mode has a dense side.
    """

    parts: dict[str, float]
    terms: list[TermShare] = field(default_factory=list)
    tokens: list[TokenShare] = field(default_factory=list)
    words: list[TokenShare] = field(default_factory=list)
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """The explanation as the command line prints it."""
        values: dict[str, Any] = {
            "parts": {name: round(value, 6) for name, value in self.parts.items()},
            "terms": [term.as_json() for term in self.terms],
            "tokens": [token.as_json() for token in self.tokens],
            "words": [word.as_json() for word in self.words],
        }
        return values | ({"note": self.note} if self.note else {})


class Explainer:
    """Explains the hits of an index.

    Args:
        index: The index that found them.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._shares: TokenShares | None = None
        self._last: tuple[str, np.ndarray] | None = None

    def explain(self, query: str, hit: Hit) -> Explanation:
        """Takes the score of a hit apart.

        Args:
            query: What was searched for.
            hit: One of the hits; its scores say which sides to explain.

        Raises:
            ArtefactError: The index is damaged, or another encoder lies in it since it was opened.
        """
        terms = self._terms(query, hit) if "bm25" in hit.scores else []
        if "dense" not in hit.scores:
            return Explanation(hit.parts, terms)
        shares = self._token_shares()
        if not shares.additive:
            return Explanation(hit.parts, terms, note=NOT_ADDITIVE)
        vector = self._vector(shares.encoder, query)
        tokens, words = shares.shares(vector, hit.passage.title, hit.passage.text, self._index.parts)
        return Explanation(hit.parts, terms, tokens, words)

    def _token_shares(self) -> TokenShares:
        """Of the encoder that the index has now: `Index.refresh` may have brought another."""
        known = self._shares
        if known is not None and known.encoder is self._index.encoder:
            return known
        opened, _ = read_whole(self._index.folder, self._open)
        self._shares, self._last = opened, None
        return opened

    def _open(self, place: Path) -> TokenShares:
        if encoder_digest(place / ENCODER) != self._index.settings.encoder:
            raise ArtefactError(
                f"{self._index.folder} has another encoder than when it was opened",
                hint="Open it again to have hits explained.",
            )
        return TokenShares(place / ENCODER, self._index.encoder, self._index.threads)

    def _terms(self, query: str, hit: Hit) -> list[TermShare]:
        passage = hit.passage
        lexical = self._index.lexical
        times = Counter(analyse(passage.title))
        times.update(analyse(passage.text))
        shares = [
            TermShare(term, times[term], lexical.passages_with(term), float(scores[0]))
            for term, scores in lexical.term_scores(query, np.array([passage.number])).items()
            if scores[0] > 0
        ]
        return sorted(shares, key=lambda share: -share.score)

    def _vector(self, encoder: Encoder, query: str) -> np.ndarray:
        if self._last is None or self._last[0] != query:
            self._last = (query, encoder.encode_queries([query])[0])
        return self._last[1]
