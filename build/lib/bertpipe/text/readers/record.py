"""A record of a file that holds many documents, before its fields are looked at."""

from __future__ import annotations

from typing import Any, NamedTuple


class Record(NamedTuple):
    """One line of a JSON lines file, or one row of a table.

    Attributes:
        line: The 1-based line it begins on.
        fields: Its fields by name.
    """

    line: int
    fields: dict[str, Any]
