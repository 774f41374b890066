"""Vectors of passages: the nearest by inner product.

```
vectors/vectors.npy       the vectors in full, mapped into memory
vectors/codes.faiss       what proposes passages; not there if every vector is compared (`bertpipe.retrieval.codes`)
vectors/structure.json    what the codes are, and how hard to look
```
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import faiss
import numpy as np

from bertpipe.errors import ArtefactError
from bertpipe.pipeline.sharing import share_file
from bertpipe.retrieval.codes import BLOCK, Codes, one_thread
from bertpipe.retrieval.structure import FLAT
from bertpipe.text.array_file import map_array, write_array

_VECTORS, _CODES, _SETTINGS = "vectors.npy", "codes.faiss", "structure.json"
# Reading a vector here and there costs more than reading it in a row.
_SCATTERED = 4


@dataclass(frozen=True)
class Effort:
    """How hard the codes are looked through.

    Attributes:
        probes: Clusters of an inverted file, or passages that a graph keeps in sight; 0 where there is nothing to set.
        refine: For each hit asked for, how many passages are proposed and scored by their full vectors.
    """

    probes: int = 0
    refine: int = 1


class VectorIndex:
    """The nearest passages to a query's vector. Scores are exact; which passages are seen may not be.

    Args:
        vectors: float32 (N, P x D), of length 1 at most; row n has the vectors of passage number n, side by side.
        codes: What proposes vectors; None compares every one, which is exact.
        effort: How hard to look through the codes.
        parts: P; a passage is as near as the nearest of its vectors.
    """

    def __init__(
        self, vectors: np.ndarray, codes: Codes | None = None, effort: Effort | None = None, parts: int = 1
    ) -> None:
        self._vectors = vectors
        self._codes = codes
        self.parts = parts
        self.effort = effort or Effort()

    @classmethod
    def build(
        cls, vectors: np.ndarray, structure: str = FLAT, *, parts: int = 1, trained: Codes | None = None
    ) -> VectorIndex:
        """Indexes vectors. The same vectors give the same index.

        Args:
            vectors: As for the class; may be mapped from a file, and is not copied then.
            structure: A FAISS factory string.
            parts: P.
            trained: Codes of this structure that `Codes.train` or `Codes.emptied` made, instead of training anew.

        Returns:
            The index, with the least effort: see `bertpipe.retrieval.tuning.tune`.

        Raises:
            ConfigError: The structure does not fit the vectors.
            ValueError: A value is not finite. A NaN compares false with everything, so a broken encoder would look
                like perfect recall.
        """
        full = np.ascontiguousarray(vectors, dtype=np.float32)
        for start in range(0, len(full), BLOCK):
            if not np.isfinite(full[start : start + BLOCK]).all():
                raise ValueError("a passage's vector is not finite")
        single = single_vectors(full, parts)
        codes = trained if trained is not None else Codes.train(single, structure)
        if codes is None:
            return cls(full, parts=parts)
        codes.add(single)
        return cls(full, codes, Effort(probes=min(1, codes.most_effort)), parts)

    def with_effort(self, effort: Effort) -> VectorIndex:
        """The same index, looked through with another effort."""
        return VectorIndex(self._vectors, self._codes, effort, self.parts)

    def with_vectors(self, vectors: np.ndarray) -> VectorIndex:
        """An index of other vectors of the same encoder: what was trained stays, and so does the effort.

        Args:
            vectors: As for `build`.
        """
        trained = self._codes.emptied() if self._codes is not None else None
        return VectorIndex.build(vectors, parts=self.parts, trained=trained).with_effort(self.effort)

    def save(self, path: Path, written: Path | None = None) -> None:
        """Writes the index.

        Args:
            path: A folder; it is made, and what an earlier index left in it is replaced.
            written: A file with the vectors as `ArrayFile` writes them, which nobody will write to any more: it is
                shared instead of writing another.

        Raises:
            OSError: The disk refused.
        """
        path.mkdir(exist_ok=True)
        (path / _CODES).unlink(missing_ok=True)
        (path / _VECTORS).unlink(missing_ok=True)  # it may be another artefact's too
        if written is not None:
            share_file(written, path / _VECTORS)
        else:
            write_array(path / _VECTORS, self._vectors)
        settings = {"structure": self.structure, **asdict(self.effort), "parts": self.parts}
        if self._codes is not None:
            self._codes.save(path / _CODES)
            settings["bytes"] = (path / _CODES).stat().st_size
        (path / _SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def open(cls, path: Path) -> VectorIndex:
        """Opens what `save` wrote, without reading the vectors: they stay on disk until a search needs them.

        Raises:
            ArtefactError: A file is missing or damaged.
        """
        settings_file, vectors_file, codes_file = path / _SETTINGS, path / _VECTORS, path / _CODES
        try:
            settings = json.loads(settings_file.read_text(encoding="utf-8"))
            structure, size = str(settings["structure"]), settings.get("bytes")
            effort, parts = Effort(int(settings["probes"]), int(settings["refine"])), int(settings.get("parts", 1))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ArtefactError(f"{settings_file} is missing or damaged", why=str(error)) from error
        try:
            vectors = map_array(vectors_file)
        except (OSError, ValueError, EOFError) as error:
            raise ArtefactError(f"{vectors_file} is missing or damaged", why=str(error)) from error
        if vectors.ndim != 2 or vectors.dtype != np.float32 or not vectors.flags.c_contiguous:
            raise ArtefactError(f"{vectors_file} is damaged", why="it is no float32 table")
        if parts < 1 or vectors.shape[1] % parts:
            raise ArtefactError(f"{settings_file} is damaged", why=f"{vectors.shape[1]} numbers are no {parts} vectors")
        if size is None:
            return cls(vectors, None, effort, parts)
        found = codes_file.stat().st_size if codes_file.is_file() else 0
        if found != size:
            raise ArtefactError(f"{codes_file} is missing or damaged", why=f"it has {found} of {size} bytes")
        codes = Codes.open(codes_file, structure)
        index = cls(vectors, codes, effort, parts)
        if (len(codes), codes.width) != (parts * len(index), index.width):
            raise ArtefactError(f"{codes_file} is damaged", why=f"its codes are not those of {vectors_file}")
        return index

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def width(self) -> int:
        """D."""
        return self._vectors.shape[1] // self.parts

    @property
    def vectors(self) -> np.ndarray:
        """The vectors themselves, float32 (N, P x D), not copied; row n has those of passage number n."""
        return self._vectors

    @property
    def structure(self) -> str:
        """The FAISS factory string."""
        return FLAT if self._codes is None else self._codes.structure

    @property
    def codes(self) -> Codes | None:
        """What proposes vectors; None where every one is compared."""
        return self._codes

    def search(self, query: np.ndarray, k: int, among: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The nearest passages.

        Args:
            query: float32 (D,).
            k: At most how many.
            among: bool (N,), the passages that may be found; all if left out. k are found wherever k may be.

        Returns:
            Passage numbers int64 and scores float32, best first.
        """
        allowed = len(self) if among is None else int(np.count_nonzero(among))
        k = min(k, allowed)
        if k <= 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        query = np.ascontiguousarray(query, dtype=np.float32)
        if allowed == len(self):
            among = None
        # One query gives other threads nothing to do but to wait for each other, in loops that take milliseconds.
        with one_thread():
            return self._nearest(query, k, among, allowed)

    def _nearest(
        self, query: np.ndarray, k: int, among: np.ndarray | None, allowed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        numbers = self._proposals(query, k, among, allowed)
        if numbers is not None:
            return _best(numbers, self.scores(query, numbers), k)
        if among is None:
            single = single_vectors(self._vectors, self.parts)
            found_scores, found = faiss.knn(query[None], single, k * self.parts, metric=faiss.METRIC_INNER_PRODUCT)
            if self.parts == 1:
                return _best(found[0], found_scores[0], k)
            # So many vectors are those of k passages at least, and the first of a passage's is its best.
            numbers, first = np.unique(found[0] // self.parts, return_index=True)
            return _best(numbers, found_scores[0][first], k)
        numbers = np.flatnonzero(among)
        scattered = _SCATTERED * allowed < len(self)
        if scattered:
            return _best(numbers, self.scores(query, numbers), k)
        every = single_vectors(self._vectors, self.parts) @ query
        return _best(numbers, self._of_nearest_parts(every)[numbers], k)

    def scores(self, query: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """The scores of given passages.

        Args:
            query: float32 (D,).
            numbers: int64 (C,).

        Returns:
            float32 (C,).

        Raises:
            IndexError: There is no such passage.
            ValueError: The query is of another width.
        """
        # Nothing below looks at bounds.
        if query.shape != (self.width,):
            raise ValueError(f"a query of shape {query.shape} among vectors of {self.width} numbers")
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise IndexError(f"there is no passage {numbers.min()} or {numbers.max()}, but 0 to {len(self) - 1}")
        rows = numbers if self.parts == 1 else (numbers[:, None] * self.parts + np.arange(self.parts)).ravel()
        rows, query = np.ascontiguousarray(rows, dtype=np.int64), np.ascontiguousarray(query, dtype=np.float32)
        scores = np.empty(len(rows), dtype=np.float32)
        # Reads the vectors where they are. Copying a thousand of them together first takes three times as long.
        pointers = map(faiss.swig_ptr, (scores, query, self._vectors, rows))
        with one_thread():
            faiss.fvec_inner_products_by_idx(*pointers, self.width, 1, len(rows))  # type: ignore[attr-defined]
        return self._of_nearest_parts(scores)

    def _of_nearest_parts(self, scores: np.ndarray) -> np.ndarray:
        """What passages score, (C,), by what their parts do, (C x P,)."""
        return scores if self.parts == 1 else scores.reshape(-1, self.parts).max(axis=1)

    def _proposals(self, query: np.ndarray, k: int, among: np.ndarray | None, allowed: int) -> np.ndarray | None:
        """Passages that hold the k nearest as far as the codes tell; None if every allowed vector is to be compared."""
        codes, count, parts = self._codes, k * self.parts * self.effort.refine, self.parts
        if codes is None or _SCATTERED * count >= allowed * parts:
            return None
        if among is not None and parts > 1:
            among = among.repeat(parts)
        # Where few passages are allowed, a cluster holds few of them: as many more are looked through.
        probes, most = min(-(-self.effort.probes * len(self) // allowed), codes.most_effort), codes.most_effort
        row = _SCATTERED * self._vectors.itemsize * self.width
        while codes.cost(probes) < allowed * parts * row:
            try:
                numbers = codes.propose(query[None], count, probes, among)[0]
            except NotImplementedError:
                return None
            numbers = numbers[numbers >= 0]
            if parts > 1:
                numbers = np.unique(numbers // parts)
            if len(numbers) >= k:
                return numbers
            if probes >= most:
                return None
            probes = min(4 * probes, most)
        return None


def single_vectors(vectors: np.ndarray, parts: int) -> np.ndarray:
    """Vectors one below the other.

    Args:
        vectors: float32 (N, P x D), contiguous.
        parts: P.

    Returns:
        float32 (N x P, D), not copied.
    """
    return vectors.reshape(len(vectors) * parts, vectors.shape[1] // parts)


def _best(numbers: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best, equal scores by number."""
    if k < len(scores):
        # All that tie with the last one are kept for now, or chance would choose among them.
        kept = scores >= np.partition(scores, len(scores) - k)[len(scores) - k]
        numbers, scores = numbers[kept], scores[kept]
    order = np.lexsort((numbers, -scores))[:k]
    return numbers[order], scores[order]
