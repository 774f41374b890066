import math

import numpy as np
import pytest
from scipy import special

from bertpipe.tasks.calibration import expected_calibration_error, fit_temperature, reliability


def drawn(temperature: float, items: int = 20_000, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from the probabilities that they give at a temperature."""
    generator = np.random.default_rng(1)
    logits = generator.normal(size=(items, classes)) * 4
    noise = generator.gumbel(size=logits.shape)
    return logits, (logits / temperature + noise).argmax(axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_labels_were_drawn_with_is_found(temperature):
    logits, labels = drawn(temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)
    found = special.softmax(logits / temperature, axis=1)
    sure, right = found.max(axis=1), found.argmax(axis=1) == labels
    assert expected_calibration_error(sure, right) < 0.015
    if temperature == 2.5:
        cold = special.softmax(logits, axis=1)
        assert expected_calibration_error(cold.max(axis=1), right) > 0.1


def test_the_temperature_of_labels_by_themselves():
    generator = np.random.default_rng(2)
    logits = generator.normal(size=(8000, 3)) * 5
    labels = generator.random(logits.shape) < special.expit(logits / 3)
    assert fit_temperature(logits, labels) == pytest.approx(3, rel=0.05)
    # Two classes by softmax are one decision by sigmoid of the difference.
    both = np.stack([np.zeros(8000), logits[:, 0]], axis=1)
    one = fit_temperature(logits[:, :1], labels[:, :1])
    assert fit_temperature(both, labels[:, 0].astype(int)) == pytest.approx(one, rel=1e-4)


def test_the_likelihood_is_greatest_there():
    logits, labels = drawn(1.7, items=300)

    def loss(temperature: float) -> float:
        return float(-special.log_softmax(logits / temperature, axis=1)[np.arange(300), labels].mean())

    best = fit_temperature(logits, labels)
    assert all(loss(best) <= loss(best * factor) for factor in (0.9, 0.99, 1.01, 1.1))


def test_where_there_is_nothing_to_learn_from():
    assert fit_temperature(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([0, 1])) == 1.0
    assert fit_temperature(np.array([[2.0, -1.0]]), np.array([[1, 0]])) == 1.0
    assert fit_temperature(np.array([[3.0]]), np.array([0])) == 1.0  # one class
    # Everything wrong: as unsure as it gets.
    assert fit_temperature(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([1, 0])) == pytest.approx(20, rel=0.01)


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.85, 0.55, 0.5, 1.0, 0.0])
    correct = np.array([True, False, True, False, True, False])
    bins = reliability(confidence, correct, bins=2)
    assert [(one.low, one.high, one.items) for one in bins] == [(0.0, 0.5, 2), (0.5, 1.0, 4)]  # 0.5 is in the first
    assert bins[0].confidence == 0.25
    assert bins[0].accuracy == 0.0
    assert bins[1].confidence == pytest.approx((0.95 + 0.85 + 0.55 + 1.0) / 4)
    assert bins[1].accuracy == 0.75
    expected = (2 * 0.25 + 4 * abs(0.75 - 3.35 / 4)) / 6
    assert expected_calibration_error(confidence, correct, bins=2) == pytest.approx(expected)
    assert expected_calibration_error(np.ones(3), np.ones(3, dtype=bool)) == 0.0
    assert expected_calibration_error(np.ones(3), np.zeros(3)) == 1.0


def test_fifteen_bins_by_a_loop():
    generator = np.random.default_rng(3)
    confidence, correct = generator.random(500).astype(np.float32), generator.random(500) < 0.6
    expected = 0.0
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean(dtype=np.float64))
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected, abs=1e-9)
    assert len(reliability(confidence, correct)) == 15


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_figures_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="1 of 2 logits are not finite"):
        fit_temperature(np.array([[bad, 0.0]]), np.array([0]))
    with pytest.raises(ValueError, match="1 of 2 confidences are not finite"):
        reliability(np.array([bad, 0.5]), np.array([True, True]))


def test_what_does_not_fit():
    logits = np.zeros((2, 3))
    for labels in (np.array([0, 3]), np.array([-100, 0])):
        with pytest.raises(ValueError, match="name none of 3 classes"):
            fit_temperature(logits, labels)
    with pytest.raises(ValueError, match="truth values"):
        fit_temperature(logits, np.full((2, 3), 0.5))
    for labels in (np.array([0]), np.array([0.5, 0.5])):
        with pytest.raises(ValueError, match="do not fit"):
            fit_temperature(logits, labels)
    with pytest.raises(ValueError, match="instead of"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=int))
    for confidence in ([1.1, 0.5], [-0.1, 0.5]):
        with pytest.raises(ValueError, match="no probability"):
            reliability(np.array(confidence), np.array([True, True]))
    with pytest.raises(ValueError, match="same length"):
        reliability(np.zeros(0), np.zeros(0, dtype=bool))
    assert reliability(np.array([1.0000001]), np.array([True]))[-1].items == 1
