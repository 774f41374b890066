"""Dynamic masking: which tokens the masked language model has to guess (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

import numpy as np

from bertpipe.text.special_ids import SpecialIds

IGNORED = -100
# Of the chosen tokens: 80% become [MASK], 10% another piece, 10% stay.
MASK_SHARE, RANDOM_SHARE = 0.8, 0.1


def mask_tokens(
    input_ids: np.ndarray, vocab_size: int, special: SpecialIds, rate: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Chooses tokens at random and hides them.

    Special pieces are never chosen, and never put in another's place. At least one token of the batch is chosen, if
    there is any to choose.

    Args:
        input_ids: int64 (B, T).
        vocab_size: V.
        special: Ids of the special pieces.
        rate: Probability with which a token is chosen; BERT's is 0.15.
        rng: Randomness.

    Returns:
        The ids with some hidden, and the labels: the hidden ids, and -100 everywhere else. Both int64 (B, T).
    """
    ordinary = special.ordinary(vocab_size)
    candidates = ordinary[input_ids]
    draw = rng.random(input_ids.shape)
    chosen = candidates & (draw < rate)
    if not chosen.any() and candidates.any():
        chosen.flat[np.where(candidates, draw, 2.0).argmin()] = True
    kind = rng.random(input_ids.shape)
    masked = np.where(chosen & (kind < MASK_SHARE), special.mask, input_ids)
    pieces = np.flatnonzero(ordinary)
    other = pieces[rng.integers(len(pieces), size=input_ids.shape)]
    masked = np.where(chosen & (kind >= MASK_SHARE) & (kind < MASK_SHARE + RANDOM_SHARE), other, masked)
    return masked, np.where(chosen, input_ids, IGNORED)
