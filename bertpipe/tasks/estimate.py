"""A figure and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score.

    Attributes:
        value: The score.
        interval: The 95% bootstrap interval (low, high); None where the bootstrap has no meaning.
    """

    value: float
    interval: tuple[float, float] | None = None

    def as_json(self, digits: int = 2) -> dict[str, float]:
        """``{"value", "low", "high"}``, rounded; without the last two where there is no interval."""
        ends = zip(("low", "high"), self.interval or (), strict=False)
        return {name: round(value, digits) for name, value in (("value", self.value), *ends)}


def estimates(
    names: Sequence[str], values: Sequence[float], intervals: Sequence[tuple[float, float] | None]
) -> dict[str, Estimate]:
    """Figures and their intervals by name."""
    return {name: Estimate(*both) for name, both in zip(names, zip(values, intervals, strict=True), strict=True)}
