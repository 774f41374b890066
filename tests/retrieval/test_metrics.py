import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.retrieval.metrics import ndcg, rank, recall, reciprocal_rank


def test_ndcg_by_hand():
    # Relevant at ranks 2 and 4 of three relevant ones.
    gained = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(["x", "a", "y", "b", "c"], {"a", "b", "c"}, 4) == pytest.approx(gained / ideal)


def test_ndcg_by_hand_with_grades():
    # The example of https://en.wikipedia.org/wiki/Discounted_cumulative_gain, with two more relevant documents.
    grades = {1: 3, 2: 2, 3: 3, 4: 0, 5: 1, 6: 2, 7: 3, 8: 2}
    assert ndcg([1, 2, 3, 4, 5, 6], grades, 6) == pytest.approx(6.861 / 8.740, abs=1e-4)


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [([1, 2, 3], (1.0, 1.0, 1.0)), ([9, 1], (1 / math.log2(3), 0.5, 1.0)), ([9, 8, 1], (0, 0, 0)), ([], (0, 0, 0))],
)
def test_one_relevant_id(ranking, expected):
    found = ndcg(ranking, {1}, 2), reciprocal_rank(ranking, {1}, 2), recall(ranking, {1}, 2)
    assert found == pytest.approx(expected)


def test_recall_counts_the_relevant_ids():
    assert recall([1, 2, 3, 4], {1, 3, 7, 8}, 3) == 0.5
    assert reciprocal_rank([5, 3, 1], {1, 3}, 10) == 0.5


@given(st.permutations(range(8)), st.dictionaries(st.integers(0, 9), st.integers(0, 4)), st.integers(1, 10))
def test_ndcg_lies_between_nothing_and_the_ideal(ranking, grades, k):
    grades |= {11: 1}
    ideal = sorted(grades, key=grades.get, reverse=True)
    assert ndcg(ideal, grades, k) == pytest.approx(1)
    assert 0 <= ndcg(ranking, grades, k) <= 1 + 1e-12


@pytest.mark.parametrize("metric", [ndcg, reciprocal_rank, recall])
def test_what_cannot_be_measured_is_refused(metric):
    with pytest.raises(ValueError, match="nothing is relevant"):
        metric([1, 2], set(), 10)
    with pytest.raises(ValueError, match="twice"):
        metric([1, 2, 1], {1}, 10)
    with pytest.raises(ValueError, match="k = 0"):
        metric([1, 2], {1}, 0)


@pytest.mark.parametrize(("grades", "why"), [({1: -1}, "negative"), ({1: math.nan}, "not finite"), ({1: 0}, "nothing")])
def test_bad_grades_are_refused(grades, why):
    with pytest.raises(ValueError, match=why):
        ndcg([1], grades, 10)


def test_rank_orders_by_score_then_id():
    assert rank([5, 3, 9, 1], np.array([0.5, 2.0, 2.0, 0.5], dtype=np.float32)) == [3, 9, 1, 5]
    assert rank([5, 3, 9], np.array([0.0, 1.0, 2.0]), 2) == [9, 3]
    assert rank([], np.array([])) == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match=r"1 of 3 scores are not finite \(number 1"):
        rank([1, 2, 3], np.array([1.0, bad, 0.0]))


def test_rank_needs_a_score_for_each_id():
    with pytest.raises(ValueError, match="do not fit"):
        rank([1, 2], np.array([1.0]))


@pytest.mark.peer
def test_ndcg_agrees_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(8)
    for _ in range(50):
        grades, scores = generator.integers(0, 4, 30), generator.permutation(30).astype(float)
        if grades.any():
            ranking = rank(np.arange(30), scores)
            found = ndcg(ranking, dict(enumerate(grades.tolist())), 10)
            assert found == pytest.approx(metrics.ndcg_score([grades], [scores], k=10))
