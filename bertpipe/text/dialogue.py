"""A conversation as a source that a model reads."""

from __future__ import annotations

from collections.abc import Sequence

TURN = "—"


def as_source(turns: Sequence[str]) -> str:
    """The turns so far, each on a line of its own behind a dash, so that the model sees where one ends.

    Args:
        turns: The oldest first.
    """
    return "\n".join(f"{TURN} {' '.join(turn.split())}" for turn in turns)
