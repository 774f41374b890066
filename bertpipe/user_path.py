"""A path as a person writes it."""

from __future__ import annotations

from pathlib import Path


def user_path(written: str | Path) -> Path:
    """Reads a path in which ``~`` is the home folder.

    Args:
        written: The path. ``~`` and ``~name`` stand for a home folder where there is such a one; else they are part
            of a name, as in ``~$notes.txt``.
    """
    path = Path(written)
    try:
        return path.expanduser()
    except RuntimeError:  # nobody of that name
        return path
