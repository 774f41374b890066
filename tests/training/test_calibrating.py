import numpy as np
import pytest

from bertpipe.training.calibrating import best_threshold, calibrate


def drawn(count=4000, classes=4, seed=0):
    """Logits, and classes drawn with the probabilities that they say."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2.0, size=(count, classes))
    gumbel = rng.gumbel(size=logits.shape)
    return logits, (logits + gumbel).argmax(1), rng


def test_a_model_that_is_too_sure_is_cooled():
    logits, truth, _ = drawn()
    found = calibrate((3 * logits).astype(np.float32), truth)
    assert found["temperature"] == pytest.approx(3.0, rel=0.1)
    assert found["ece"] < 0.03 < 0.1 < found["ece_before"]


def test_each_of_several_labels_is_a_decision():
    logits, _, rng = drawn()
    truth = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.float64)
    found = calibrate(2 * logits, truth)
    assert found["temperature"] == pytest.approx(2.0, rel=0.1)
    assert found["ece"] < found["ece_before"]


def test_the_threshold_with_the_best_f1():
    logits = np.array([[-3.0, -1.0], [-0.5, -2.0], [-0.4, -4.0]])
    truth = np.array([[0, 0], [1, 0], [1, 0]])
    threshold = best_threshold(logits, truth)
    taken = 1 / (1 + np.exp(-logits)) > threshold
    assert (taken == truth).all()
    assert best_threshold(np.array([[5.0, -5.0]]), np.array([[1, 0]])) == 0.5
