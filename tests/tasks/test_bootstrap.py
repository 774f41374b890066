import math

import numpy as np
import pytest
from scipy import stats

from bertpipe.tasks.bootstrap import bootstrap_interval


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
