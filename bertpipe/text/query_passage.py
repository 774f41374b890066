"""A query with a passage that answers it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueryPassage:
    """A pair to learn from.

    Attributes:
        query: What somebody asks.
        title: Of the passage; may be empty.
        text: The passage.
    """

    query: str
    title: str
    text: str
