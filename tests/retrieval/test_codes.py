import hashlib
import os
import subprocess
import sys

import faiss
import numpy as np
import pytest

from bertpipe.retrieval.codes import Codes


def vectors(count=2000, width=16, seed=0):
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(30, width))[rng.integers(30, size=count)] + 0.4 * rng.normal(size=(count, width))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def filled(structure, values):
    codes = Codes.train(values, structure)
    codes.add(values)
    return codes


def written(codes, path):
    codes.save(path)
    return path.read_bytes()


STRUCTURES = ["IVF16,PQ8x4fs", "IVF16,RaBitQfs", "IVF16,SQ8", "HNSW16,SQ8", "OPQ4,IVF8,PQ4x4fs"]


@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_same_vectors_give_the_same_bytes(tmp_path, structure):
    values = vectors()
    once = written(filled(structure, values), tmp_path / "once")
    faiss.omp_set_num_threads(2)
    try:
        assert written(filled(structure, values), tmp_path / "again") == once
        assert faiss.omp_get_max_threads() == 2
    finally:
        faiss.omp_set_num_threads(1)
    assert written(filled(structure, vectors(seed=1)), tmp_path / "other") != once


def test_bytes_do_not_hang_on_the_threads_of_a_process():
    program = """
import sys, hashlib, numpy as np
from pathlib import Path
from bertpipe.retrieval.codes import Codes
values = np.random.default_rng(0).normal(size=(6000, 64)).astype(np.float32)
codes = Codes.train(values, "IVF64,PQ32x4fs")
codes.add(values)
codes.save(Path(sys.argv[1]))
"""
    found = set()
    for threads in ("1", "2", "3"):
        named = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        command = [sys.executable, "-c", program, "/dev/stdout"]
        done = subprocess.run(command, env=os.environ | named, capture_output=True, check=True)
        found.add(hashlib.sha256(done.stdout).hexdigest())
        assert not done.stderr
    assert len(found) == 1


@pytest.mark.parametrize("structure", STRUCTURES)
def test_what_was_trained_can_be_filled_anew(tmp_path, structure):
    values = vectors()
    first = filled(structure, values)
    first.save(tmp_path / "codes")
    for source in (first, Codes.open(tmp_path / "codes", structure)):
        emptied = source.emptied()
        assert (len(emptied), emptied.structure, len(source)) == (0, structure, 2000)
        emptied.add(values)
        again = emptied.propose(values[:5], 20, emptied.most_effort)
        np.testing.assert_array_equal(again, first.propose(values[:5], 20, first.most_effort))


@pytest.mark.parametrize("structure", STRUCTURES)
def test_opened_codes_propose_the_same(tmp_path, structure):
    values = vectors()
    codes = filled(structure, values)
    codes.save(tmp_path / "codes")
    opened = Codes.open(tmp_path / "codes", structure)
    assert (opened.clusters, opened.code_bytes, len(opened)) == (codes.clusters, codes.code_bytes, 2000)
    np.testing.assert_array_equal(opened.propose(values[:9], 30, 4), codes.propose(values[:9], 30, 4))


def test_training_takes_an_even_choice(monkeypatch):
    monkeypatch.setattr("bertpipe.retrieval.codes._LEAST_TRAINING", 64)
    values = vectors(4000)
    sparse = values.copy()
    chosen = np.linspace(0, 3999, 64).astype(int)
    sparse[np.setdiff1d(np.arange(4000), chosen)] = 0
    one, other = Codes.train(values, "IVF2,SQ8"), Codes.train(sparse, "IVF2,SQ8")
    for codes in (one, other):
        codes.add(values)
    np.testing.assert_array_equal(one.propose(values[:20], 9, 1), other.propose(values[:20], 9, 1))


def test_more_effort_costs_more():
    for structure in ("IVF16,PQ8x4fs", "HNSW16,SQ8"):
        codes = filled(structure, vectors())
        costs = [codes.cost(effort) for effort in (1, 2, 8)]
        assert 0 < costs[0] < costs[1] < costs[2]
    assert filled("SQ8", vectors()).cost(0) == 2000 * 16
