"""Opens the parts of a published folder so that all are of one state, while another process may be publishing.

A reader opens many files, one after the other. Publishing puts a new folder in the place of the old one, so between
two files the folder may have become another. Each state is a folder of its own, and what tells folders apart is
looked at before the first file and after the last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from bertpipe.errors import ArtefactError
from bertpipe.pipeline.artefact import published_folder

State = tuple[int, int, int]
"""Device, number and time of a folder: a number may be given again, but not with the same time."""

T = TypeVar("T")
_PAUSE_SECONDS: Final = 0.005


def state_of(folder: Path) -> State | None:
    """What tells the state of a published folder from earlier and later ones; None if there is no folder."""
    try:
        status = published_folder(folder.parent, folder.name).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns


def read_whole(folder: Path, read: Callable[[Path], T]) -> tuple[T, State]:
    """Reads a published folder; anew, if it was replaced meanwhile.

    Args:
        folder: Where it is published.
        read: Opens all that is to be of one state in the folder that it is given. What it raises while nothing is
            being published is raised.

    Returns:
        What ``read`` returned, and the state that it is of.

    Raises:
        ArtefactError: There is no folder.
    """
    while True:
        before = state_of(folder)
        if before is None:
            # The two renames of a system without exchange may both fall between the two places looked at.
            time.sleep(_PAUSE_SECONDS)
            if state_of(folder) is None:
                raise ArtefactError(f"{folder} does not exist")
            continue
        try:
            result = read(published_folder(folder.parent, folder.name))
        except (ArtefactError, OSError):
            if state_of(folder) == before:
                raise
        else:
            if state_of(folder) == before:
                return result, before
