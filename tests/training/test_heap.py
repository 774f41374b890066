"""Freed memory goes back to the system."""

import sys
from pathlib import Path

import numpy as np
import pytest

from bertpipe.training.heap import _trim, release_heap


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_holes_are_given_back():
    if _trim() is None:
        pytest.skip("not glibc")
    # Blocks that are small enough for the heap, the last of which keeps the others from being its end.
    blocks = [np.ones(8_000) for _ in range(2_000)]  # 128 MB
    kept = blocks.pop()
    full = resident_bytes()
    del blocks
    release_heap()
    assert full - resident_bytes() > 100e6
    assert kept.sum() == 8_000


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    _trim.cache_clear()
    release_heap()
    assert _trim() is None
    _trim.cache_clear()
