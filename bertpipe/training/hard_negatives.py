"""Passages that look right for a query and are not: what a text encoder learns most from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from bertpipe.models.encoder import TextEncoder
from bertpipe.models.like_length import like_length
from bertpipe.text.sequences import padded

BATCH_TOKENS, BLOCK = 8192, 1024
DEPTH = 50
"""Passages that are looked at for each query, of those nearest to its vector."""
KEPT = 16
"""Hard negatives that are kept for each query; training draws among them."""


@torch.inference_mode()
def encode_texts(
    encoder: TextEncoder,
    sequences: Sequence[Sequence[int]],
    *,
    pad_id: int,
    device: torch.device,
    bf16: bool,
    advance: Callable[[int], None],
) -> np.ndarray:
    """Vectors of texts.

    Args:
        encoder: Moved to the device.
        sequences: What it reads of each of N texts.
        pad_id: Id of the padding piece.
        device: Where to compute.
        bf16: In bfloat16 where that does no harm.
        advance: Told the number of texts done since the last call.

    Returns:
        float32 (N, D), of length 1.
    """
    was_training = encoder.training
    encoder.to(device).eval()
    vectors = np.empty((len(sequences), encoder.bert.config.width), dtype=np.float32)
    for batch in like_length([len(ids) for ids in sequences], BATCH_TOKENS):
        input_ids, attention_mask = padded([sequences[number] for number in batch], pad_id)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            rows = encoder(torch.from_numpy(input_ids).to(device), torch.from_numpy(attention_mask).to(device))
        vectors[batch] = rows.float().cpu().numpy()
        advance(len(batch))
    encoder.train(was_training)
    return vectors


def hard_negatives(
    queries: np.ndarray,
    passages: np.ndarray,
    own: np.ndarray,
    same_query: np.ndarray,
    by_words: Callable[[int], np.ndarray],
    below: float,
) -> np.ndarray:
    """The most misleading passages of each query: by vector and by words in turn.

    Args:
        queries: float32 (P, D), of length 1.
        passages: float32 (U, D), of length 1.
        own: int64 (P,), the passage that answers each query.
        same_query: int64 (P,), alike where the same is asked: what answers it once is never wrong for it.
        by_words: Passages that share words with a query, best first.
        below: A passage nearer to the query than this share of its own passage's cosine may well be right, and is left
            out (Moreira et al. 2024, "NV-Retriever", section 4.1, "TopK-PercPos").

    Returns:
        int64 (P, `KEPT`), numbers of passages; -1 where there are no more.
    """
    found = np.full((len(queries), KEPT), -1, dtype=np.int64)
    right_ones: dict[int, set[int]] = {}
    for asked, passage in zip(same_query.tolist(), own.tolist(), strict=True):
        right_ones.setdefault(asked, set()).add(passage)
    vectors = torch.from_numpy(passages)
    depth = min(DEPTH, len(passages))
    for start in range(0, len(queries), BLOCK):
        block = torch.from_numpy(queries[start : start + BLOCK])
        nearest = (block @ vectors.T).topk(depth, dim=1).indices.numpy()  # (B, DEPTH)
        for row, by_vector in enumerate(nearest):
            query = start + row
            # Of both lists in turn, so that neither kind of error goes unlearned.
            words = by_words(query)[:DEPTH]
            both = np.full(2 * max(len(by_vector), len(words)), -1, dtype=np.int64)
            both[0 : 2 * len(by_vector) : 2] = by_vector
            both[1 : 2 * len(words) : 2] = words
            known = right_ones[int(same_query[query])]
            several = dict.fromkeys(one for one in both[both >= 0].tolist() if one not in known)
            candidates = np.array(list(several), dtype=np.int64)
            cosine = passages[candidates] @ queries[query]
            right = float(passages[own[query]] @ queries[query])
            wrong = candidates[cosine < right * (below if right > 0 else 1)]
            found[query, : min(KEPT, len(wrong))] = wrong[:KEPT]
    return found
