"""In which order training visits the corpus: a pure function of a counter, so that a killed run can go on anywhere."""

from __future__ import annotations

import hashlib

import numpy as np

# 2^64 / golden ratio. Multiples of it, modulo 2^64, spread more evenly over the range than random numbers do, however
# many are taken (Weyl's additive recurrence with the golden ratio: Knuth, TAOCP 3, section 6.4, "Fibonacci hashing").
GOLDEN = 0x9E3779B97F4A7C15
MODULUS = 1 << 64
NEIGHBOURS = 64
"""Documents, or pairs, next to each other that are drawn together."""


def visit(counter: int, size: int, seed: int) -> int:
    """The place visited by the ``counter``-th visit.

    Any run of n consecutive visits covers the range nearly evenly, and neighbours in time are far apart in place:
    what a shuffled epoch gives, without a permutation in memory.

    Args:
        counter: 0, 1, 2 ...
        size: Number of places.
        seed: Turns the whole order.

    Returns:
        A number from 0 to ``size`` - 1.
    """
    return ((counter * GOLDEN + seed_offset(seed)) % MODULUS) * size >> 64


def visit_runs(counter: int, size: int, longest: int, seed: int) -> int:
    """The place visited by the ``counter``-th visit, where runs of neighbouring places are visited together.

    Args:
        counter: 0, 1, 2 ...
        size: Number of places.
        longest: Most places in a run.
        seed: Turns the order of the runs.

    Returns:
        A number from 0 to ``size`` - 1.
    """
    runs = -(-size // longest)
    length = -(-size // runs)
    return (visit(counter // length, runs, seed) * length + counter % length) % size


def seed_offset(seed: int) -> int:
    """A 64-bit number from a seed."""
    return int.from_bytes(hashlib.sha256(f"bertpipe visits {seed}".encode()).digest()[:8], "big")


def generator(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """Random numbers that depend on nothing but the arguments.

    Args:
        seed: The run's seed.
        purpose: Keeps streams of the same counters apart.
        *counters: Step, rank and the like.
    """
    name = f"bertpipe {seed} {purpose} {counters}"
    return np.random.Generator(np.random.Philox(key=int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")))
