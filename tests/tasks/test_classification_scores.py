import json
import math
import warnings

import numpy as np
import pytest

from bertpipe.errors import InputError
from bertpipe.tasks.classification_scores import score_classes, score_label_sets
from bertpipe.tasks.f_measure import FMeasure

LABELS = ["bad", "fair", "good"]


def test_classes_by_hand():
    found = score_classes([0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0], LABELS)
    assert found.confusion.tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 2]]
    assert found.by_label["bad"] == FMeasure(0.5, 0.5, 0.5, 2)
    assert found.by_label["fair"] == pytest.approx((1.0, 0.5, 2 / 3, 2))
    assert found.by_label["good"] == pytest.approx((2 / 3, 1.0, 0.8, 2))
    scores = {name: score.value for name, score in found.scores.items()}
    assert scores["accuracy"] == scores["micro_f1"] == pytest.approx(4 / 6)
    assert scores["macro_f1"] == pytest.approx((0.5 + 2 / 3 + 0.8) / 3)
    # (c s - sum p t) / sqrt((s^2 - sum p^2)(s^2 - sum t^2)) with c = 4, s = 6, p = 2, 1, 3, t = 2, 2, 2
    assert scores["mcc"] == pytest.approx((24 - 12) / math.sqrt((36 - 14) * (36 - 12)))
    assert found.majority == pytest.approx(1 / 3)
    assert found.items == 6
    for name, score in found.scores.items():
        assert score.interval[0] < score.value < score.interval[1], name
    assert json.loads(json.dumps(found.as_json()))["scores"]["accuracy"]["value"] == 0.6667


def test_one_class_only_and_labels_that_never_occur():
    found = score_classes([1, 1], [1, 1], LABELS)
    assert {name: score.value for name, score in found.scores.items()} == {
        "accuracy": 1.0,
        "macro_f1": 1.0,
        "micro_f1": 1.0,
        "mcc": 0.0,
    }
    assert found.majority == 1.0
    # A label that is predicted and never true counts, one that neither is does not.
    assert score_classes([0, 1], [1, 1], LABELS).scores["macro_f1"].value == pytest.approx((0 + 2 / 3) / 2)


def test_label_sets_by_hand():
    predicted = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=bool)
    gold = np.array([[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 0, 0]])
    found = score_label_sets(predicted, gold, LABELS)
    scores = {name: score.value for name, score in found.scores.items()}
    assert scores["accuracy"] == 0.5
    assert scores["micro_f1"] == pytest.approx(2 * 1.0 * 0.6 / 1.6)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    assert found.confusion.tolist() == [[[2, 0], [1, 1]], [[3, 0], [0, 1]], [[2, 0], [1, 1]]]
    assert found.majority == 0.25
    assert score_label_sets(gold * 0, gold * 0, LABELS).scores["macro_f1"].value == 0.0


def test_the_interval_is_that_of_a_mean_for_accuracy():
    generator = np.random.default_rng(1)
    gold = generator.integers(0, 3, 400)
    predicted = np.where(generator.random(400) < 0.8, gold, generator.integers(0, 3, 400))
    score = score_classes(predicted, gold, LABELS).scores["accuracy"]
    error = math.sqrt(score.value * (1 - score.value) / 400)
    assert score.interval[1] - score.interval[0] == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert (
        score_classes(predicted, gold, LABELS, seed=5).scores["mcc"]
        == (score_classes(predicted.tolist(), gold.tolist(), LABELS, seed=5).scores["mcc"])
    )


def test_what_cannot_be_scored():
    with pytest.raises(InputError, match="nothing to score"):
        score_classes([], [], LABELS)
    with pytest.raises(InputError, match="nothing to score"):
        score_label_sets(np.zeros((0, 3)), np.zeros((0, 3)), LABELS)
    for predicted in ([3], [-1], [0.5], [[0]], [math.nan]):
        with pytest.raises(ValueError, match="predicted"):
            score_classes(predicted, [0], LABELS)
    with pytest.raises(ValueError, match="2 predictions do not fit 1 true labels"):
        score_classes([0, 1], [0], LABELS)
    with pytest.raises(ValueError, match="one column for each of 3 labels"):
        score_label_sets(np.zeros((1, 2)), np.zeros((1, 3)), LABELS)
    with pytest.raises(ValueError, match="something else than truth values"):
        score_label_sets(np.full((1, 3), 0.7), np.zeros((1, 3)), LABELS)


@pytest.mark.peer
@pytest.mark.parametrize("case", range(30))
def test_scikit_learn_agrees(case):
    metrics = pytest.importorskip("sklearn.metrics")
    warnings.filterwarnings("ignore", message="A single label was found")
    generator = np.random.default_rng(case)
    classes, items = int(generator.integers(1, 8)), int(generator.integers(1, 60))
    gold, predicted = generator.integers(0, classes, items), generator.integers(0, classes, items)
    predicted = np.where(generator.random(items) < 0.5, gold, predicted)
    found = score_classes(predicted, gold, [str(n) for n in range(classes)], resamples=0)
    scores = {name: score.value for name, score in found.scores.items()}
    assert scores["accuracy"] == pytest.approx(metrics.accuracy_score(gold, predicted), abs=1e-12)
    assert scores["mcc"] == pytest.approx(metrics.matthews_corrcoef(gold, predicted), abs=1e-12)
    for average in ("macro", "micro"):
        expected = metrics.f1_score(gold, predicted, average=average, zero_division=0)
        assert scores[f"{average}_f1"] == pytest.approx(expected, abs=1e-12)
    every = list(range(classes))
    assert (found.confusion == metrics.confusion_matrix(gold, predicted, labels=every)).all()
    expected = metrics.precision_recall_fscore_support(gold, predicted, labels=every, zero_division=0)
    np.testing.assert_allclose(np.array(list(found.by_label.values())).T, expected, atol=1e-12)


@pytest.mark.peer
@pytest.mark.parametrize("case", range(20))
def test_scikit_learn_agrees_on_label_sets(case):
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(case)
    items, labels = int(generator.integers(1, 50)), int(generator.integers(2, 7))
    gold = generator.random((items, labels)) < 0.3
    gold[0] = True  # scikit-learn averages over labels that never occur as well
    predicted = np.where(generator.random(gold.shape) < 0.7, gold, generator.random(gold.shape) < 0.5)
    found = score_label_sets(predicted, gold, [str(n) for n in range(labels)])
    scores = {name: score.value for name, score in found.scores.items()}
    assert scores["accuracy"] == pytest.approx(metrics.accuracy_score(gold, predicted), abs=1e-12)
    for average in ("macro", "micro"):
        expected = metrics.f1_score(gold, predicted, average=average, zero_division=0)
        assert scores[f"{average}_f1"] == pytest.approx(expected, abs=1e-12)
    assert (found.confusion == metrics.multilabel_confusion_matrix(gold, predicted)).all()
