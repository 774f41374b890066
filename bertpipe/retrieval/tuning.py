"""How hard to look through the codes: the least effort that finds what comparing every vector finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np

from bertpipe.retrieval.codes import BLOCK, Codes
from bertpipe.retrieval.structure import FLAT, REFINED, choose_structures
from bertpipe.retrieval.vectors import Effort, VectorIndex, single_vectors
from bertpipe.tasks.bootstrap import bootstrap_interval

CUT = 10
FEWEST_QUERIES = 100
"""With fewer real queries, passages stand in for them."""
MOST_QUERIES = 1000

# Scores of equal vectors differ by so much at most, because sums are rounded.
_SAME = 1e-6
# Of a graph; with more it is no faster than comparing every vector.
_MOST_IN_SIGHT = 4096
_REFINE = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)


@dataclass(frozen=True)
class Recall:
    """The share of the ten nearest passages that is found, with its 95% interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Tuned:
    """An index with the effort it needs.

    Attributes:
        index: The index.
        recall: Of its ten hits against comparing every vector; None where it does that itself.
        reached: The interval of the recall lies above the target.
        report: All of this as JSON values; see ``docs/report.md``.
    """

    index: VectorIndex
    recall: Recall | None
    reached: bool
    report: dict[str, Any]


@dataclass(frozen=True)
class _Sample:
    """What recall is measured with.

    Attributes:
        kind: What the queries are.
        queries: float32 (Q, D).
        exclude: int64 (Q,), the passages that the queries are themselves; None if they are real queries.
        nearest: int64 (Q, 10), by comparing every vector.
    """

    kind: str
    queries: np.ndarray
    exclude: np.ndarray | None
    nearest: np.ndarray

    @classmethod
    def draw(cls, vectors: np.ndarray, queries: np.ndarray) -> _Sample:
        kind, exclude = "held-out queries", None
        chosen = queries[:MOST_QUERIES]
        if len(queries) < FEWEST_QUERIES:
            kind = "passages"
            exclude = np.unique(np.linspace(0, len(vectors) - 1, min(MOST_QUERIES, len(vectors))).astype(np.int64))
            chosen = vectors[exclude]
        asked = np.ascontiguousarray(chosen, dtype=np.float32)
        count = max(1, min(CUT, len(vectors) - 1))
        scores, nearest = _scored_nearest(vectors, asked, count + 1, exclude)
        # Where the tenth is as near as the eleventh, as copies of one text are, any of them is right, and which one is
        # found says nothing.
        clear = scores[:, count - 1] > scores[:, count] + _SAME
        kept = clear if clear.any() else np.ones(len(asked), dtype=bool)
        return cls(kind, asked[kept], exclude if exclude is None else exclude[kept], nearest[kept, :count])


def build_tuned(
    vectors: np.ndarray,
    queries: Callable[[], np.ndarray],
    *,
    structure: str = "auto",
    memory_mb: int = 1000,
    target: float = 0.95,
    seed: int = 0,
    parts: int = 1,
    trained: Codes | None = None,
) -> Tuned:
    """Builds the cheapest index that reaches a recall on these very vectors.

    Args:
        vectors: As for `VectorIndex`.
        queries: Makes float32 (Q, D), vectors of real queries; with fewer than `FEWEST_QUERIES`, passages stand in for
            them. Not called where nothing is to be measured.
        structure: A FAISS factory string, or "auto": see `choose_structures`.
        memory_mb: Megabytes that codes may take; only "auto" heeds it.
        target: Recall@10 to reach, up to 1.
        seed: Of the bootstrap.
        parts: Vectors of a passage; recall is that of the nearest vectors.
        trained: Codes that an earlier index trained (`Codes.emptied`); used if they are of the structure that is tried.

    Returns:
        The index. Of a structure that was named and does not reach the target, the one with the most effort; "auto"
        goes on to a better structure, and at last to comparing every vector.

    Raises:
        ConfigError: The structure does not fit the vectors.
        ValueError: A value is not finite.
    """
    single = single_vectors(vectors, parts)
    names = choose_structures(len(single), single.shape[1], memory_mb) if structure == "auto" else [structure]
    sample: _Sample | None = None
    tried: list[dict[str, Any]] = []
    for name in names:
        known = trained if trained is not None and trained.structure == name.removesuffix(REFINED) else None
        index = VectorIndex.build(vectors, name, parts=parts, trained=known)
        if index.codes is None:
            break
        sample = sample or _Sample.draw(single, queries())
        effort, recall = tune(
            index.codes, sample.queries, sample.nearest, target=target, seed=seed, exclude=sample.exclude
        )
        reached = recall.low >= target
        tried.append({"name": name, "probes": effort.probes, "refine": effort.refine, "recall@10": _rounded(recall)})
        if reached or name == names[-1]:
            report = {
                **tried.pop(),
                "target": target,
                "reached": reached,
                "measured_on": sample.kind,
                "queries": len(sample.queries),
                "codes_mb": _codes_mb(index.codes),
                "tried": tried,
            }
            return Tuned(index.with_effort(effort), recall, reached, report)
    report = {"name": FLAT, "exact": True, "target": target, "reached": True, "tried": tried}
    return Tuned(index, None, True, report)


