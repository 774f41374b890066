"""The co-occurrence warm start: token vectors from counting which pieces stand near each other.

The positive pointwise mutual information of pieces within a window, factorised by a truncated singular value
decomposition (Bullinaria and Levy 2012; Levy, Goldberg and Dagan 2015, sections 2.2 and 3.3). It takes seconds where
masked-language-model training takes hours to learn as much from a small corpus.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from bertpipe.text.special_ids import SpecialIds
from bertpipe.text.token_store import TokenStore


def cooccurrence_counts(tokens: np.ndarray, vocab_size: int, window: int) -> sparse.csr_array:
    """Counts pieces within ``window`` places of each other, nearer ones for more.

    A pair d places apart counts (window + 1 - d) / window (Levy et al. 2015, "dynamic context window").

    Args:
        tokens: (N,) piece ids.
        vocab_size: V.
        window: Places to each side.

    Returns:
        (V, V) float32, symmetric.
    """
    shape = (vocab_size, vocab_size)
    counts = sparse.csr_array(shape, dtype=np.float32)
    ids = tokens.astype(np.int64)
    block = 1 << 20  # bounds the memory of the sort that sums equal pairs
    for start in range(0, len(ids), block):
        part = ids[start : start + block + window]
        for distance in range(1, min(window, len(part) - 1) + 1):
            left = part[:-distance][:block]
            right = part[distance:][: len(left)]
            pairs, number = np.unique(left * vocab_size + right, return_counts=True)
            weight = number.astype(np.float32) * np.float32((window + 1 - distance) / window)
            counts = counts + sparse.csr_array((weight, (pairs // vocab_size, pairs % vocab_size)), shape=shape)
    return sparse.csr_array(counts + counts.T)


def positive_pmi(counts: sparse.csr_array, smoothing: float = 0.75) -> sparse.csr_array:
    """max(0, log p(a, b) / (p(a) p(b))), with context probabilities smoothed (Levy et al. 2015, equation 3).

    Args:
        counts: (V, V), symmetric.
        smoothing: Exponent of the context counts.

    Returns:
        (V, V) float32 of the same or a sparser pattern.
    """
    rows = np.asarray(counts.sum(axis=1)).ravel()
    context = rows**smoothing
    context = context / max(context.sum(), 1e-9)
    entries = counts.tocoo()
    value = np.log(entries.data / (rows[entries.row] * context[entries.col]))
    keep = value > 0
    coordinates = (entries.row[keep], entries.col[keep])
    return sparse.csr_array((value[keep].astype(np.float32), coordinates), shape=counts.shape)


def truncated_svd(matrix: sparse.csr_array, rank: int, seed: int, iterations: int = 2) -> tuple[Tensor, Tensor]:
    """The largest singular values of a sparse matrix and their left vectors (Halko et al. 2011, algorithms 4.4, 5.1).

    Both the matrix and its transpose are laid out by rows: PyTorch's own `svd_lowrank` multiplies by a transposed view,
    which takes ten times as long.

    Args:
        matrix: (V, V).
        rank: Number of singular values, at most V.
        seed: Of the random start.
        iterations: Power iterations.

    Returns:
        Left singular vectors (V, rank) and singular values (rank,), largest first.
    """
    forward, backward = _by_rows(matrix), _by_rows(matrix.T.tocsr())
    columns = min(rank + 32, matrix.shape[0])
    start = torch.randn(matrix.shape[0], columns, generator=torch.Generator().manual_seed(seed))
    basis = torch.linalg.qr(forward @ start).Q
    for _ in range(iterations):
        basis = torch.linalg.qr(forward @ torch.linalg.qr(backward @ basis).Q).Q
    small = backward @ basis  # (V, columns), the transpose of what is left of the matrix in the basis
    _, singular, right = torch.linalg.svd(small, full_matrices=False)
    return basis @ right.T[:, :rank], singular[:rank]


def _by_rows(matrix: sparse.csr_array) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int64)),
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.data),
            size=matrix.shape,
            check_invariants=True,
        )


def token_vectors(
    store: TokenStore,
    vocab_size: int,
    width: int,
    special: SpecialIds,
    *,
    window: int = 10,
    max_tokens: int = 8_000_000,
    seed: int = 0,
) -> Tensor:
    """Vectors for every piece of the vocabulary from the corpus's co-occurrences.

    Args:
        store: The corpus.
        vocab_size: V.
        width: D.
        special: Ids of the special pieces.
        window: Places to each side that count as near.
        max_tokens: Tokens to count; more add little.
        seed: Of the randomised decomposition and of the vectors of pieces that never occur.

    Returns:
        (V, D) float32. Rows have mean 0 and deviation 0.02 over their features, as BERT's own start has.
    """
    tokens = store.stream(max_tokens)
    matrix = positive_pmi(cooccurrence_counts(tokens, vocab_size, window))
    rank = min(width, vocab_size)
    left, singular = truncated_svd(matrix, rank, seed)
    noise = torch.randn(vocab_size, width, generator=torch.Generator().manual_seed(seed))
    vectors = torch.zeros(vocab_size, width)
    # U S^0.5 serves similarity better than U S (Levy et al. 2015, section 3.3, "eigenvalue weighting").
    vectors[:, :rank] = left * singular.sqrt()
    never = vectors.norm(dim=1) < 1e-6
    never[list(special.all)] = True
    vectors[never] = noise[never]
    vectors = vectors - vectors.mean(dim=1, keepdim=True)
    return vectors / vectors.std(dim=1, keepdim=True).clamp_min(1e-6) * 0.02


def inverse_document_frequencies(store: TokenStore, vocab_size: int, special: SpecialIds) -> Tensor:
    """log(1 + D / df) of every piece, from 0.01 for special pieces; the start of the pooling weights.

    Args:
        store: The corpus.
        vocab_size: V.
        special: Ids of the special pieces.

    Returns:
        (V,) float32, positive.
    """
    frequency = torch.from_numpy(store.document_frequencies(vocab_size)).float()
    weights = torch.log1p(store.num_documents / frequency.clamp_min(1.0))
    weights[list(special.all)] = 0.01
    return weights
