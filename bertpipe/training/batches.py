"""What every kind of training batch has in common."""

from __future__ import annotations

from typing import Any, Protocol


class Batches(Protocol):
    """Batches that are pure functions of their number.

    A batch has ``num_tokens``, the tokens in it without padding, and ``to(device)``.
    """

    def batch(self, step: int) -> Any:
        """The batch of a step: the same whenever it is asked for."""


class EpochBatches(Batches, Protocol):
    """Batches of examples that can be counted."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which every example is seen once."""
