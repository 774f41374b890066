import numpy as np

from bertpipe.tasks.f_measure import FMeasure, f_measures


def test_by_hand():
    precision, recall, f1 = f_measures(np.array([3, 0, 0, 0]), np.array([4, 0, 2, 0]), np.array([6, 5, 0, 0]))
    assert precision.tolist() == [0.75, 0, 0, 0]
    assert recall.tolist() == [0.5, 0, 0, 0]
    assert f1.tolist() == [0.6, 0, 0, 0]


def test_json():
    assert FMeasure(1 / 3, 0.5, 0.4, 6).as_json() == {"precision": 0.3333, "recall": 0.5, "f1": 0.4, "support": 6}
