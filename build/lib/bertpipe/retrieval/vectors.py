"""Vectors of passages in FAISS: exact inner-product search."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np

from bertpipe.errors import ArtefactError


class VectorIndex:
    """The nearest passages to a query's vector.

    Args:
        index: A FAISS index over vectors of length 1 with the inner product; ids are passage numbers.
    """

    def __init__(self, index: faiss.IndexFlat) -> None:
        self._index = index
        # A view of the vectors inside FAISS: scores of given passages need no second copy.
        self._vectors = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(index.ntotal, index.d)

    @classmethod
    def build(cls, vectors: np.ndarray) -> VectorIndex:
        """Indexes vectors; row n is passage number n.

        Args:
            vectors: float32 (N, D), of length 1.

        Raises:
            ValueError: A value is not finite. A NaN compares false with everything, so a broken encoder would look
                like perfect recall.
        """
        block = 1 << 16
        index = faiss.IndexFlatIP(vectors.shape[1])
        for start in range(0, len(vectors), block):
            part = np.ascontiguousarray(vectors[start : start + block], dtype=np.float32)
            if not np.isfinite(part).all():
                raise ValueError("a passage's vector is not finite")
            index.add(part)
        return cls(index)

    def save(self, path: Path) -> None:
        """Writes the index.

        Raises:
            OSError: The disk refused. FAISS's own way to files does not notice when the last bytes find no room.
        """
        with path.open("wb") as file:
            faiss.write_index(self._index, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]

    @classmethod
    def open(cls, path: Path) -> VectorIndex:
        """Opens what `save` wrote.

        Raises:
            ArtefactError: The file is missing or damaged.
        """
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise ArtefactError(f"{path} is missing or damaged", why=str(error).splitlines()[0]) from error
        if not isinstance(index, faiss.IndexFlat):
            raise ArtefactError(f"{path} is not an index of ours", why=f"it is a {type(index).__name__}")
        return cls(index)

    def __len__(self) -> int:
        return self._index.ntotal

    @property
    def width(self) -> int:
        """D."""
        return self._index.d

    def search(self, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest passages.

        Args:
            query: float32 (D,).
            k: At most how many.

        Returns:
            Passage numbers int64 and scores float32, best first.
        """
        k = min(k, len(self))
        if k <= 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        scores, numbers = self._index.search(np.ascontiguousarray(query[None], dtype=np.float32), k)
        return numbers[0], scores[0]

    def scores(self, query: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """The scores of given passages.

        Args:
            query: float32 (D,).
            numbers: int64 (C,).

        Returns:
            float32 (C,).
        """
        return self._vectors[numbers] @ query
