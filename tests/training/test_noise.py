from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.training.noise import infilling, shuffled, span_corruption

SENTINELS = np.arange(1000, 1100)
MASK = 4
texts = st.lists(st.integers(5, 999), min_size=1, max_size=300).map(lambda ids: np.array(ids, dtype=np.int64))
seeds = st.integers(0, 2**32)


def t5(ids, seed=0, rate=0.15, mean_span=3.0, sentinels=SENTINELS):
    rng = np.random.default_rng(seed)
    return span_corruption(ids, rate=rate, mean_span=mean_span, sentinels=sentinels, rng=rng)


def bart(ids, seed=0, rate=0.3, mean_span=3.0):
    return infilling(ids, rate=rate, mean_span=mean_span, mask_id=MASK, rng=np.random.default_rng(seed))


def restored(source, target, sentinels=SENTINELS) -> list[int]:
    """The text again: each sentinel of the source replaced by what stands behind it in the target."""
    places = np.flatnonzero(np.isin(target, sentinels))
    spans = {target[start]: target[start + 1 : stop] for start, stop in pairwise(places)}
    text = []
    for token in source.tolist():
        text += spans[token].tolist() if token in spans else [token]
    return text


@given(texts, seeds, st.floats(0.01, 0.99), st.floats(1, 10))
def test_source_and_target_give_the_text_again(ids, seed, rate, mean_span):
    source, target = t5(ids, seed, rate, mean_span)
    assert source.dtype == target.dtype == np.int64
    assert restored(source, target) == ids.tolist()


@given(texts, seeds, st.floats(0.01, 0.99), st.floats(1, 10))
def test_sentinels_are_in_order_and_apart(ids, seed, rate, mean_span):
    source, target = t5(ids, seed, rate, mean_span)
    used = source[np.isin(source, SENTINELS)]
    spans = len(used)
    assert spans >= 1
    assert used.tolist() == SENTINELS[:spans].tolist()
    # One more at the end of the target, where nothing follows it.
    assert target[np.isin(target, SENTINELS)].tolist() == SENTINELS[: spans + 1].tolist()
    assert target[0] == SENTINELS[0]
    assert target[-1] == SENTINELS[spans]
    # No two spans touch, and none is empty.
    assert (np.diff(np.flatnonzero(np.isin(source, SENTINELS))) > 1).all()
    assert (np.diff(np.flatnonzero(np.isin(target, SENTINELS))) > 1).all()
    # What is taken is gone: both together are the text and the sentinels.
    assert len(source) + len(target) == len(ids) + 2 * spans + 1


def test_t5s_rate_and_spans_on_half_a_million_tokens():
    ids = np.arange(500) + 2000
    taken = spans = 0
    lengths: list[int] = []
    for seed in range(1000):
        _, target = t5(ids, seed)
        places = np.flatnonzero(np.isin(target, SENTINELS))
        spans += len(places) - 1
        taken += len(target) - len(places)
        lengths += (np.diff(places) - 1).tolist()
    assert taken / 500_000 == pytest.approx(0.15, abs=0.0005)
    assert np.mean(lengths) == pytest.approx(3, abs=0.02)
    assert min(lengths) == 1
    assert max(lengths) > 10
    # Every way to cut n tokens into k spans is as likely: nearly geometric.
    assert np.mean(np.array(lengths) == 1) == pytest.approx(1 / 3, abs=0.02)


def test_places_are_taken_evenly():
    ids = np.arange(60) + 2000
    taken = np.zeros(60)
    for seed in range(4000):
        _, target = t5(ids, seed)
        taken[target[~np.isin(target, SENTINELS)] - 2000] += 1
    assert taken[2:-2] / 4000 == pytest.approx(np.full(56, 0.15), abs=0.03)
    # Only a span that begins or ends there takes the first token or the last.
    assert taken.min() / 4000 > 0.05


@pytest.mark.parametrize("size", [7, 10, 33])
def test_the_rate_holds_for_short_texts(size):
    ids = np.arange(size) + 2000
    for corrupted, rate in ((lambda seed: len(ids) - (t5(ids, seed)[0] >= 2000).sum(), 0.15),
                            (lambda seed: len(ids) - (bart(ids, seed) >= 2000).sum(), 0.3)):  # fmt: skip
        taken = np.mean([corrupted(seed) for seed in range(3000)])
        assert taken / size == pytest.approx(rate, abs=0.01)


def test_a_text_of_one_token():
    source, target = t5(np.array([7]))
    assert source.tolist() == [1000]
    assert target.tolist() == [1000, 7, 1001]
    assert bart(np.array([7])).tolist() == [MASK]


def test_a_text_too_long_for_the_sentinels_has_longer_spans():
    ids = np.random.default_rng(0).integers(5, 999, 5000)
    source, target = t5(ids)
    assert restored(source, target) == ids.tolist()
    assert np.isin(source, SENTINELS).sum() == 99
    assert (~np.isin(target, SENTINELS)).sum() == pytest.approx(750, abs=1)


@given(texts, seeds, st.floats(0.01, 0.99), st.floats(0.1, 10))
def test_infilling_leaves_the_rest_in_its_order(ids, seed, rate, mean_span):
    numbered = np.arange(len(ids)) + 5
    filled = bart(numbered, seed, rate, mean_span)
    left = filled[filled != MASK]
    assert (np.diff(left) > 0).all()
    assert (filled == MASK).any()
    assert len(filled) <= len(ids)
    assert len(left) < len(ids)
    assert len(left) >= (1 - rate) * len(ids) - 1


def test_barts_rate_and_spans_on_half_a_million_tokens():
    ids = np.arange(500) + 5
    taken = 0
    lengths: list[int] = []
    for seed in range(1000):
        filled = bart(ids, seed)
        taken += 500 - (filled != MASK).sum()
        # How many tokens each single mask stands for.
        masks = np.flatnonzero(filled == MASK)
        alone = [mask for mask in masks if 0 < mask < len(filled) - 1 and MASK not in filled[[mask - 1, mask + 1]]]
        lengths += [int(filled[mask + 1] - filled[mask - 1] - 1) for mask in alone]
    assert taken / 500_000 == pytest.approx(0.3, abs=0.0005)
    # Poisson(3): the mean, the share of zeros, the spread. Spans next to each other are left out, no matter how long.
    assert np.mean(lengths) == pytest.approx(3, abs=0.05)
    assert np.mean(np.array(lengths) == 0) == pytest.approx(np.exp(-3), abs=0.01)
    assert np.var(lengths) == pytest.approx(3, abs=0.15)


def test_sentences_are_shuffled_as_wholes():
    sentences = [np.array([1, 2]), np.array([3]), np.array([4, 5, 6])]
    orders = {tuple(shuffled(sentences, np.random.default_rng(seed)).tolist()) for seed in range(100)}
    assert orders == {
        (1, 2, 3, 4, 5, 6), (1, 2, 4, 5, 6, 3), (3, 1, 2, 4, 5, 6),
        (3, 4, 5, 6, 1, 2), (4, 5, 6, 1, 2, 3), (4, 5, 6, 3, 1, 2),
    }  # fmt: skip


def test_the_same_seed_gives_the_same():
    ids = np.arange(100) + 5
    assert all((one == other).all() for one, other in zip(t5(ids, 1), t5(ids, 1), strict=True))
    assert (bart(ids, 1) == bart(ids, 1)).all()
    assert bart(ids, 1).tolist() != bart(ids, 2).tolist()
