"""Judgements that a person makes, kept as they are made: ``queries.jsonl`` and ``qrels.tsv``, as BEIR has them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import filelock

from bertpipe.errors import ConfigError, InputError, LockedError, StorageError
from bertpipe.text.readers.qrels import HEADER, read_qrels
from bertpipe.text.readers.queries import Query, read_queries
from bertpipe.text.surrogates import encodable

QUERIES, QRELS = "queries.jsonl", "qrels.tsv"
_LOCK = ".lock"


class JudgementFiles:
    """A folder of judgements that grows line by line. A context manager: one process at a time.

    Each judgement is on the disk before `add` returns. A line that was cut off by a crash is removed when the folder is
    opened again; all others are as they were. What a line of columns has no place for, such as a tab in an id, is
    written with percent signs as in a URL, in both files.

    Args:
        folder: Made if it is not there.

    Raises:
        LockedError: Another process has it open.
        InputError: What lies in it is broken.
        StorageError: The disk refused.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._undo: list[tuple[str, str, int]] = []  # query, document, length of the file before
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = filelock.FileLock(folder / _LOCK)
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise LockedError(f"{folder} is being judged by another process", hint="End that one first.") from error
        except OSError as error:
            raise _unwritable(folder, error) from error
        try:
            _mend(folder / QUERIES, _is_query)
            _mend(folder / QRELS, _is_judgement)
            self._grades = _read_grades(folder / QRELS)
            known = read_queries(folder / QUERIES).queries if _has_text(folder / QUERIES) else []
            self._queries = {query.id: query.text for query in known}
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> JudgementFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()

    def __len__(self) -> int:
        return len(self._grades)

    @property
    def relevant(self) -> int:
        """How many pairs are judged relevant."""
        return sum(grade > 0 for grade in self._grades.values())

    def grade(self, query: Query, document: str) -> int | None:
        """What a document was judged; None if it was not.

        Raises:
            ConfigError: The folder has another query under this id.
        """
        own = _cell(encodable(query.id))
        known = self._queries.get(own)
        if known is not None and known != encodable(query.text):
            raise ConfigError(
                f"{self.folder} has another query under the id {query.id!r}", hint="Name another folder with --out."
            )
        return self._grades.get((own, _cell(document)))

    def add(self, query: Query, document: str, grade: int) -> None:
        """Keeps a judgement of a pair that has none.

        Raises:
            StorageError: The disk refused.
        """
        own, text = _cell(encodable(query.id)), encodable(query.text)
        if own not in self._queries:
            _append(self.folder / QUERIES, json.dumps({"_id": own, "text": text}, ensure_ascii=False))
            self._queries[own] = text
        path = self.folder / QRELS
        if not _has_text(path):
            _append(path, "\t".join(HEADER))
        cell = _cell(document)
        self._undo.append((own, cell, path.stat().st_size))
        _append(path, f"{own}\t{cell}\t{grade}")
        self._grades[own, cell] = grade

    def undo(self) -> bool:
        """Takes the last judgement of this session back.

        Returns:
            Whether there was one.

        Raises:
            StorageError: The disk refused.
        """
        if not self._undo:
            return False
        query, document, length = self._undo.pop()
        try:
            os.truncate(self.folder / QRELS, length)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        del self._grades[query, document]
        return True


def _cell(name: str) -> str:
    """A name for a file whose columns are separated by tabs."""
    return name if name == name.strip() and name.isprintable() else quote(name, errors="replace")


def _read_grades(path: Path) -> dict[tuple[str, str], int]:
    if not _has_text(path) or path.read_bytes().count(b"\n") < 2:  # the header alone
        return {}
    return {
        (query, document): grade
        for query, documents in read_qrels(path).items()
        for document, grade in documents.items()
    }


def _has_text(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _mend(path: Path, is_whole: Callable[[bytes], bool]) -> None:
    """Removes the last line if it was cut off; one that only lacks its end, as some editors leave it, gets that."""
    try:
        if _has_text(path):
            data = path.read_bytes()
            begin = data.rfind(b"\n") + 1
            if begin == len(data):
                return
            if is_whole(data[begin:]):
                with path.open("ab") as file:
                    file.write(b"\n")
            else:
                os.truncate(path, begin)
    except OSError as error:
        raise InputError("cannot be read", path=path, why=error.strerror or str(error)) from error


def _is_query(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _is_judgement(line: bytes) -> bool:
    cells = line.split(b"\t")
    if len(cells) != len(HEADER) or not all(cells):
        return False
    return line == "\t".join(HEADER).encode() or re.fullmatch(rb"[+-]?\d{1,6}(\.0*)?", cells[-1].strip()) is not None


def _append(path: Path, line: str) -> None:
    try:
        with path.open("ab") as file:
            file.write(f"{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _unwritable(path.parent, error) from error


def _unwritable(folder: Path, error: OSError) -> StorageError:
    return StorageError(f"judgements cannot be written to {folder}", why=error.strerror or str(error))
