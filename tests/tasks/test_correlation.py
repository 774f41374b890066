import json
import math

import numpy as np
import pytest
from scipy import stats

from bertpipe.errors import InputError
from bertpipe.tasks.correlation import score_similarities


def test_by_hand():
    found = score_similarities([1, 2, 3, 4], [1, 2, 4, 3])
    # covariance 1.0, both variances 1.25
    assert found.scores["pearson"].value == pytest.approx(0.8)
    assert found.scores["spearman"].value == pytest.approx(0.8)
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: covariance 4.5 / 4, variances 4.5 / 4 and 5 / 4.
    found = score_similarities([0, 5, 5, 100], [1, 2, 3, 4])
    assert found.scores["spearman"].value == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert found.items == 4
    assert json.loads(json.dumps(found.as_json()))["scores"]["spearman"]["value"] == 0.9487


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_scipy_agrees(scale):
    generator = np.random.default_rng(1)
    for _ in range(20):
        gold = generator.integers(0, 6, 50).astype(float)  # many ties
        ours = (gold + generator.normal(size=50)).round(int(generator.integers(0, 3)))
        found = score_similarities(ours * scale, gold, resamples=0)
        assert found.scores["pearson"].value == pytest.approx(stats.pearsonr(ours, gold).statistic, abs=1e-12)
        assert found.scores["spearman"].value == pytest.approx(stats.spearmanr(ours, gold).statistic, abs=1e-12)


def test_the_interval_agrees_with_theory():
    generator = np.random.default_rng(2)
    gold = generator.normal(size=500)
    score = score_similarities(gold + generator.normal(size=500), gold).scores["pearson"]
    # Fisher's transformation
    expected = [math.tanh(math.atanh(score.value) + side * 1.96 / math.sqrt(497)) for side in (-1, 1)]
    assert score.interval == pytest.approx(expected, abs=0.02)


def test_predictions_that_tell_nothing_get_nothing():
    found = score_similarities([0.5, 0.5, 0.5], [1, 2, 3])
    assert {score.value for score in found.scores.values()} == {0.0}


def test_perfect_predictions():
    found = score_similarities([1, 2, 3, 5], [10, 20, 30, 50])
    assert found.scores["pearson"].value == pytest.approx(1)
    # Of two pairs, half of the resamples have one twice, and no correlation.
    assert score_similarities([1, 2], [1, 2]).scores["spearman"].value == pytest.approx(1)


@pytest.mark.parametrize(("ours", "gold"), [([], []), ([1], [1]), ([1, 2], [3, 3])])
def test_true_figures_without_a_correlation(ours, gold):
    with pytest.raises(InputError, match="pairs with different scores"):
        score_similarities(ours, gold)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_figures_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="1 of 2 predictions are not finite"):
        score_similarities([1, bad], [1, 2])
    with pytest.raises(ValueError, match="1 of 2 true figures are not finite"):
        score_similarities([1, 2], [bad, 2])
    with pytest.raises(ValueError, match="do not fit"):
        score_similarities([1, 2, 3], [1, 2])
