import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bertpipe.retrieval.fusion import fuse
from bertpipe.retrieval.metrics import rank


def test_by_hand():
    bm25, dense = np.array([10.0, 0.0, 4.0]), np.array([0.2, 0.8, 0.5], dtype=np.float32)
    expected = 0.3 * dense / np.std([0.2, 0.8, 0.5]) + 0.7 * bm25 / np.std([10, 0, 4])
    np.testing.assert_allclose(fuse(bm25, dense, 0.3), expected, rtol=1e-6)


def test_the_ends_of_the_weight_are_the_sides_alone():
    generator = np.random.default_rng(0)
    bm25, dense = generator.exponential(size=50), generator.normal(size=50)
    assert np.array_equal(np.argsort(fuse(bm25, dense, 0)), np.argsort(bm25))
    assert np.array_equal(np.argsort(fuse(bm25, dense, 1)), np.argsort(dense))


def test_the_scale_of_a_side_does_not_matter():
    generator = np.random.default_rng(1)
    bm25, dense = generator.exponential(size=50), generator.normal(size=50)
    np.testing.assert_allclose(fuse(1000 * bm25, dense / 1000, 0.4), fuse(bm25, dense, 0.4))


@pytest.mark.parametrize("bm25", [np.zeros(4), np.full(4, 3.0), np.full(4, 0.1) + 1e-9 * np.arange(4)])
def test_a_side_without_an_opinion_has_no_say(bm25):
    dense = np.array([0.1, 0.4, 0.2, 0.4])
    fused = fuse(bm25, dense, 0.01)
    assert rank(range(4), fused) == [1, 3, 2, 0]
    assert fused[1] == fused[3]
    assert rank(range(4), fuse(dense, bm25, 0.99)) == [1, 3, 2, 0]


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_a_missing_side_leaves_the_order_to_the_other_whatever_the_weight(weight):
    generator = np.random.default_rng(2)
    bm25, dense, nothing = generator.exponential(size=9), generator.normal(size=9), np.zeros(9)
    no_word_matches = fuse(nothing, dense, weight)
    assert np.array_equal(np.argsort(-no_word_matches), np.argsort(-dense))
    no_word_is_known = fuse(bm25, nothing + 0.3, weight)
    assert np.array_equal(np.argsort(-no_word_is_known), np.argsort(-bm25))
    assert (fuse(nothing, nothing, weight) == 0).all()


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.75])
def test_the_only_passage_with_a_rare_word_comes_first(weight):
    """A name that no encoder has seen: its cosines are noise."""
    bm25, dense = np.zeros(150), np.random.default_rng(3).normal(0.5, 0.1, size=150)
    bm25[70] = 4.0
    assert fuse(bm25, dense, weight).argmax() == 70


def test_one_candidate_and_none():
    assert np.isfinite(fuse(np.array([3.0]), np.array([0.5]), 0.5)).all()
    assert fuse(np.empty(0), np.empty(0), 0.5).shape == (0,)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    fine, broken = np.array([1.0, 2.0]), np.array([1.0, bad])
    with pytest.raises(ValueError, match="second side are not finite"):
        fuse(fine, broken, 0.5)
    with pytest.raises(ValueError, match="first side are not finite"):
        fuse(broken, fine, 0.5)
    with pytest.raises(ValueError, match="first side are not finite"):
        fuse(np.array([bad, -bad]), fine, 0.5)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        fuse(np.zeros(2), np.zeros(3), 0.5)
    with pytest.raises(ValueError, match="not within"):
        fuse(np.zeros(2), np.zeros(2), 1.1)


FINITE = st.floats(-(2.0**100), 2.0**100, width=32)


@given(arrays(np.float32, 7, elements=FINITE), arrays(np.float32, 7, elements=FINITE), st.floats(0, 1))
def test_finite_scores_fuse_to_finite_scores(bm25, dense, weight):
    assert np.isfinite(fuse(bm25, dense, weight)).all()
