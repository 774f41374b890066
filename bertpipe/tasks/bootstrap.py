"""How sure a mean is: the bootstrap, and the refusal of figures that are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

_DRAWN_AT_ONCE = 4_000_000  # bootstrap indices held in memory: 32 MB


def bootstrap_interval(values: Sequence[float] | np.ndarray, seed: int, resamples: int = 10_000) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the mean (Efron 1979).

    For two systems on the same queries pass the differences: they vary less than the two means.

    Args:
        values: One figure per query, (Q,).
        seed: The interval is a pure function of values and seed.
        resamples: How many samples of size Q are drawn, with replacement.

    Returns:
        (low, high).

    Raises:
        ValueError: There are no values, or one is not finite.
    """
    figures = np.asarray(values, dtype=np.float64)
    if figures.ndim != 1 or not len(figures):
        raise ValueError("an interval needs a row of at least one value")
    check_finite("values", figures)
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, _DRAWN_AT_ONCE // len(figures))
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        drawn = generator.integers(len(figures), size=(count, len(figures)))
        means[start : start + count] = figures[drawn].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def bootstrap_intervals(values: np.ndarray, seed: int, resamples: int = 10_000) -> np.ndarray:
    """`bootstrap_interval` of several figures of the same queries, from the same samples.

    Args:
        values: (Q, C): C figures per query.
        seed: As there.
        resamples: As there.

    Returns:
        float64 (C, 2): low and high of each; what `bootstrap_interval` says of each column, up to rounding.

    Raises:
        ValueError: There are no values, or one is not finite.
    """
    figures = np.asarray(values, dtype=np.float64)
    if figures.ndim != 2 or not figures.size:
        raise ValueError("intervals need a table of at least one value")
    check_finite("values", figures)
    queries = len(figures)
    generator = np.random.default_rng(seed)
    means = np.empty((resamples, figures.shape[1]))
    step = max(1, _DRAWN_AT_ONCE // queries)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        drawn = generator.integers(queries, size=(count, queries))
        # How often each query was drawn: then one product does for all columns.
        times = np.stack([np.bincount(row, minlength=queries) for row in drawn])
        means[start : start + count] = times @ figures / queries
    return np.percentile(means, [2.5, 97.5], axis=0).T


def resampled_intervals(
    items: int, statistics: Callable[[np.ndarray], Sequence[float]], seed: int, resamples: int = 1000
) -> list[tuple[float, float] | None]:
    """The 95% percentile bootstrap intervals of figures that are no means: F1, a correlation.

    Args:
        items: N, how many items there are.
        statistics: Computes the figures of some of the items, told by their numbers (N,) with repetitions; NaN for one
            that these items do not define.
        seed: The intervals are a pure function of the arguments.
        resamples: How many samples of N items are drawn, with replacement. 0: no interval is wanted.

    Returns:
        (low, high) of each figure; None for one that half of the resamples or more do not define.

    Raises:
        ValueError: There are no items, or a figure is infinite.
    """
    if items < 1:
        raise ValueError("an interval needs at least one item")
    if not resamples:
        return [None] * len(statistics(np.arange(items)))
    generator = np.random.default_rng(seed)
    drawn = [list(statistics(generator.integers(items, size=items))) for _ in range(resamples)]
    figures = np.asarray(drawn, dtype=np.float64)  # (resamples, figures)
    if np.isinf(figures).any():
        raise ValueError("a figure of a resample is infinite")
    intervals: list[tuple[float, float] | None] = []
    for column in figures.T:
        defined = column[~np.isnan(column)]
        low, high = np.percentile(defined, [2.5, 97.5]) if 2 * len(defined) > resamples else (np.nan, np.nan)
        intervals.append(None if np.isnan(low) else (float(low), float(high)))
    return intervals


def check_finite(name: str, values: np.ndarray) -> None:
    """Refuses NaN and infinity.

    Raises:
        ValueError: Names how many of ``values`` are not finite, and the first.
    """
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        first = bad[0]
        raise ValueError(f"{len(bad)} of {values.size} {name} are not finite (number {first} is {values.flat[first]})")
