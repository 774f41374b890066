"""The documents that answer a query best: each stands where its best passage stands, and counts once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertpipe.retrieval.passage import Passage

if TYPE_CHECKING:
    from bertpipe.retrieval.index import Index
    from bertpipe.retrieval.search_result import Mode


@dataclass(frozen=True, slots=True)
class RankedDocument:
    """A document found.

    Attributes:
        id: The document's.
        score: Of its best passage.
        passage: That passage.
    """

    id: str
    score: float
    passage: Passage


def rank_documents(index: Index, query: str, k: int, mode: Mode | None = None, **how: Any) -> list[RankedDocument]:
    """Searches for so many passages that they are of k documents, or for all that there are.

    Args:
        index: Where to search.
        query: Any text.
        k: At most how many documents.
        mode: As in `Index.search`, and so is ``how``.
        **how: Its other arguments.

    Returns:
        Best first.
    """
    passages = k
    while True:
        hits = index.search(query, passages, mode, **how).hits
        best: dict[str, RankedDocument] = {}
        for hit in hits:
            best.setdefault(hit.passage.document, RankedDocument(hit.passage.document, hit.score, hit.passage))
        if len(best) >= k or len(hits) < passages:
            return list(best.values())[:k]
        passages *= 4
