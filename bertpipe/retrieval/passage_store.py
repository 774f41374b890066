"""The passages' texts, in one SQLite file that is written once and then only read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType

from bertpipe.errors import ArtefactError, InputError, StorageError
from bertpipe.retrieval.passage import Passage

FORMAT = 1
# Says "a passage store of ours" to SQLite and file(1): "bprt" in ASCII.
_APPLICATION = 0x62707274
_COLUMNS = 'number, passage_id, document, title, text, start, "end", metadata'
_SCHEMA = """
PRAGMA journal_mode = OFF;
BEGIN;
CREATE TABLE passages (
    number INTEGER PRIMARY KEY,
    passage_id TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE INDEX passages_document ON passages (document, number);
"""
# Written last, so that a store whose writing was cut off does not pass for one.
_SEAL = f"PRAGMA application_id = {_APPLICATION}", f"PRAGMA user_version = {FORMAT}", "COMMIT"
# SQLite's lowest default for the variables of a statement is 999.
_ASKED_AT_ONCE = 500


class PassageStore:
    """Passages by number; made by `create` or `open`. A context manager, closed at its end.

    Example:
        >>> with PassageStore.create(path) as store:
        ...     store.add_many(passages)
        >>> PassageStore.open(path).get_many([7, 3])
        [Passage(number=7, ...), Passage(number=3, ...)]
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

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
        return cls(path, connection)

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
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
            try:
                connection.execute(f"SELECT {_COLUMNS}, digest FROM passages LIMIT 1")
            except sqlite3.Error:
                connection.close()
                raise
        return cls(path, connection)

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
                for statement in _SEAL:
                    self._connection.execute(statement)
        except sqlite3.Error as trouble:
            raise _unwritable(self.path, trouble) from trouble
        finally:
            self.close()

    def close(self) -> None:
        """Closes the file; what was added since `create` is lost unless the ``with`` block had ended."""
        self._connection.close()

    def add_many(self, passages: Iterable[Passage]) -> int:
        """Appends passages, one at a time in memory.

        Args:
            passages: Their numbers go on where the store ends.

        Returns:
            How many were added.

        Raises:
            InputError: A text cannot be stored as UTF-8 (a lone surrogate).
            StorageError: The disk refused.
            ValueError: A number is out of turn, or a passage_id stands twice.
        """
        first = number = len(self)
        for passage in passages:
            if passage.number != number:
                raise ValueError(f"passage {passage.number} stands where number {number} should")
            row = (
                passage.number,
                passage.passage_id,
                passage.document,
                passage.title,
                passage.text,
                passage.start,
                passage.end,
                _json(passage.metadata),
                passage.digest,
            )
            try:
                self._connection.execute("INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            except sqlite3.IntegrityError as error:
                raise ValueError(f"passage_id {passage.passage_id!r} cannot be added ({error})") from error
            except UnicodeEncodeError as error:
                raise InputError(
                    f"passage {passage.passage_id!r} is not text",
                    why=str(error),
                    hint="Remove the lone surrogate from the document.",
                ) from error
            except sqlite3.Error as error:
                raise _unwritable(self.path, error) from error
            number += 1
        return number - first

    def __len__(self) -> int:
        with _reading(self.path):
            query = "SELECT coalesce(max(number) + 1, 0) FROM passages"
            return int(self._connection.execute(query).fetchone()[0])

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
            for passage in self._select(f"WHERE number IN ({marks})", some):
                found[passage.number] = passage
        return [found[number] for number in asked]

    def iterate(self) -> Iterator[Passage]:
        """Yields all passages by number."""
        return self._select("ORDER BY number")

    def of_document(self, document: str) -> list[Passage]:
        """Returns the passages of one document, in order; none if it is not in the store."""
        return list(self._select("WHERE document = ? ORDER BY number", [document]))

    def documents(self) -> list[str]:
        """Returns the ids of all documents, in order."""
        with _reading(self.path):
            rows = self._connection.execute("SELECT DISTINCT document FROM passages ORDER BY document")
            return [document for (document,) in rows]

    def numbers_by_digest(self) -> dict[str, int]:
        """Returns each digest's passage; the first where several passages have the same title and text."""
        with _reading(self.path):
            rows = self._connection.execute("SELECT digest, number FROM passages ORDER BY number DESC")
            return dict(rows.fetchall())

    def _select(self, rest: str, values: Iterable[int | str] = ()) -> Iterator[Passage]:
        with _reading(self.path):
            query = f"SELECT {_COLUMNS} FROM passages {rest}"
            for row in self._connection.execute(query, tuple(values)):
                number, passage_id, document, title, text, start, end, metadata = row
                facts = json.loads(metadata)
                yield Passage(number, passage_id, document, title, text, start, end, facts)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
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


def _json(metadata: Mapping[str, object]) -> str:
    return json.dumps(metadata, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _unwritable(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"the passages cannot be written to {path}",
        why=str(error),
        hint="See that the disk has room and that the folder may be written to.",
    )
