import math

import numpy as np
import pytest
from scipy import stats

from bertpipe.tasks.bootstrap import bootstrap_interval, bootstrap_intervals, resampled_intervals


def test_the_interval_agrees_with_scipy():
    values = np.random.default_rng(1).beta(0.4, 0.6, 300)
    expected = stats.bootstrap(
        (values,), np.mean, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    low, high = bootstrap_interval(values, seed=3)
    assert (low, high) == pytest.approx(tuple(expected), abs=0.003)
    error = values.std() / math.sqrt(len(values))
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.05)


def test_the_interval_covers_the_true_mean_as_often_as_it_says():
    generator = np.random.default_rng(4)
    covered = 0
    for seed in range(300):
        low, high = bootstrap_interval(generator.exponential(size=100), seed, resamples=400)
        covered += low <= 1 <= high
    assert 0.88 < covered / 300 < 0.98


def test_paired_differences_are_surer_than_means():
    generator = np.random.default_rng(5)
    one = generator.uniform(size=200)
    other = one + generator.normal(0.02, 0.05, 200)
    low, high = bootstrap_interval(other - one, seed=0)
    assert 0 < low < high < 0.04
    assert bootstrap_interval(one, seed=0)[1] > bootstrap_interval(other, seed=0)[0]


def test_the_interval_is_a_function_of_values_and_seed(monkeypatch):
    values = np.random.default_rng(6).uniform(size=50)
    assert bootstrap_interval(values, 7) == bootstrap_interval(values.tolist(), 7)
    assert bootstrap_interval(values, 7) != bootstrap_interval(values, 8)
    assert bootstrap_interval([0.25] * 9, 0) == (0.25, 0.25)
    # Drawing in smaller blocks draws the same numbers.
    whole = bootstrap_interval(values, 7)
    monkeypatch.setattr("bertpipe.tasks.bootstrap._DRAWN_AT_ONCE", 500)
    assert bootstrap_interval(values, 7) == whole


def test_no_values_have_no_interval():
    with pytest.raises(ValueError, match="at least one value"):
        bootstrap_interval([], seed=0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match=r"1 of 2 values are not finite \(number 1"):
        bootstrap_interval([0.5, bad], seed=0)


def test_resampled_intervals_of_a_mean_are_those_of_the_mean():
    values = np.random.default_rng(8).normal(size=120)
    (interval,) = resampled_intervals(120, lambda taken: [values[taken].mean()], seed=1, resamples=4000)
    assert interval == pytest.approx(bootstrap_interval(values, seed=2), abs=0.02)


def test_resampled_intervals_of_a_ratio_agree_with_scipy():
    generator = np.random.default_rng(9)
    hits = generator.integers(0, 5, 150)
    found = hits + generator.integers(0, 3, 150)

    def ratio(a, b, axis=-1):
        return a.sum(axis) / b.sum(axis)

    expected = stats.bootstrap(
        (hits, found), ratio, paired=True, method="percentile", rng=np.random.default_rng(1), n_resamples=4000
    ).confidence_interval
    both = resampled_intervals(150, lambda taken: [ratio(hits[taken], found[taken]), 1.0], seed=3, resamples=4000)
    assert both[0] == pytest.approx(tuple(expected), abs=0.005)
    assert both[1] == (1.0, 1.0)
    assert both == resampled_intervals(150, lambda t: [ratio(hits[t], found[t]), 1.0], seed=3, resamples=4000)


def test_figures_that_resamples_do_not_define():
    def first_is(taken):
        return [1.0 if taken[0] else math.nan, math.nan if taken[0] else 1.0, math.nan]

    assert resampled_intervals(10, first_is, seed=0) == [(1.0, 1.0), None, None]
    assert resampled_intervals(10, lambda taken: [1.0, 2.0], seed=0, resamples=0) == [None, None]
    with pytest.raises(ValueError, match="infinite"):
        resampled_intervals(10, lambda taken: [math.inf], seed=0)
    with pytest.raises(ValueError, match="at least one item"):
        resampled_intervals(0, lambda taken: [1.0], seed=0)


@pytest.mark.parametrize("queries", [1, 7, 500])
def test_intervals_of_several_columns_are_those_of_each(queries):
    values = np.random.default_rng(5).random((queries, 3))
    found = bootstrap_intervals(values, seed=3, resamples=2000)
    expected = [bootstrap_interval(values[:, column], seed=3, resamples=2000) for column in range(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("values", [np.zeros((0, 2)), np.zeros((2, 0)), np.zeros(3), np.array([[0.0, np.nan]])])
def test_columns_that_cannot_be_resampled(values):
    with pytest.raises(ValueError, match=r"intervals need|not finite"):
        bootstrap_intervals(values, seed=0)
