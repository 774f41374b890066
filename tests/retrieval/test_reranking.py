import math

import numpy as np
import pytest

from bertpipe.errors import ConfigError
from bertpipe.retrieval.fusion import fuse
from bertpipe.retrieval.reranking import FEWEST, MOST, Reranking, mixed


class Slow:
    """A ranker that takes its time, on a clock of its own; a passage's score is the number that is its text."""

    def __init__(self, ms):
        self.ms, self.now, self.batches = ms, 0.0, []

    def clock(self):
        return self.now

    def scores(self, query, passages):
        self.batches.append(len(passages))
        self.now += self.ms * len(passages) / 1000
        return np.array([float(text) for _, text in passages], dtype=np.float32)


PASSAGES = [("", str(number)) for number in range(300)]


@pytest.mark.parametrize(
    ("ms", "count"), [(2.0, 100), (4.0, 50), (10.0, 20), (37.0, FEWEST), (1000.0, FEWEST), (0.1, MOST)]
)
def test_as_many_are_read_as_fit_into_the_time(ms, count):
    slow = Slow(ms)
    scores = Reranking(0.5, ms=200).read(slow, "?", PASSAGES, slow.clock)
    assert scores.tolist() == list(range(count))
    assert slow.now * 1000 <= max(200, FEWEST * ms) + 1e-6
    assert slow.batches[0] == FEWEST


def test_no_end_of_time():
    slow = Slow(1.0)
    assert len(Reranking(0.5, ms=math.inf).read(slow, "?", PASSAGES, slow.clock)) == MOST
    assert max(slow.batches) <= 16


def test_a_depth_does_not_look_at_the_clock():
    slow = Slow(1000)
    assert len(Reranking(0.5, ms=1, depth=40).read(slow, "?", PASSAGES, slow.clock)) == 40
    assert slow.batches == [40]
    assert len(Reranking(0.5, depth=400).read(slow, "?", PASSAGES)) == 300
    assert (Reranking(0.5, depth=7).candidates, Reranking(0.5).candidates) == (7, MOST)


def test_fewer_candidates_than_are_always_read():
    slow = Slow(1)
    assert len(Reranking(0.5).read(slow, "?", PASSAGES[:3], slow.clock)) == 3


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_those_read_are_mixed_and_the_others_stay_behind(weight):
    rng = np.random.default_rng(0)
    found = -np.sort(-rng.exponential(size=30))
    read = rng.normal(size=12).astype(np.float32)
    score = mixed(found, read, weight)
    np.testing.assert_allclose(score[:12], fuse(found[:12], read, weight))
    order = np.argsort(-score, kind="stable")
    assert order[12:].tolist() == list(range(12, 30))
    if weight in (0.0, 1.0):
        assert order[:12].tolist() == (list(range(12)) if weight == 0 else np.argsort(-read).tolist())
    assert mixed(found, read[:0], weight).tolist() == found.tolist()


def test_equals_and_single_candidates_stay_finite():
    assert mixed(np.ones(4), np.array([2.0, 3.0], dtype=np.float32), 0.5)[:2].argmax() == 1
    assert np.isfinite(mixed(np.array([3.0, 1.0]), np.array([9.0]), 0.5)).all()


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="rerank_ms"):
        Reranking(0.5, ms=0)
    with pytest.raises(ConfigError, match="rerank_ms"):
        Reranking(0.5, ms=float("nan"))
    with pytest.raises(ConfigError, match="rerank_depth"):
        Reranking(0.5, depth=0)
    with pytest.raises(ValueError, match="not finite"):
        mixed(np.arange(3.0), np.array([1.0, np.nan]), 0.5)
    with pytest.raises(ValueError, match="were read"):
        mixed(np.arange(1.0), np.arange(2.0), 0.5)
