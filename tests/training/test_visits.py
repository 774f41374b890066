from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from bertpipe.training.visits import generator, visit, visit_runs


def test_visits_cover_the_range_evenly():
    size = 1000
    counts = np.bincount([visit(counter, size, 1) for counter in range(3 * size)], minlength=size)
    assert counts.min() >= 2
    assert counts.max() <= 4


def test_neighbours_in_time_are_far_apart_in_place():
    places = np.array([visit(counter, 10_000, 5) for counter in range(200)])
    assert np.abs(np.diff(places)).min() > 1000


@pytest.mark.parametrize("size", [1, 63, 64, 65, 1000])
def test_runs_of_neighbours_cover_the_range_evenly(size):
    places = [visit_runs(counter, size, 64, 1) for counter in range(4 * size)]
    counts = np.bincount(places, minlength=size)
    assert counts.min() >= 3
    assert counts.max() <= 8
    assert np.mean([(after - before) % size == 1 % size for before, after in pairwise(places)]) > 0.95
    if size > 64:
        assert max(Counter(place // 64 for place in places[:30]).values()) >= 15


def test_another_seed_is_another_order():
    assert [visit(counter, 100, 1) for counter in range(9)] != [visit(counter, 100, 2) for counter in range(9)]


def test_visits_stay_in_range_for_huge_sizes():
    size = 10**12
    assert all(0 <= visit(counter, size, 0) < size for counter in range(10**12, 10**12 + 50))


def test_generators_depend_on_all_arguments_and_nothing_else():
    draw = generator(1, "pairs", 3).random()
    assert draw == generator(1, "pairs", 3).random()
    others = [generator(2, "pairs", 3), generator(1, "dropout", 3), generator(1, "pairs", 4)]
    assert draw not in [other.random() for other in others]
