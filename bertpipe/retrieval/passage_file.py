"""The SQLite file of a passage store: what says that it is one, and what is said where it is broken."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bertpipe.errors import ArtefactError

FORMAT = 3
# Says "a passage store of ours" to SQLite and file(1): "bprt" in ASCII.
APPLICATION = 0x62707274


def address(path: Path) -> str:
    """The file as SQLite is told to open it, to be read only."""
    return f"{path.resolve().as_uri()}?mode=ro"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Makes what SQLite says about a broken file an error of ours.

    Raises:
        ArtefactError: The file cannot be read.
    """
    try:
        yield
    except sqlite3.ProgrammingError:  # the caller's: it was closed, or belongs to another thread
        raise
    except (sqlite3.DatabaseError, ValueError, OSError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> ArtefactError:
    """The error for a file that is damaged."""
    return ArtefactError(
        f"the passages at {path} cannot be read",
        why=str(error),
        hint="Build them again with `bertpipe embed --force`.",
    )


def check_header(path: Path) -> None:
    """Compares the file's length with what its header says; SQLite itself looks only when it needs a page.

    The header's layout: https://www.sqlite.org/fileformat2.html#the_database_header

    Raises:
        ValueError: It is another file, or cut off.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        header = file.read(100)
    version, application = int.from_bytes(header[60:64]), int.from_bytes(header[68:72])
    if not header.startswith(b"SQLite format 3\0") or (version, application) != (FORMAT, APPLICATION):
        raise ValueError(f"it is not a passage store of format {FORMAT}")
    page = int.from_bytes(header[16:18])
    expected = (65_536 if page == 1 else page) * int.from_bytes(header[28:32])
    size = path.stat().st_size
    if size < expected:
        raise ValueError(f"it is cut off: {size} of {expected} bytes are left")
