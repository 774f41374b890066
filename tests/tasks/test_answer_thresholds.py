import numpy as np
import pytest

from bertpipe.tasks.answer_thresholds import POINTS, threshold_curve


def by_hand(scores, f1, answerable, threshold):
    return 100 * np.mean(
        [
            (gain if possible else 0.0) if score >= threshold else float(not possible)
            for score, gain, possible in zip(scores, f1, answerable, strict=True)
        ]
    )


@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_is_better_than_the_best(seed):
    rng = np.random.default_rng(seed)
    answerable = rng.random(60) < 0.5
    scores = np.round(np.clip(rng.random(60) * 0.7 + 0.3 * answerable, 0, 1), 1 if seed % 2 else 9)
    f1 = rng.random(60)
    curve = threshold_curve(scores, f1, answerable)
    assert curve.best.f1 == pytest.approx(by_hand(scores, f1, answerable, curve.best.threshold))
    for threshold in [*np.unique(scores), 0.0, 1.1]:
        assert curve.best.f1 >= by_hand(scores, f1, answerable, threshold) - 1e-9
    for point in curve.points:
        assert point.f1 == pytest.approx(by_hand(scores, f1, answerable, point.threshold))
        assert point.coverage == pytest.approx(np.mean(scores >= point.threshold))
    assert [point.coverage for point in curve.points] == sorted(point.coverage for point in curve.points)
    assert len(curve.points) <= POINTS


def test_without_unanswerable_questions_everything_is_answered():
    best = threshold_curve([0.9, 0.2], [1.0, 0.5], [True, True]).best
    assert (best.threshold, best.coverage, best.f1) == (0.0, 1.0, 75.0)


def test_where_nothing_can_be_answered_nothing_is():
    best = threshold_curve([0.9, 0.2], [0.0, 0.0], [False, False]).best
    assert (best.threshold, best.coverage, best.f1) == (1.0, 0.0, 100.0)


def test_one_question():
    assert threshold_curve([0.4], [1.0], [True]).best.f1 == 100


def test_figures_that_are_none():
    with pytest.raises(ValueError, match="finite"):
        threshold_curve([float("nan")], [1.0], [True])
    with pytest.raises(ValueError, match="question"):
        threshold_curve([], [], [])


def test_answers_that_are_worth_no_more_than_none_are_not_given():
    best = threshold_curve([0.9, 0.2, 0.8], [0.0, 0.0, 0.0], [True, False, True]).best
    assert best.coverage == 0
