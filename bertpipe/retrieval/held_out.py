"""Held-out queries: what the corpus itself can ask, about documents that no model was trained on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from bertpipe.text.document import Document
from bertpipe.text.sentences import split_sentences

# A query needs this many words to mean something, and what is left of its document this many to be found by.
QUERY_WORDS, REST_WORDS = 3, 8

_WORD = re.compile(r"[^\W\d_]{2}")
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class HeldOutQuery:
    """A query and the document it was taken out of.

    Attributes:
        text: The query.
        kind: What it was in its document.
        document: The document without it.
    """

    text: str
    kind: Literal["title", "first sentence"]
    document: Document

    @property
    def order(self) -> str:
        """Sorts queries at random, but the same way in every run and whatever other queries there are."""
        return hashlib.sha256(f"order {self.document.id}".encode(errors="surrogatepass")).hexdigest()


def held_out_queries(documents: Iterable[Document]) -> Iterator[HeldOutQuery]:
    """The queries of the held-out documents that can give one.

    A title of several words is a query for its document; where the title is a mere name, the first sentence is a query
    for the rest.

    Args:
        documents: The corpus.
    """
    for document in documents:
        if document.held_out:
            query = query_of(document)
            if query is not None:
                yield query


def query_of(document: Document) -> HeldOutQuery | None:
    """The query that a document gives, if it can give one."""
    if words(document.title) >= QUERY_WORDS:
        rest = _without_title(document)
        if words(rest) >= REST_WORDS:
            without = replace(document, title="", text=rest)
            return HeldOutQuery(document.title, "title", without)
        return None
    spans = split_sentences(document.text)
    if len(spans) < 2:
        return None
    first = document.text[spans[0][0] : spans[0][1]]
    rest = document.text[spans[1][0] :]
    if words(first) < QUERY_WORDS or words(rest) < REST_WORDS:
        return None
    without = replace(document, text=rest)
    return HeldOutQuery(" ".join(first.split()), "first sentence", without)


def _without_title(document: Document) -> str:
    """The text, without a first line that repeats the title."""
    first, _, rest = document.text.partition("\n")
    return rest if first.strip(" #*=-") == document.title.strip() else document.text


def words(text: str) -> float:
    """Counts words: what white space separates and has two letters in a row; an ideograph is half a word.

    A dotted name such as ``str.split`` is one word: the name of a thing, not a question about it.
    """
    ideographs = len(_IDEOGRAPH.findall(text))
    rest = _IDEOGRAPH.sub(" ", text).split()
    return sum(bool(_WORD.search(word)) for word in rest) + ideographs / 2
