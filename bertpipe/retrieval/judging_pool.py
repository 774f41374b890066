"""What a person is to judge: queries drawn at random, and for each what any way to search finds (pooling).

As at TREC since Spärck Jones and van Rijsbergen (1975): the best of every mode is put together, and judged without
knowing which mode found it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np

from bertpipe.retrieval.document_ranking import RankedDocument, rank_documents
from bertpipe.retrieval.held_out import held_out_queries
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.search_result import MODES
from bertpipe.text.document import Document
from bertpipe.text.readers.queries import Query


def sampled_queries(queries: Iterable[Query], count: int) -> list[Query]:
    """Draws queries at random, but the same ones whenever it is asked; more of them begin with those of fewer.

    Args:
        queries: All of them.
        count: At most how many.
    """
    return sorted(queries, key=lambda query: _shuffled("sample", query.id, query.text))[:count]


def queries_of_corpus(passages: Iterable[Passage]) -> Iterator[Query]:
    """Titles and first sentences of held-out documents, as the report of an index asks them.

    Args:
        passages: All passages of an index, those of a document together and in order.
    """
    for query in held_out_queries(_documents(passages)):
        yield Query(query.document.id, query.text)


def pooled_documents(index: Index, query: Query, k: int, vector: np.ndarray | None = None) -> list[RankedDocument]:
    """The first k documents of each mode, in an order that tells neither mode nor rank.

    Args:
        index: Where to search.
        query: What for.
        k: Documents of a mode.
        vector: The query's, float32 (D,), where it is known.
    """
    pool: dict[str, RankedDocument] = {}
    for mode in MODES:
        for found in rank_documents(index, query.text, k, mode, vector=vector):
            pool.setdefault(found.id, found)
    return sorted(pool.values(), key=lambda found: _shuffled("pool", query.id, found.id))


def _documents(passages: Iterable[Passage]) -> Iterator[Document]:
    for name, group in groupby(passages, key=lambda passage: passage.document):
        parts: Sequence[Passage] = list(group)
        text = ""
        for passage in parts:
            # What stood between two passages was white space; what they share stands once.
            gap = passage.start - parts[0].start - len(text)
            text += "\n" * max(0, gap) + passage.text[max(0, -gap) :]
        yield Document(name, parts[0].title, text, parts[0].metadata, parts[0].group)


def _shuffled(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode(errors="surrogatepass")).hexdigest()
