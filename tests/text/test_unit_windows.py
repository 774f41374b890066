from itertools import pairwise

import numpy as np
import pytest

from bertpipe.text.unit_windows import unit_windows


@pytest.mark.parametrize("seed", range(40))
def test_every_unit_belongs_to_one_window(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 7, int(rng.integers(1, 80))).tolist()
    room = int(rng.integers(6, 40))
    overlap = int(rng.integers(0, room // 2 + 1))
    windows = unit_windows(sizes, room, overlap)
    owned = [unit for window in windows for unit in range(window.own_start, window.own_stop)]
    assert owned == list(range(len(sizes)))
    for window in windows:
        assert window.start <= window.own_start <= window.own_stop <= window.stop
        assert sum(sizes[window.start : window.stop]) <= room
    for before, after in pairwise(windows):
        assert before.start < after.start
        assert before.stop < after.stop
        assert sum(sizes[after.start : before.stop]) <= overlap


def test_what_fits_is_one_window():
    (window,) = unit_windows([3, 3, 2], 8, 4)
    assert (window.start, window.stop, window.own_start, window.own_stop) == (0, 3, 0, 3)


def test_units_belong_where_more_is_seen_around_them():
    windows = unit_windows([1] * 16, 10, 4)
    assert [(one.start, one.stop) for one in windows] == [(0, 10), (6, 16)]
    assert [(one.own_start, one.own_stop) for one in windows] == [(0, 8), (8, 16)]


def test_a_unit_that_does_not_fit_is_alone():
    windows = unit_windows([1, 30, 1, 1], 10, 5)
    assert [(one.own_start, one.own_stop) for one in windows] == [(0, 1), (1, 2), (2, 4)]
