"""Writing a passage store: documents cut into passages, or taken over from an earlier store as they are."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np

from bertpipe.errors import ArtefactError, InputError, StorageError
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.passage_file import APPLICATION, FORMAT, address, reading, unreadable
from bertpipe.retrieval.passage_store import PassageStore
from bertpipe.retrieval.terms import passage_terms

_SCHEMA = """
PRAGMA main.journal_mode = OFF;
PRAGMA main.cache_size = -65536;
BEGIN;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE documents (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    metadata TEXT NOT NULL,
    "group" TEXT NOT NULL,
    digest BLOB NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL
);
CREATE TABLE passages (
    number INTEGER PRIMARY KEY,
    document INTEGER NOT NULL,
    passage_id TEXT NOT NULL,
    text TEXT NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    digest BLOB NOT NULL
);
CREATE TABLE terms (number INTEGER PRIMARY KEY, terms TEXT NOT NULL);
"""
# What is written at a time, table by table: the rows of new documents, and those of documents in the earlier store. Of
# these SQLite copies the rows itself, in a quarter of the time that it takes to hand them over.
_WRITTEN = (
    (
        "INSERT INTO main.documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        'INSERT INTO main.documents SELECT number + :documents, id, title, metadata, "group", digest, '
        "first + :passages, count FROM earlier.documents WHERE number BETWEEN :first_document AND :last_document "
        "ORDER BY number",
    ),
    (
        "INSERT INTO main.passages VALUES (?, ?, ?, ?, ?, ?, ?)",
        'INSERT INTO main.passages SELECT number + :passages, document + :documents, passage_id, text, start, "end", '
        "digest FROM earlier.passages WHERE number BETWEEN :first_passage AND :last_passage ORDER BY number",
    ),
    (
        "INSERT INTO main.terms VALUES (?, ?)",
        "INSERT INTO main.terms SELECT number + :passages, terms FROM earlier.terms "
        "WHERE number BETWEEN :first_passage AND :last_passage ORDER BY number",
    ),
)
_DIGEST_INDEX = "CREATE INDEX passages_digest ON passages (digest)"
# Written last, so that a store whose writing was cut off does not pass for one.
_SEAL = f"PRAGMA application_id = {APPLICATION}", f"PRAGMA user_version = {FORMAT}", "COMMIT"
# Passages written at a time. The bytes of the file depend on it, and on nothing else but what is stored.
_BLOCK = 1000


class _New(NamedTuple):
    """Rows of documents that are new, by table."""

    documents: list[tuple]
    passages: list[tuple]
    terms: list[tuple[int, str]]


class _Copied(NamedTuple):
    """Documents of the earlier store and their passages: from where to where, and what is added to their numbers."""

    documents: int
    passages: int
    first_document: int
    last_document: int
    first_passage: int
    last_passage: int


class PassageWriter:
    """Writes a store in place of whatever stands at a path; a context manager.

    Nothing is safe before the end of the ``with`` block: a store whose writing was cut off is to be made again.

    Args:
        path: The file.
        earlier: What `take_over` takes documents from.

    Attributes:
        path: As given.
        document_count: Documents so far. One without any text has no passages and is not stored.

    Raises:
        ArtefactError: The earlier store cannot be read.
        StorageError: The file cannot be written.

    Example:
        >>> with PassageWriter(path) as writer:
        ...     writer.add_many(passages)
    """

    def __init__(self, path: Path, earlier: PassageStore | None = None) -> None:
        self.path = path
        self.document_count = self._passage_count = self._written = 0
        self._waiting: list[_New | _Copied] = []
        self._earlier: Path | None = None
        self._firsts = np.zeros(1, dtype=np.int64)
        try:
            path.unlink(missing_ok=True)
            self._connection = sqlite3.connect(path.resolve().as_uri(), uri=True, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _unwritable(path, error) from error
        try:
            if earlier is not None:
                self._attach(earlier)
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self.close()
            raise _unwritable(path, error) from error
        except ArtefactError:
            self.close()
            raise

    def _attach(self, earlier: PassageStore) -> None:
        self._earlier = earlier.path
        self._firsts = np.concatenate([[0], earlier.passage_counts().cumsum()])
        with reading(earlier.path):
            self._connection.execute("ATTACH ? AS earlier", (address(earlier.path),))

    def __enter__(self) -> PassageWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            # A disk that refused has taken the whole transaction back.
            if kind is None and self._connection.in_transaction:
                self._flush()
                for statement in (_DIGEST_INDEX, *_SEAL):
                    self._connection.execute(statement)
        except sqlite3.Error as trouble:
            raise _unwritable(self.path, trouble) from trouble
        finally:
            self.close()

    def close(self) -> None:
        """Closes the file; what was added is lost unless the ``with`` block had ended."""
        self._connection.close()

    def __len__(self) -> int:
        return self._passage_count

    def note(self, name: str, value: str) -> None:
        """Stores a fact about the whole, such as which encoder the passages were cut for."""
        self._connection.execute("INSERT INTO facts VALUES (?, ?)", (name, value))

    def add_many(self, passages: Iterable[Passage], digest: bytes = b"") -> int:
        """Appends passages, about a thousand in memory at a time.

        Args:
            passages: Their numbers go on where the store ends; those of one document stand together.
            digest: Of the document, where all are of one; see `record_digest`. A document without one is never taken
                over by a later store.

        Returns:
            How many were added.

        Raises:
            InputError: A text cannot be stored as UTF-8 (a lone surrogate).
            StorageError: The disk refused.
            ValueError: A number is out of turn, or a document stands twice.
        """
        before = self._passage_count
        for document, own in groupby(passages, key=lambda passage: passage.document):
            first = self._passage_count
            title = metadata = group = ""
            new = self._new()
            for passage in own:
                number = self._passage_count
                if passage.number != number:
                    raise ValueError(f"passage {passage.number} stands where number {number} should")
                title, metadata, group = passage.title, _json(passage.metadata), passage.group
                _check_text(passage, metadata)
                row = (passage.passage_id, passage.text, passage.start, passage.end, bytes.fromhex(passage.digest))
                new.passages.append((number, self.document_count, *row))
                new.terms.append((number, passage_terms(passage.title, passage.text)))
                self._passage_count += 1
            count = self._passage_count - first
            new.documents.append((self.document_count, document, title, metadata, group, digest, first, count))
            self._added(1)
        return self._passage_count - before

    def take_over(self, documents: range) -> None:
        """Appends documents of the earlier store with their passages as they are.

        Args:
            documents: Their numbers in it, in a row.

        Raises:
            ArtefactError: The earlier store cannot be read.
            StorageError: The disk refused.
            ValueError: A document stands twice.
        """
        start = documents.start
        while start < documents.stop:
            first = int(self._firsts[start])
            # As many as are written at a time; the last document is whole.
            full = first + _BLOCK - (self._passage_count - self._written)
            stop = min(documents.stop, int(self._firsts.searchsorted(full)))
            end = int(self._firsts[stop])
            copied = _Copied(
                documents=self.document_count - start,
                passages=self._passage_count - first,
                first_document=start,
                last_document=stop - 1,
                first_passage=first,
                last_passage=end - 1,
            )
            self._waiting.append(copied)
            self._passage_count += end - first
            self._added(stop - start)
            start = stop

    def _new(self) -> _New:
        """Where rows that are written next can be put."""
        last = self._waiting[-1] if self._waiting else None
        if not isinstance(last, _New):
            self._waiting.append(last := _New([], [], []))
        return last

    def _added(self, documents: int) -> None:
        self.document_count += documents
        if self._passage_count - self._written >= _BLOCK:
            self._flush()

    def _flush(self) -> None:
        for table, (insert, copy) in enumerate(_WRITTEN):
            for part in self._waiting:
                try:
                    if isinstance(part, _Copied):
                        self._connection.execute(copy, part._asdict())
                    else:
                        self._connection.executemany(insert, part[table])
                except sqlite3.IntegrityError as error:
                    raise ValueError(f"a document stands twice ({error})") from error
                except sqlite3.OperationalError as error:
                    raise _unwritable(self.path, error) from error
                except sqlite3.DatabaseError as error:
                    raise unreadable(self._earlier or self.path, error) from error
        self._waiting.clear()
        self._written = self._passage_count


def _check_text(passage: Passage, metadata: str) -> None:
    try:
        "".join((passage.document, passage.passage_id, passage.title, passage.text, metadata, passage.group)).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"passage {passage.passage_id!r} is not text",
            why=str(error),
            hint="Remove the lone surrogate from the document.",
        ) from error


def _json(metadata: Mapping[str, object]) -> str:
    return json.dumps(metadata, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _unwritable(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"the passages cannot be written to {path}",
        why=str(error),
        hint="See that the disk has room and that the folder may be written to.",
    )
