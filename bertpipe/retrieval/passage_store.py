"""Documents and their passages, in one SQLite file that is written once and then only read.

Beside the texts stands all that would be dear to compute again when other documents change: how a document was cut
into passages, and the terms of every passage. A store of a changed corpus takes them over from the earlier store,
document by document, and is the same to the last byte as one that was made from nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType

import numpy as np

from bertpipe.errors import ArtefactError
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.passage_file import address, check_header, reading
from bertpipe.retrieval.where import DOCUMENT, TITLE, Comparison, Condition, as_number, comparison_sql, documents_where

_COLUMNS = 'p.number, p.passage_id, d.id, d.title, p.text, p.start, p."end", d.metadata, d."group"'
_JOINED = "passages AS p JOIN documents AS d ON d.number = p.document"
# SQLite's lowest default for the variables of a statement is 999.
_ASKED_AT_ONCE = 500
_NOWHERE = np.iinfo(np.int64).min


class PassageStore:
    """Passages by number, and the documents that they are of; made by `open`. A context manager.

    Example:
        >>> PassageStore.open(path).get_many([7, 3])
        [Passage(number=7, ...), Passage(number=3, ...)]
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, documents: int, passages: int) -> None:
        self.path = path
        self._connection = connection
        self._document_count, self._passage_count = documents, passages

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
        with reading(path):
            check_header(path)
            connection = sqlite3.connect(address(path), uri=True, isolation_level=None)
            connection.create_function("as_number", 1, as_number, deterministic=True)
            try:
                connection.execute(f"SELECT {_COLUMNS} FROM {_JOINED} LIMIT 1")
                connection.execute("SELECT * FROM terms LIMIT 1")
                counts = "SELECT (SELECT count(*) FROM documents), (SELECT coalesce(max(number) + 1, 0) FROM passages)"
                documents, passages = connection.execute(counts).fetchone()
            except sqlite3.Error:
                connection.close()
                raise
        return cls(path, connection, int(documents), int(passages))

    def __enter__(self) -> PassageStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    @property
    def facts(self) -> dict[str, str]:
        """What was noted about the whole, such as which encoder the passages were cut for."""
        with reading(self.path):
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
        with reading(self.path):
            yield from self._connection.execute("SELECT number, terms FROM terms ORDER BY number")

    def documents(self) -> list[tuple[str, bytes]]:
        """Each document's id and digest, by number."""
        with reading(self.path):
            return self._connection.execute("SELECT id, digest FROM documents ORDER BY number").fetchall()

    def passage_counts(self) -> np.ndarray:
        """How many passages each document has, int64 (documents,); they follow one another by number."""
        with reading(self.path):
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
        with reading(earlier.path):
            self._connection.execute("ATTACH ? AS earlier", (address(earlier.path),))
        try:
            with reading(self.path):
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
        with reading(earlier.path):
            there = dict(earlier._connection.execute(select).fetchall())
        with reading(self.path):
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

        with reading(self.path):
            met = documents_where(condition, compared)
        return np.repeat(met, self.passage_counts())

    def unknown_fields(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Of some names, those that no document has as a field, each with all fields that there are."""
        missing = []
        has = "SELECT 1 FROM documents WHERE EXISTS (SELECT 1 FROM json_each(metadata) WHERE key = ?) LIMIT 1"
        fields = "SELECT DISTINCT j.key FROM documents, json_each(documents.metadata) AS j ORDER BY 1"
        with reading(self.path):
            for name in names:
                if name not in (DOCUMENT, TITLE) and self._connection.execute(has, (name,)).fetchone() is None:
                    missing.append(name)
            if not missing:
                return {}
            known = [DOCUMENT, TITLE, *(name for (name,) in self._connection.execute(fields))]
        return dict.fromkeys(missing, known)

    def _select(self, rest: str, values: Iterable[int | str] = ()) -> Iterator[Passage]:
        with reading(self.path):
            query = f"SELECT {_COLUMNS} FROM {_JOINED} {rest}"
            for row in self._connection.execute(query, tuple(values)):
                number, passage_id, document, title, text, start, end, metadata, group = row
                yield Passage(number, passage_id, document, title, text, start, end, json.loads(metadata), group)
