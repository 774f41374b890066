"""How long work tells somebody how far it is.

The floors that work know only this protocol; the command line draws it.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """One bar at a time: `start`, any number of `advance`, `finish`."""

    def start(self, label: str, total: float | None = None, unit: str = "") -> None:
        """Begins a bar. ``total`` is None where the amount is not known beforehand."""

    def advance(self, amount: float = 1, **figures: float) -> None:
        """Adds to the bar; ``figures`` (loss, tokens_per_second ...) are shown beside it."""

    def finish(self) -> None:
        """Ends the bar."""

    def note(self, text: str) -> None:
        """A line that stays on the screen."""


class Silent:
    """Progress for those who do not watch: the Python API and tests."""

    def start(self, label: str, total: float | None = None, unit: str = "") -> None:
        """Draws nothing."""

    def advance(self, amount: float = 1, **figures: float) -> None:
        """Draws nothing."""

    def finish(self) -> None:
        """Draws nothing."""

    def note(self, text: str) -> None:
        """Draws nothing."""
