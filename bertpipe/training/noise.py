"""Text damaged on purpose, for an encoder-decoder to mend: T5's span corruption and BART's infilling.

Arrays in, arrays out. Whatever is random comes from the generator given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def span_corruption(
    ids: np.ndarray, *, rate: float, mean_span: float, sentinels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Takes spans out of a text, each for a sentinel (Raffel et al. 2020, section 3.1.4 and figure 2).

    ``The quick brown fox jumps`` may become ``The <0> fox <1>``, with the target ``<0> quick brown <1> jumps <2>``:
    each span behind its sentinel, and one more sentinel for the end. Spans are never next to each other, and at least
    one token is taken. Unlike in T5's published code, a text may begin with a span and need not end with one; its
    first and last tokens are taken less often than the others.

    Args:
        ids: The text, int64 (n,), n at least 1.
        rate: Share of tokens to take; T5's is 0.15.
        mean_span: Average length of a span, in tokens; T5's is 3.
        sentinels: Ids that no text has, in the order they are to be used; two at least. There are fewer spans than
            sentinels, so that a text which is too long for them has longer spans.
        rng: Randomness.

    Returns:
        The source and the target, int64 each.
    """
    taken = _share(len(ids), rate, rng)
    kept = len(ids) - taken
    spans = max(1, min(round(taken / mean_span), kept + 1, len(sentinels) - 1))
    lengths = _parts(taken, spans, 1, rng)
    # One token at least between two spans; none is needed before the first and behind the last.
    gaps = _parts(kept - (spans - 1), spans + 1, 0, rng)
    gaps[1:-1] += 1
    source, target = [], []
    place = 0
    for span in range(spans):
        start = place + gaps[span]
        source += [ids[place:start], sentinels[span : span + 1]]
        place = start + lengths[span]
        target += [sentinels[span : span + 1], ids[start:place]]
    source.append(ids[place:])
    target.append(sentinels[spans : spans + 1])
    return np.concatenate(source), np.concatenate(target)


def infilling(ids: np.ndarray, *, rate: float, mean_span: float, mask_id: int, rng: np.random.Generator) -> np.ndarray:
    """Puts one mask in the place of each of some spans, whatever their length (Lewis et al. 2020, section 2.2).

    Lengths are Poisson-distributed. A span of length 0 is a mask put in where nothing is missing. There are never more
    of those than there are tokens saved elsewhere: no text becomes longer.

    Args:
        ids: The text, int64 (n,), n at least 1.
        rate: Share of tokens to take, at least one; BART's is 0.3.
        mean_span: Average length of a span, in tokens; BART's is 3.
        mask_id: The mask.
        rng: Randomness.

    Returns:
        The text with its masks, int64 (m,), m at most n.
    """
    taken = _share(len(ids), rate, rng)
    lengths: list[int] = []
    inserted, left = 0, taken
    while left:
        length = min(left, int(rng.poisson(mean_span)))
        left -= length
        if length:
            lengths.append(length)
        else:
            inserted += 1
    inserted = min(inserted, taken - len(lengths))
    gaps = _parts(len(ids) - taken, len(lengths) + 1, 0, rng)
    mask = np.array([mask_id], dtype=ids.dtype)
    pieces = []
    place = 0
    for gap, length in zip(gaps, lengths, strict=False):
        pieces += [ids[place : place + gap], mask]
        place += gap + length
    filled = np.concatenate([*pieces, ids[place:]])
    return np.insert(filled, rng.integers(len(filled) + 1, size=inserted), mask_id)


def shuffled(sentences: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Sentences in random order, end to end (sentence permutation, Lewis et al. 2020, section 2.2)."""
    return np.concatenate([sentences[place] for place in rng.permutation(len(sentences))])


def _share(size: int, rate: float, rng: np.random.Generator) -> int:
    """A share of a number of tokens: right on average, however few they are, as long as it is at least one."""
    return min(size, max(1, int(size * rate + rng.random())))


def _parts(total: int, count: int, least: int, rng: np.random.Generator) -> np.ndarray:
    """Cuts a number into parts; every way of doing so is as likely: int64 (count,), none below ``least`` (0 or 1)."""
    places = total + (1 - least) * count - 1
    cuts = np.sort(rng.choice(places, count - 1, replace=False)) + 1
    return np.diff(cuts, prepend=0, append=places + 1) - (1 - least)
