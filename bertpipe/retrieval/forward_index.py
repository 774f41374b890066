"""The terms of every passage side by side, for the scores of given passages.

An inverted index knows in which passages a term stands. What a hundred given passages score it answers by leaping
through the passages of each term; here the terms of a passage are read in one go, which takes half of the time at a
hundred thousand passages and less at a million.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import TracebackType

import numpy as np

from bertpipe.text.array_file import map_array, write_array

_TERMS, _PLACES, _HASHES, _NUMBERS = (
    "forward-terms.u4",
    "forward-places.npy",
    "forward-hashes.npy",
    "forward-numbers.npy",
)
_TERM = np.dtype("<u4")
# Terms written at a time: an array for every passage would take longer than its terms.
_BLOCK = 1 << 16
# Passages that are looked through at a time, for a bound on memory: a number for every term at each occurrence of any.
_AT_ONCE = 1024


class ForwardIndex:
    """Counts the terms of passages; made by `ForwardWriter`.

    A term has a number, by which its occurrences are kept: four bytes each. Numbers are looked up by 64 bits of a hash
    of the term, so that two of a million terms are taken for one another with a probability of 3e-8.

    Args:
        folder: What `ForwardWriter` wrote. Its files are mapped, not read.

    Raises:
        ValueError: A file does not fit the others.
        OSError: A file is missing.
        EOFError: A file is empty.
    """

    def __init__(self, folder: Path) -> None:
        self._places, self._hashes, self._numbers = (map_array(folder / name) for name in (_PLACES, _HASHES, _NUMBERS))
        # Its elements are Python's numbers, and no copies.
        self._hash_view = self._hashes.astype(np.uint64, copy=False).data
        path = folder / _TERMS
        if len(self._hashes) != len(self._numbers) or path.stat().st_size != self.total_terms * _TERM.itemsize:
            raise ValueError(f"the files in {folder} do not fit each other")
        # An empty file cannot be mapped.
        self._terms = np.asarray(np.memmap(path, _TERM, "r")) if self.total_terms else np.empty(0, _TERM)

    @property
    def total_terms(self) -> int:
        """Terms of all passages, repetitions included."""
        return int(self._places[-1])

    def counts(self, terms: Sequence[str], numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How often terms stand in passages.

        Args:
            terms: Q different ones.
            numbers: int (C,), of passages; those that there are not have no terms.

        Returns:
            int64 (C, Q), and how many terms the passages have in all, int64 (C,).
        """
        lengths, rows, _, columns = self._hits(terms, numbers)
        cells = rows * len(terms) + columns
        return np.bincount(cells, minlength=len(numbers) * len(terms)).reshape(len(numbers), len(terms)), lengths

    def most_together(self, terms: Sequence[str], weights: np.ndarray, numbers: np.ndarray, span: int) -> np.ndarray:
        """How much of some terms stands together in passages.

        Args:
            terms: Q different ones.
            weights: (Q,), what each is worth.
            numbers: int (C,), of passages; those that there are not have no terms.
            span: Consecutive terms that count as together.

        Returns:
            float64 (C,): the largest sum of the weights of different terms in one span of the passage.
        """
        if len(numbers) > _AT_ONCE:
            blocks = np.split(numbers, range(_AT_ONCE, len(numbers), _AT_ONCE))
            return np.concatenate([self.most_together(terms, weights, block, span) for block in blocks])
        _, rows, places, columns = self._hits(terms, numbers)
        best = np.zeros(len(numbers))
        if not len(rows):
            return best
        # Passages stand apart by more than a span.
        places = places + rows * span
        following = np.full((len(rows), len(terms)), np.iinfo(np.int64).max)
        following[np.arange(len(rows)), columns] = places
        # Where each term stands next, from each occurrence of any term on.
        following = np.minimum.accumulate(following[::-1], axis=0)[::-1]
        sums = (following < (places + span)[:, None]) @ np.asarray(weights, dtype=np.float64)
        first = np.flatnonzero(np.diff(rows, prepend=-1))
        best[rows[first]] = np.maximum.reduceat(sums, first)
        return best

    def _hits(self, terms: Sequence[str], numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Where terms stand in passages.

        Returns:
            How many terms the passages have in all, int64 (C,); and for each of H occurrences, in their order, int64
            (H,): which passage, its place in all passages laid end to end, and which term.
        """
        known = (numbers >= 0) & (numbers < len(self._places) - 1)
        rows = np.where(known, numbers, 0)
        starts, ends = self._places.take(rows), self._places.take(rows + known)
        lengths = ends - starts
        wanted, columns = self._numbers_of(terms)
        bounds = lengths.cumsum()
        if not len(wanted) or not lengths.any():
            nothing = np.empty(0, dtype=np.int64)
            return lengths, nothing, nothing, nothing
        # One array of places takes half the time of a slice for every passage.
        places = np.arange(bounds[-1])
        places += (ends - bounds).repeat(lengths)
        found = self._terms.take(places)
        # One comparison after the other takes a microsecond each, a search among all terms of all passages a hundred.
        held = found == wanted[0]
        for number in wanted[1:]:
            held |= found == number
        hits = held.nonzero()[0]
        return lengths, bounds.searchsorted(hits, side="right"), hits, columns.take(wanted.searchsorted(found[hits]))

    def _numbers_of(self, terms: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of those terms that any passage has, ascending, and which of the terms they are."""
        known = []
        # A query has a few terms: Python finds them in the time that NumPy needs to begin.
        for column, digest in enumerate(map(_hash, terms)):
            place = bisect_left(self._hash_view, digest)
            if place < len(self._hash_view) and self._hash_view[place] == digest:
                known.append((int(self._numbers[place]), column))
        known.sort()
        numbers, columns = zip(*known, strict=True) if known else ((), ())
        return np.array(numbers, dtype=_TERM), np.array(columns, dtype=np.int64)


class ForwardWriter:
    """Writes a forward index; a context manager. The same passages give the same bytes.

    Args:
        folder: It may hold other files.

    Raises:
        OSError: The disk refused.

    Example:
        >>> with ForwardWriter(folder) as writer:
        ...     writer.add(0, ["split", "string"])
        ...     writer.finish()
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = (folder / _TERMS).open("wb")
        self._numbers: defaultdict[str, int] = defaultdict(count().__next__)
        self._places = array("q", [0])
        self._written = 0
        self._waiting = array("L")

    def add(self, number: int, terms: Sequence[str]) -> None:
        """Adds a passage.

        Args:
            number: Higher than those before.
            terms: Its terms, with repetitions, in any order.

        Raises:
            OSError: The disk refused.
        """
        # Numbers that are passed over are passages without terms.
        self._places.extend([self._written] * (number + 1 - len(self._places)))
        self._waiting.extend(map(self._numbers.__getitem__, terms))
        self._written += len(terms)
        self._places.append(self._written)
        if len(self._waiting) >= _BLOCK:
            self._write()

    def finish(self) -> None:
        """Writes what is left to write, after the last passage.

        Raises:
            OSError: The disk refused.
        """
        self._write()
        self._file.close()
        write_array(self._folder / _PLACES, np.array(self._places, dtype=np.int64))
        hashes = np.fromiter(map(_hash, self._numbers), np.uint64, len(self._numbers))
        order = np.argsort(hashes)
        write_array(self._folder / _HASHES, hashes[order])
        write_array(self._folder / _NUMBERS, order.astype(np.uint32))

    def _write(self) -> None:
        self._file.write(np.array(self._waiting, dtype=_TERM).tobytes())
        del self._waiting[:]

    def __enter__(self) -> ForwardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def _hash(term: str) -> int:
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