def tune(
    codes: Codes,
    queries: np.ndarray,
    nearest: np.ndarray,
    *,
    target: float,
    seed: int,
    exclude: np.ndarray | None = None,
) -> tuple[Effort, Recall]:
    """The cheapest effort whose recall is surely above the target: the lower end of its interval is.

    The mean alone would not do: the cheapest of many efforts whose mean is above the target has been lucky with these
    queries. What is cheap is reckoned in bytes that a search reads, not timed, so that the choice can be repeated.

    Args:
        codes: Filled.
        queries: float32 (Q, D).
        nearest: int64 (Q, 10), the nearest passages indeed.
        target: Recall@10.
        seed: Of the bootstrap.
        exclude: int64 (Q,), for each query a passage that does not count, itself.

    Returns:
        The effort and its recall; the ones with the best mean if none reaches the target.
    """
    count = min(CUT * _REFINE[-1], len(codes))
    row = 4 * 4 * codes.width  # bytes of a vector, four times: it lies somewhere in a file
    cheapest: tuple[float, Effort, Recall] | None = None
    best: tuple[float, Effort, np.ndarray] | None = None
    for probes in _efforts(codes):
        if cheapest is not None and codes.cost(probes) >= cheapest[0]:
            break
        # A graph proposes no more than it keeps in sight.
        seen = count if codes.clusters or not probes else min(count, probes)
        proposed = codes.propose(queries, seen + (exclude is not None), probes)
        found = _places_found(proposed, nearest, exclude)  # (Q, 10): at which place each of the nearest is proposed
        for refine in (refine for refine in _REFINE if refine == 1 or CUT * refine <= seen):
            cost, effort = codes.cost(probes) + CUT * refine * row, Effort(probes, refine)
            recalls = (found < CUT * refine).mean(axis=1)
            if best is None or recalls.mean() > best[2].mean():
                best = cost, effort, recalls
            if recalls.mean() >= target and (cheapest is None or cost < cheapest[0]):
                recall = _recall(recalls, seed)
                if recall.low >= target:
                    cheapest = cost, effort, recall
    if cheapest is not None:
        return cheapest[1], cheapest[2]
    assert best is not None  # there is always one effort to try
    return best[1], _recall(best[2], seed)


def exact_nearest(vectors: np.ndarray, queries: np.ndarray, k: int, exclude: np.ndarray | None = None) -> np.ndarray:
    """The nearest passages by comparing every vector, many queries at a time.

    Args:
        vectors: float32 (N, D).
        queries: float32 (Q, D).
        k: How many.
        exclude: int64 (Q,), for each query a passage that does not count.

    Returns:
        int64 (Q, k), best first; -1 where there are no more.
    """
    return _scored_nearest(vectors, queries, k, exclude)[1]


def _scored_nearest(
    vectors: np.ndarray, queries: np.ndarray, k: int, exclude: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """As `exact_nearest`, with the scores before: float32 (Q, k), minus infinity where there are no more."""
    heap = faiss.ResultHeap(len(queries), k, keep_max=True)
    for start in range(0, len(vectors), BLOCK):
        block = np.ascontiguousarray(vectors[start : start + BLOCK])
        scores, numbers = faiss.knn(
            queries, block, min(k + (exclude is not None), len(block)), metric=faiss.METRIC_INNER_PRODUCT
        )
        numbers += start
        if exclude is not None:
            scores[numbers == exclude[:, None]] = -np.inf
        heap.add_result(scores, numbers)
    heap.finalize()
    return heap.D, np.where(np.isneginf(heap.D), -1, heap.I)


def _efforts(codes: Codes) -> Iterator[int]:
    """Efforts to try: by halves and thirds of powers of two, up to all there is."""
    most = codes.most_effort
    if not most:
        yield 0
        return
    effort, limit = (1, most) if codes.clusters else (min(16, most), min(most, _MOST_IN_SIGHT))
    while effort < limit:
        yield effort
        half_more = effort + effort // 2
        if effort < half_more < limit:
            yield half_more
        effort *= 2
    yield limit


def _places_found(proposed: np.ndarray, nearest: np.ndarray, exclude: np.ndarray | None) -> np.ndarray:
    """The place (from 0) at which each of the nearest passages is proposed; a large number where it is not."""
    places = np.full(nearest.shape, np.iinfo(np.int64).max)
    for row, (these, those) in enumerate(zip(proposed, nearest, strict=True)):
        kept = these if exclude is None else these[these != exclude[row]]
        order = np.argsort(kept, kind="stable")
        at = np.searchsorted(kept, those, sorter=order).clip(max=len(kept) - 1)
        hit = kept[order[at]] == those
        places[row, hit] = order[at][hit]
    return places


def _recall(recalls: np.ndarray, seed: int) -> Recall:
    low, high = bootstrap_interval(recalls, seed)
    return Recall(float(recalls.mean()), low, high)


def _rounded(recall: Recall) -> dict[str, float]:
    return {"mean": round(recall.mean, 4), "low": round(recall.low, 4), "high": round(recall.high, 4)}


def _codes_mb(codes: Codes) -> float:
    return round((len(codes) * (codes.code_bytes + 8) + 4 * codes.clusters * codes.width) / 1e6, 1)
