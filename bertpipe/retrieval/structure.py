"""Which FAISS structure holds the vectors: chosen from their number, their width and a budget of memory.

Vectors lie on disk in full, so a structure only has to *propose* passages: their scores are then computed from the full
vectors. What a proposal costs is the memory that it runs through, hence short codes: 4-bit product quantization in
registers (Jégou et al. 2011; André et al. 2015) or one bit a dimension (RaBitQ, Gao and Long 2024), behind an inverted
file of clusters. Graphs (HNSW) find as fast, but take longer to build, which every ``bertpipe index`` does anew, and
several times the memory; they are there for ``index.structure`` to name. Figures are in ``benchmarks/RESULTS.md``.
"""

from __future__ import annotations

import re

import faiss

from bertpipe.errors import ConfigError

FLAT = "Flat"
"""Every vector is compared: exact."""

# As many numbers as a core reads in about two milliseconds: 26,000 vectors of width 384.
_FLAT_NUMBERS = 10_000_000
REFINED = ",RFlat"
"""What may stand at the end of a factory string and changes nothing: full vectors score whatever is proposed."""
_ID_BYTES = 8
_HINT = (
    'Set index.structure to "auto", "Flat", or a factory string of FAISS such as "IVF1024,PQ64x4fs" or "HNSW32,SQ8".'
)


def choose_structures(passages: int, width: int, memory_mb: int) -> list[str]:
    """The structures to try, cheapest first; the last one is exact.

    Args:
        passages: N.
        width: D.
        memory_mb: Megabytes that the codes may take in memory.

    Returns:
        FAISS factory strings. Flat alone where there is so little that nothing is faster; else those that fit the
        memory, or the smallest if none does, then flat, whose vectors stay on disk.
    """
    if passages * width <= _FLAT_NUMBERS:
        return [FLAT]
    lists = cluster_count(passages)
    # The longest codes that fit come first: memory is there to be used, and they need the fewest full vectors.
    quantized = [f"PQ{width // 2}x4fs"] if width % 2 == 0 else []
    codes = [*quantized, "RaBitQfs"]
    sizes = {"RaBitQfs": -(-width // 8) + 8, f"PQ{width // 2}x4fs": -(-width // 4), "SQ8": width}

    def fits(code: str) -> bool:
        return passages * (sizes[code] + _ID_BYTES) + 4 * lists * width <= memory_mb * 1_000_000

    chosen = [code for code in codes if fits(code)][:1] or ["RaBitQfs"]
    if fits("SQ8"):
        chosen.append("SQ8")
    return [*(f"IVF{lists},{code}" for code in chosen), FLAT]


def cluster_count(passages: int) -> int:
    """How many clusters an inverted file gets: the power of two next to twice the square root of N.

    Fewer are quick to train, more leave less to look through; at a million passages both take seconds and microseconds.
    """
    lists = 1
    while 2 * lists * lists < 4 * passages:  # so that lists / sqrt(2) <= 2 sqrt(N) < lists * sqrt(2)
        lists *= 2
    return lists


def make_structure(name: str, passages: int, width: int) -> faiss.Index | None:
    """An empty structure.

    Args:
        name: A FAISS factory string.
        passages: N, which it will hold.
        width: D.

    Returns:
        The FAISS index, for the inner product; None if flat.

    Raises:
        ConfigError: FAISS knows no such structure, it does not fit the width, or there are too few vectors to train it.
    """
    name = name.removesuffix(REFINED)
    if name == FLAT:
        return None
    try:
        index = faiss.index_factory(width, name, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise ConfigError(
            f"index.structure: {name!r} cannot hold vectors of width {width}", why=faiss_reason(error), hint=_HINT
        ) from error
    inner = unwrapped(index)
    if isinstance(inner, faiss.IndexRefine | faiss.IndexIDMap):
        raise ConfigError(
            f"index.structure: {name!r} cannot be used",
            why="passages are numbered, and scored by their full vectors, whatever the structure",
            hint="Leave out IDMap and Refine.",
        )
    if isinstance(inner, faiss.IndexIVF):
        ask_for_few(inner)
    needed = _training_vectors(inner)
    if passages < needed:
        raise ConfigError(
            f"index.structure: {name!r} needs at least {needed:,} passages to be trained",
            why=f"there are {passages:,}",
            hint='Use fewer clusters or bits, or "auto".',
        )
    return index


def unwrapped(index: faiss.Index) -> faiss.Index:
    """The structure itself, without transformations of the vectors (PCA, OPQ, RR) before it."""
    index = faiss.downcast_index(index)
    while isinstance(index, faiss.IndexPreTransform):
        index = faiss.downcast_index(index.index)
    return index


def ask_for_few(inner: faiss.IndexIVF) -> None:
    """Lets the clustering take all vectors it is given, and be content with few without printing a warning."""
    inner.cp.min_points_per_centroid, inner.cp.max_points_per_centroid = 1, 1 << 30
    for quantizer in _product_quantizers(inner):
        quantizer.cp.min_points_per_centroid = 1


def faiss_reason(error: Exception) -> str:
    """What FAISS says in an exception, without the place in its source."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    found = re.search(r" at \S+:\d+: (?:Error: )?(.*)", text)
    return found.group(1) if found else text


def _product_quantizers(inner: faiss.Index) -> list[faiss.ProductQuantizer]:
    found = getattr(inner, "pq", None)
    return [found] if isinstance(found, faiss.ProductQuantizer) else []


def _training_vectors(inner: faiss.Index) -> int:
    clusters = inner.nlist if isinstance(inner, faiss.IndexIVF) else 0
    return max([clusters, *(quantizer.ksub for quantizer in _product_quantizers(inner))])
