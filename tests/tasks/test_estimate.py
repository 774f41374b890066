import pytest

from bertpipe.tasks.estimate import Estimate, estimates


def test_json():
    assert Estimate(0.123456, (0.1, 0.23456)).as_json(4) == {"value": 0.1235, "low": 0.1, "high": 0.2346}
    assert Estimate(12.345).as_json() == {"value": 12.35} or Estimate(12.345).as_json() == {"value": 12.34}


def test_by_name():
    assert estimates(["a", "b"], [1.0, 2.0], [(0.5, 1.5), None]) == {"a": Estimate(1.0, (0.5, 1.5)), "b": Estimate(2.0)}
    with pytest.raises(ValueError, match="zip"):
        estimates(["a"], [1.0, 2.0], [None, None])
