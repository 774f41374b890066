"""Short codes of the vectors in a FAISS structure: they propose passages, which their full vectors then score."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from bertpipe.errors import ArtefactError, ConfigError
from bertpipe.retrieval.structure import REFINED, ask_for_few, faiss_reason, make_structure, unwrapped

BLOCK = 1 << 16
"""Vectors that are read at a time."""

# For each cluster. Twice as many moved recall by less than its interval, and training takes twice as long.
_TRAINING_VECTORS = 32
# What else is trained (codebooks, rotations) has no clusters to go by.
_LEAST_TRAINING = 16_384


class Codes:
    """A trained FAISS structure; made by `train`, filled by `add`.

    Training (centroids, codebooks) is what takes long, and does not hang on every vector. So it is a step of its own:
    what an earlier index has trained can be filled anew, see `emptied`.

    Args:
        structure: The FAISS factory string.
        index: The FAISS index.
        mapped: The file that it is mapped from, if it is.
    """

    def __init__(self, structure: str, index: faiss.Index, mapped: Path | None = None) -> None:
        self.structure = structure
        self._mapped = mapped
        self._index = index
        self._inner = unwrapped(index)

    @classmethod
    def train(cls, vectors: np.ndarray, structure: str) -> Codes | None:
        """Trains a structure on an even choice of the vectors.

        The same vectors give the same structure: the choice is no random one, FAISS's clustering has a fixed seed, and
        one thread computes, because several would add up in another order.

        Args:
            vectors: float32 (N, D).
            structure: A FAISS factory string.

        Returns:
            The structure, holding nothing yet; None for a flat one, which has no codes.

        Raises:
            ConfigError: See `make_structure`; or FAISS refuses to train it.
        """
        passages, width = vectors.shape
        index = make_structure(structure, passages, width)
        if index is None:
            return None
        codes = cls(structure.removesuffix(REFINED), index)
        wanted = max(_LEAST_TRAINING, _TRAINING_VECTORS * codes.clusters)
        chosen = np.unique(np.linspace(0, passages - 1, min(wanted, passages)).astype(np.int64))
        with one_thread(), _refusals(structure):
            index.train(np.ascontiguousarray(vectors[chosen], dtype=np.float32))
        return codes

    def add(self, vectors: np.ndarray) -> None:
        """Appends vectors; they are numbered on from what there is.

        Args:
            vectors: float32 (M, D).

        Raises:
            ConfigError: The structure cannot take them.
        """
        with one_thread(), _refusals(self.structure):
            for start in range(0, len(vectors), BLOCK):
                self._index.add(np.ascontiguousarray(vectors[start : start + BLOCK], dtype=np.float32))

    def emptied(self) -> Codes:
        """A copy as `train` left it, to be filled with other vectors of the same encoder."""
        # FAISS cannot empty what is mapped from a file, nor a copy of it.
        index = faiss.read_index(str(self._mapped)) if self._mapped else faiss.clone_index(self._index)
        index.reset()
        inner = unwrapped(index)
        if isinstance(inner, faiss.IndexIVF):
            ask_for_few(inner)
        return Codes(self.structure, index)

    def save(self, path: Path) -> None:
        """Writes the structure.

        Raises:
            OSError: The disk refused. FAISS's own way to files does not notice when the last bytes find no room.
        """
        with path.open("wb") as file:
            faiss.write_index(self._index, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]

    @classmethod
    def open(cls, path: Path, structure: str) -> Codes:
        """Maps what `save` wrote into memory; where FAISS cannot map a structure, it is read.

        Raises:
            ArtefactError: The file is missing or damaged.
        """
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except (RuntimeError, MemoryError) as error:  # a length that was damaged may ask for all memory there is
            raise ArtefactError(f"{path} is missing or damaged", why=faiss_reason(error)) from error
        return cls(structure, index, path)

    def __len__(self) -> int:
        return self._index.ntotal

    @property
    def width(self) -> int:
        """D."""
        return self._index.d

    # Of the structure, not of what it holds; FAISS takes microseconds to say it, and every search asks.
    @cached_property
    def clusters(self) -> int:
        """Of an inverted file; 0 without one."""
        return self._inner.nlist if isinstance(self._inner, faiss.IndexIVF) else 0

    @cached_property
    def code_bytes(self) -> int:
        """Bytes that a code takes, its place in the structure not counted."""
        holder = self._inner.storage if isinstance(self._inner, faiss.IndexHNSW) else self._inner
        return int(getattr(holder, "code_size", 0)) or int(holder.sa_code_size())

    @property
    def most_effort(self) -> int:
        """The largest effort that makes a difference; 0 where there is nothing to set."""
        if self.clusters:
            return self.clusters
        return len(self) if isinstance(self._inner, faiss.IndexHNSW) else 0

    def cost(self, effort: int) -> float:
        """About how many bytes a proposal reads."""
        if self.clusters:
            return effort * len(self) / self.clusters * self.code_bytes
        if isinstance(self._inner, faiss.IndexHNSW):
            # Every passage kept in sight has its neighbours looked at, each somewhere else in memory.
            return float(effort * _neighbours(self._inner) * (self.code_bytes + 64))
        return float(len(self) * self.code_bytes)

    def propose(self, queries: np.ndarray, count: int, effort: int, among: np.ndarray | None = None) -> np.ndarray:
        """The passages that seem nearest.

        Args:
            queries: float32 (Q, D).
            count: How many passages for each.
            effort: Clusters to look through (nprobe), or passages to keep in sight (efSearch) in a graph.
            among: bool (N,), the passages that may be proposed; all if left out.

        Returns:
            int64 (Q, count), the seemingly best first; -1 where there are no more.

        Raises:
            ArtefactError: What is proposed cannot be: the file is damaged.
            NotImplementedError: The structure cannot choose among some of its passages.
        """
        # The bits have to live as long as the selector does.
        bits = None if among is None else np.packbits(among, bitorder="little")
        selector = None if bits is None else faiss.IDSelectorBitmap(len(self), faiss.swig_ptr(bits))
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        try:
            _, numbers = self._index.search(queries, count, params=self._parameters(count, effort, selector))
        except RuntimeError as error:
            if selector is None:
                raise
            raise NotImplementedError(f"{self.structure} cannot filter: {faiss_reason(error)}") from error
        if numbers.size and int(numbers.max()) >= len(self):
            raise ArtefactError(
                f"{self._mapped or 'the structure of the vectors'} is damaged",
                why="it proposes passages that there are not",
                hint="Build it again with `bertpipe index --force`.",
            )
        return numbers

    def _parameters(self, count: int, effort: int, selector: faiss.IDSelector | None) -> Any:
        chosen: dict[str, Any] = {} if selector is None else {"sel": selector}
        kind = "SearchParameters"
        if isinstance(self._inner, faiss.IndexIVF):
            kind, chosen["nprobe"] = "SearchParametersIVF", min(effort, self.clusters)
        elif isinstance(self._inner, faiss.IndexHNSW):
            kind, chosen["efSearch"] = "SearchParametersHNSW", max(effort, count)
        if not chosen:
            return None
        # FAISS's own type stubs know only some of these, and not what they take.
        parameters = getattr(faiss, kind)(**chosen)
        if isinstance(faiss.downcast_index(self._index), faiss.IndexPreTransform):
            transformed: Any = faiss.SearchParametersPreTransform
            return transformed(index_params=parameters)
        return parameters


def _neighbours(graph: Any) -> int:
    return int(graph.hnsw.nb_neighbors(0))


@contextmanager
def one_thread() -> Iterator[None]:
    """FAISS computes in this thread alone."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


@contextmanager
def _refusals(structure: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise ConfigError(
            f"index.structure: {structure!r} cannot be built from these vectors",
            why=faiss_reason(error),
            hint='Choose another, or "auto".',
        ) from error
