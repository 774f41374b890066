"""Documents and their passages, in one SQLite file that is written once and then only read.

Beside the texts stands all that would be dear to compute again when other documents change: how a document was cut
into passages, and the terms of every passage. A store of a changed corpus takes them over from the earlier store,
document by document, and is the same to the last byte as one that was made from nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np

from bertpipe.errors import ArtefactError, InputError, StorageError
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.terms import passage_terms
from bertpipe.retrieval.where import DOCUMENT, TITLE, Comparison, Condition, as_number, comparison_sql, documents_where

FORMAT = 3
# Says "a passage store of ours" to SQLite and file(1): "bprt" in ASCII.
_APPLICATION = 0x62707274
_COLUMNS = 'p.number, p.passage_id, d.id, d.title, p.text, p.start, p."end", d.metadata, d."group"'
_JOINED = "passages AS p JOIN documents AS d ON d.number = p.document"
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
_SEAL = f"PRAGMA application_id = {_APPLICATION}", f"PRAGMA user_version = {FORMAT}", "COMMIT"
# SQLite's lowest default for the variables of a statement is 999.
_ASKED_AT_ONCE = 500
# Passages written at a time. The bytes of the file depend on it, and on nothing else but what is stored.
_BLOCK = 1000
_NOWHERE = np.iinfo(np.int64).min


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


class PassageStore:
    """Passages by number, and the documents that they are of; made by `create` or `open`. A context manager.

    Example:
        >>> with PassageStore.create(path) as store:
        ...     store.add_many(passages)
        >>> PassageStore.open(path).get_many([7, 3])
        [Passage(number=7, ...), Passage(number=3, ...)]
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, *, writing: bool = False) -> None:
        self.path = path
        self._connection = connection
        self._writing = writing
        self._waiting: list[_New | _Copied] = []
        self._written = 0
        self._document_count = self._passage_count = 0
        self._earlier: Path | None = None
        self._firsts = np.zeros(1, dtype=np.int64)

    @classmethod
    def create(cls, path: Path, earlier: PassageStore | None = None) -> PassageStore:
        """Starts a new store, in place of whatever stands at ``path``.

        Nothing is safe before the end of the ``with`` block: a store whose writing was cut off is to be
        created again.

        Args:
            path: The file.
            earlier: What `take_over` takes documents from.

        Raises:
            ArtefactError: The earlier store cannot be read.
            StorageError: The file cannot be written.
        """
        try:
            path.unlink(missing_ok=True)
            connection = sqlite3.connect(path.resolve().as_uri(), uri=True, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _unwritable(path, error) from error
        store = cls(path, connection, writing=True)
        try:
            if earlier is not None:
                store._attach(earlier)
            connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            connection.close()
            raise _unwritable(path, error) from error
        except ArtefactError:
            connection.close()
            raise
        return store

    def _attach(self, earlier: PassageStore) -> None:
        self._earlier = earlier.path
        self._firsts = np.concatenate([[0], earlier.passage_counts().cumsum()])
        with _reading(earlier.path):
            self._connection.execute("ATTACH ? AS earlier", (_address(earlier.path),))

    @classmethod
    def open(cls, path: Path) -> PassageStore:
        """Opens a store for reading; its folder may be read-only.

        Raises:
            ArtefactError: There is no such file, or it is damaged, cut off, or not a passage store.
        """
        if not path.is_file():
            raise ArtefactError(
                f"there are no passages at {path}", hint="Build them again with `bertpipe embed --force`."
            )
        with _reading(path):
            _check_header(path)
            connection = sqlite3.connect(_address(path), uri=True, isolation_level=None)
            connection.create_function("as_number", 1, as_number, deterministic=True)
            try:
                connection.execute(f"SELECT {_COLUMNS} FROM {_JOINED} LIMIT 1")
                connection.execute("SELECT * FROM terms LIMIT 1")
                counts = "SELECT (SELECT count(*) FROM documents), (SELECT coalesce(max(number) + 1, 0) FROM passages)"
                documents, passages = connection.execute(counts).fetchone()
            except sqlite3.Error:
                connection.close()
                raise
        store = cls(path, connection)
        store._document_count, store._passage_count = int(documents), int(passages)
        return store

    def __enter__(self) -> PassageStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self._connection.in_transaction:
                self._flush()
                for statement in (_DIGEST_INDEX, *_SEAL):
                    self._connection.execute(statement)
        except sqlite3.Error as trouble:
            raise _unwritable(self.path, trouble) from trouble
        finally:
            self.close()

    def close(self) -> None:
        """Closes the file; what was added since `create` is lost unless the ``with`` block had ended."""
        self._connection.close()

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
        if not self._writing:
            raise _unwritable(self.path, ValueError("it is open as readonly"))
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
                new.passages.append((number, self._document_count, *row))
                new.terms.append((number, passage_terms(passage.title, passage.text)))
                self._passage_count += 1
            count = self._passage_count - first
            new.documents.append((self._document_count, document, title, metadata, group, digest, first, count))
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
                documents=self._document_count - start,
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
        self._document_count += documents
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
                    raise _unreadable(self._earlier or self.path, error) from error
        self._waiting.clear()
        self._written = self._passage_count

    def note(self, name: str, value: str) -> None:
        """Stores a fact about the whole, such as which encoder the passages were cut for."""
        self._connection.execute("INSERT INTO facts VALUES (?, ?)", (name, value))

    @property
    def facts(self) -> dict[str, str]:
        """What was stored with `note`."""
        with _reading(self.path):
            return dict(self._connection.execute("SELECT name, value FROM facts").fetchall())

    def __len__(self) -> int:
        return self._passage_count

    @property
    def document_count(self) -> int:
        """How many documents there are. One without any text has no passages and is not stored."""
        return self._document_count

    def get_many(self, numbers: Iterable[int]) -> list[Passage]:
        """Returns the passages of these numbers, in the order asked for.

        Raises:
            ArtefactError: The file is damaged.
            KeyError: There is no passage of one of the numbers.
        """
        asked = [int(number) for number in numbers]
        found: dict[int, Passage] = {}
        todo = iter(dict.fromkeys(asked))
        while some := list(islice(todo, _ASKED_AT_ONCE)):
            marks = ", ".join("?" * len(some))
            for passage in self._select(f"WHERE p.number IN ({marks})", some):
                found[passage.number] = passage
        return [found[number] for number in asked]

    def iterate(self) -> Iterator[Passage]:
        """Yields all passages by number."""
        return self._select("ORDER BY p.number")

    def of_document(self, document: str) -> list[Passage]:
        """Returns the passages of one document, in order; none if it is not in the store."""
        return list(self._select("WHERE d.id = ? ORDER BY p.number", [document]))

    def terms(self) -> Iterator[tuple[int, str]]:
        """Yields each passage's number and its terms, by number."""
        with _reading(self.path):
            yield from self._connection.execute("SELECT number, terms FROM terms ORDER BY number")

    def documents(self) -> list[tuple[str, bytes]]:
        """Each document's id and digest, by number."""
        with _reading(self.path):
            return self._connection.execute("SELECT id, digest FROM documents ORDER BY number").fetchall()

    def passage_counts(self) -> np.ndarray:
        """How many passages each document has, int64 (documents,); they follow one another by number."""
        with _reading(self.path):
            counts = self._connection.execute("SELECT count FROM documents ORDER BY number").fetchall()
        return np.array(counts, dtype=np.int64).reshape(-1)

    def rows_in(self, earlier: PassageStore) -> np.ndarray:
        """Finds the passages with the same title and text in another store.

        Args:
            earlier: The other one.

        Returns:
            int64 (N,): for each passage its number there: in the same document if that has not changed, else the first
            of several; -1 where there is none.
        """
        rows = np.full(len(self), -1, dtype=np.int64)
        if self.facts == earlier.facts:
            shifts = np.repeat(self._shifts(earlier), self.passage_counts())
            rows = np.where(shifts == _NOWHERE, -1, np.arange(len(self)) + shifts)
        with _reading(earlier.path):
            self._connection.execute("ATTACH ? AS earlier", (_address(earlier.path),))
        try:
            with _reading(self.path):
                unknown = np.flatnonzero(rows < 0)
                for run in np.split(unknown, np.flatnonzero(np.diff(unknown) > 1) + 1) if len(unknown) else ():
                    found = self._connection.execute(
                        "SELECT coalesce((SELECT min(e.number) FROM earlier.passages AS e WHERE e.digest = p.digest), "
                        "-1) FROM passages AS p WHERE p.number BETWEEN ? AND ? ORDER BY p.number",
                        (int(run[0]), int(run[-1])),
                    )
                    rows[run] = np.fromiter((row for (row,) in found), dtype=np.int64, count=len(run))
        finally:
            self._connection.execute("DETACH earlier")
        return rows

    def _shifts(self, earlier: PassageStore) -> np.ndarray:
        """What to add to the number of each document's passages to have those of the same document there."""
        select = "SELECT digest, first FROM documents WHERE digest != x'' ORDER BY number"
        with _reading(earlier.path):
            there = dict(earlier._connection.execute(select).fetchall())
        with _reading(self.path):
            here = self._connection.execute("SELECT digest, first FROM documents ORDER BY number").fetchall()
        shifts = (there[digest] - first if digest in there else _NOWHERE for digest, first in here)
        return np.fromiter(shifts, dtype=np.int64, count=len(here))

    def matching(self, condition: Condition) -> np.ndarray:
        """Which passages are of a document that meets a condition.

        Returns:
            bool (N,).
        """

        def compared(comparison: Comparison) -> np.ndarray:
            sql, values = comparison_sql(comparison)
            rows = self._connection.execute(f"SELECT number FROM documents WHERE {sql}", values)
            found = np.zeros(self.document_count, dtype=bool)
            found[np.fromiter((number for (number,) in rows), dtype=np.int64)] = True
            return found

        with _reading(self.path):
            met = documents_where(condition, compared)
        return np.repeat(met, self.passage_counts())

    def unknown_fields(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Of some names, those that no document has as a field, each with all fields that there are."""
        missing = []
        has = "SELECT 1 FROM documents WHERE EXISTS (SELECT 1 FROM json_each(metadata) WHERE key = ?) LIMIT 1"
        fields = "SELECT DISTINCT j.key FROM documents, json_each(documents.metadata) AS j ORDER BY 1"
        with _reading(self.path):
            for name in names:
                if name not in (DOCUMENT, TITLE) and self._connection.execute(has, (name,)).fetchone() is None:
                    missing.append(name)
            if not missing:
                return {}
            known = [DOCUMENT, TITLE, *(name for (name,) in self._connection.execute(fields))]
        return dict.fromkeys(missing, known)

    def _select(self, rest: str, values: Iterable[int | str] = ()) -> Iterator[Passage]:
        with _reading(self.path):
            query = f"SELECT {_COLUMNS} FROM {_JOINED} {rest}"
            for row in self._connection.execute(query, tuple(values)):
                number, passage_id, document, title, text, start, end, metadata, group = row
                yield Passage(number, passage_id, document, title, text, start, end, json.loads(metadata), group)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.ProgrammingError:  # the caller's: it was closed, or belongs to another thread
        raise
    except (sqlite3.DatabaseError, ValueError, OSError) as error:
        raise _unreadable(path, error) from error


def _check_header(path: Path) -> None:
    """Compares the file's length with what its header says; SQLite itself looks only when it needs a page.

    The header's layout: https://www.sqlite.org/fileformat2.html#the_database_header
    """
    with path.open("rb") as file:
        header = file.read(100)
    version, application = int.from_bytes(header[60:64]), int.from_bytes(header[68:72])
    if not header.startswith(b"SQLite format 3\0") or (version, application) != (FORMAT, _APPLICATION):
        raise ValueError(f"it is not a passage store of format {FORMAT}")
    page = int.from_bytes(header[16:18])
    expected = (65_536 if page == 1 else page) * int.from_bytes(header[28:32])
    size = path.stat().st_size
    if size < expected:
        raise ValueError(f"it is cut off: {size} of {expected} bytes are left")


def _address(path: Path) -> str:
    return f"{path.resolve().as_uri()}?mode=ro"


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


def _unreadable(path: Path, error: Exception) -> ArtefactError:
    return ArtefactError(
        f"the passages at {path} cannot be read",
        why=str(error),
        hint="Build them again with `bertpipe embed --force`.",
    )


def _unwritable(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"the passages cannot be written to {path}",
        why=str(error),
        hint="See that the disk has room and that the folder may be written to.",
    )
