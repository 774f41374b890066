"""Documents cut into passages; those that were cut before are taken over as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from bertpipe.errors import ArtefactError
from bertpipe.retrieval.encoder import Encoder, encoder_digest
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.passage_store import PassageStore
from bertpipe.retrieval.passage_writer import PassageWriter
from bertpipe.retrieval.terms import TERMS
from bertpipe.text.document import Document
from bertpipe.text.passages import document_windows

# To be raised when the same document is cut otherwise than before.
_CUT = 1
_PARTS = "parts"

Entry = int | tuple[bytes, Document]
"""A document of a new store: its number in the earlier store, or its digest and itself."""


class PassageCutter:
    """Cuts documents so that each passage fits the encoder.

    Args:
        encoder: Whose tokens count.
        overlap: Tokens of whole sentences that neighbouring passages share.
        parts: Vectors of a passage.

    Attributes:
        overlap: As given.
        facts: All that a store's passages depend on beside their documents, as `PassageStore.facts`.
    """

    def __init__(self, encoder: Encoder, overlap: int, parts: int = 1) -> None:
        self.overlap = overlap
        self._tokenizer = encoder.tokenizer
        self._limit = encoder.settings.passage_tokens
        self.facts = {
            "cut": f"{_CUT}, overlap {overlap}",
            "encoder": encoder_digest(encoder.folder),
            "overlap": str(overlap),
            "terms": TERMS,
        }
        if parts > 1:
            self.facts[_PARTS] = str(parts)

    def made(self, store: PassageStore) -> bool:
        """Whether the passages of a store are what this cutter makes of the same documents."""
        return store.facts == self.facts

    def cut(self, document: Document, first: int = 0) -> Iterator[Passage]:
        """The passages of a document.

        Args:
            document: The document.
            first: Number of its first passage.
        """
        windows = document_windows(document.title, document.text, self._tokenizer, self._limit, self.overlap)
        for place, window in enumerate(windows):
            yield Passage(
                number=first + place,
                passage_id=f"{document.id}#{place}",
                document=document.id,
                title=document.title,
                text=document.text[window.start : window.end],
                start=window.start,
                end=window.end,
                metadata=document.metadata,
                group=document.group,
            )


def parts_of(store: PassageStore) -> int:
    """How many vectors each passage of a store has."""
    return int(store.facts.get(_PARTS, 1))


def open_earlier(path: Path, cutter: PassageCutter) -> tuple[PassageStore | None, str]:
    """Opens the store of an earlier state, if its passages were made for the same encoder.

    Args:
        path: The store.
        cutter: Of the new state.

    Returns:
        The store, or None and why it is of no use.
    """
    try:
        store = PassageStore.open(path)
        same_encoder = store.facts.get("encoder") == cutter.facts["encoder"]
        if same_encoder and store.facts.get(_PARTS) == cutter.facts.get(_PARTS):
            return store, ""
    except ArtefactError as error:
        return None, error.why or error.what
    store.close()
    return None, "passages have another number of parts" if same_encoder else "the encoder is another"


def write_passages(
    path: Path,
    entries: Iterable[Entry],
    cutter: PassageCutter,
    earlier: PassageStore | None,
    advance: Callable[[int], None],
) -> None:
    """Writes a store of documents. What it comes to does not depend on what was taken over.

    Args:
        path: The file to write.
        entries: The documents, in order.
        cutter: Cuts those that are new.
        earlier: Where the others are; `PassageCutter.made` holds.
        advance: Told the number of documents done since the last call.

    Raises:
        InputError: A text cannot be stored as UTF-8.
        StorageError: The disk refused.
    """
    with PassageWriter(path, earlier) as store:
        for name, value in cutter.facts.items():
            store.note(name, value)
        for entry in _in_runs(entries):
            if isinstance(entry, range):
                store.take_over(entry)
                advance(len(entry))
            else:
                digest, document = entry
                store.add_many(cutter.cut(document, len(store)), digest)
                advance(1)


def vectors_of(store: PassageStore, encoder: Encoder, earlier: PassageStore, earlier_vectors: np.ndarray) -> np.ndarray:
    """The vectors of all passages; only those of texts that were not there before are computed.

    Args:
        store: The passages.
        encoder: The encoder.
        earlier: An earlier store, for the same encoder and with as many parts.
        earlier_vectors: float32 (M, P x D), the vectors of its passages.

    Returns:
        float32 (N, P x D).
    """
    rows = store.rows_in(earlier)
    fresh = np.flatnonzero(rows < 0)
    vectors = np.empty((len(store), earlier_vectors.shape[1]), dtype=np.float32)
    vectors[rows >= 0] = earlier_vectors[rows[rows >= 0]]
    texts = [(one.title, one.text) for one in store.get_many(fresh)]
    vectors[fresh] = encoder.encode_passages(texts, parts_of(earlier))
    return vectors


def _in_runs(entries: Iterable[Entry]) -> Iterator[range | tuple[bytes, Document]]:
    """Puts numbers that follow one another together."""
    start = stop = 0
    for entry in entries:
        if isinstance(entry, int) and start < stop == entry:
            stop += 1
            continue
        if start < stop:
            yield range(start, stop)
        start = stop = 0
        if isinstance(entry, int):
            start, stop = entry, entry + 1
        else:
            yield entry
    if start < stop:
        yield range(start, stop)
