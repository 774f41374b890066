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
PRAGMA journal_mode = OFF;
PRAGMA cache_size = -65536;
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
_DIGEST_INDEX = "CREATE INDEX passages_digest ON passages (digest)"
# Written last, so that a store whose writing was cut off does not pass for one.
_SEAL = f"PRAGMA application_id = {_APPLICATION}", f"PRAGMA user_version = {FORMAT}", "COMMIT"
# SQLite's lowest default for the variables of a statement is 999.
_ASKED_AT_ONCE = 500
# Passages written at a time. The bytes of the file depend on it, and on nothing else but what is stored.
_BLOCK = 1000


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
        self._documents: list[tuple] = []
        self._passages: list[tuple] = []
        self._terms: list[tuple[int, str]] = []
        self._document_count = self._passage_count = 0

    @classmethod
    def create(cls, path: Path) -> PassageStore:
        """Starts a new store, in place of whatever stands at ``path``.

        Nothing is safe before the end of the ``with`` block: a store whose writing was cut off is to be
        created again.

        Raises:
            StorageError: The file cannot be written.
        """
        try:
            path.unlink(missing_ok=True)
            connection = sqlite3.connect(path, isolation_level=None)
            connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise _unwritable(path, error) from error
        return cls(path, connection, writing=True)

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
            for passage in own:
                number = self._passage_count
                if passage.number != number:
                    raise ValueError(f"passage {passage.number} stands where number {number} should")
                title, metadata, group = passage.title, _json(passage.metadata), passage.group
                _check_text(passage, metadata)
                row = (passage.passage_id, passage.text, passage.start, passage.end, bytes.fromhex(passage.digest))
                self._passages.append((number, self._document_count, *row))
                self._terms.append((number, passage_terms(passage.title, passage.text)))
                self._passage_count += 1
            self._add_document(document, title, metadata, group, digest, first)
        return self._passage_count - before

    def take_over(self, earlier: PassageStore, documents: range) -> None:
        """Appends documents of an earlier store with their passages as they are.

        Args:
            earlier: The store, open for reading.
            documents: Their numbers in it, in a row.

        Raises:
            ArtefactError: The earlier store cannot be read.
            StorageError: The disk refused.
            ValueError: A document stands twice.
        """
        with _reading(earlier.path):
            facts = earlier._connection.execute(
                'SELECT id, title, metadata, "group", digest, count FROM documents WHERE number >= ? AND number < ? '
                "ORDER BY number",
                (documents.start, documents.stop),
            )
            rows = earlier._connection.execute(
                'SELECT p.passage_id, p.text, p.start, p."end", p.digest, t.terms FROM passages AS p '
                "JOIN terms AS t ON t.number = p.number "
                "WHERE p.number >= (SELECT first FROM documents WHERE number = ?) "
                "AND p.number < (SELECT first + count FROM documents WHERE number = ?) ORDER BY p.number",
                (documents.start, documents.stop - 1),
            )
            for name, title, metadata, group, digest, count in facts:
                first = self._passage_count
                for *row, terms in islice(rows, count):
                    self._passages.append((self._passage_count, self._document_count, *row))
                    self._terms.append((self._passage_count, terms))
                    self._passage_count += 1
                self._add_document(name, title, metadata, group, digest, first)

    def _add_document(self, name: str, title: str, metadata: str, group: str, digest: bytes, first: int) -> None:
        row = (self._document_count, name, title, metadata, group, digest, first, self._passage_count - first)
        self._documents.append(row)
        self._document_count += 1
        if len(self._passages) >= _BLOCK:
            try:
                self._flush()
            except sqlite3.Error as error:
                raise _unwritable(self.path, error) from error

    def _flush(self) -> None:
        tables = (("documents", self._documents), ("passages", self._passages), ("terms", self._terms))
        for table, rows in tables:
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                try:
                    self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
                except sqlite3.IntegrityError as error:
                    raise ValueError(f"a document stands twice ({error})") from error
                rows.clear()

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

    def terms(self) -> Iterator[tuple[int, str, str]]:
        """Yields each passage's number, the id of its document, and its terms, by number."""
        with _reading(self.path):
            yield from self._connection.execute(
                "SELECT p.number, d.id, t.terms FROM terms AS t JOIN passages AS p ON p.number = t.number "
                "JOIN documents AS d ON d.number = p.document ORDER BY t.number"
            )

    def documents(self) -> list[tuple[str, bytes]]:
        """Each document's id and digest, by number."""
        with _reading(self.path):
            return self._connection.execute("SELECT id, digest FROM documents ORDER BY number").fetchall()

    def rows_in(self, earlier: PassageStore) -> np.ndarray:
        """Finds the passages with the same title and text in another store.

        Args:
            earlier: The other one.

        Returns:
            int64 (N,): for each passage its number there, the first of several; -1 where there is none.
        """
        with _reading(earlier.path):
            self._connection.execute("ATTACH ? AS earlier", (_address(earlier.path),))
        try:
            with _reading(self.path):
                rows = self._connection.execute(
                    "SELECT coalesce((SELECT min(e.number) FROM earlier.passages AS e WHERE e.digest = p.digest), -1) "
                    "FROM passages AS p ORDER BY p.number"
                )
                return np.fromiter((row for (row,) in rows), dtype=np.int64, count=len(self))
        finally:
            self._connection.execute("DETACH earlier")

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
            counts = self._connection.execute("SELECT count FROM documents ORDER BY number").fetchall()
            return np.repeat(documents_where(condition, compared), np.array(counts, dtype=np.int64).reshape(-1))

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
        raise ArtefactError(
            f"the passages at {path} cannot be read",
            why=str(error),
            hint="Build them again with `bertpipe embed --force`.",
        ) from error


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


def _unwritable(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"the passages cannot be written to {path}",
        why=str(error),
        hint="See that the disk has room and that the folder may be written to.",
    )
