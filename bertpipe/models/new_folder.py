"""A folder that appears when it is complete."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bertpipe.errors import ConfigError, StorageError

PARTIAL, OLD = ".partial-", ".old-"


@contextmanager
def new_folder(place: Path, *, marks: tuple[str, ...], force: bool = False) -> Iterator[Path]:
    """Lets a block fill a hidden folder beside its place, and renames it into place at the end.

    After an error the place is as it was; after a kill it is so at the latest when the next call begins.

    Args:
        place: Where the folder is to be.
        marks: Files by which a folder of the same kind is known, any of them.
        force: Replace such a folder. Any other with files in it is never removed.

    Yields:
        The folder to fill.

    Raises:
        ConfigError: There is something at the place, or it is the working folder.
        StorageError: The disk refused.
    """
    place = place.parent.resolve() / place.name if place.name not in ("", "..") else place.resolve()
    if Path.cwd().is_relative_to(place):
        raise ConfigError(f"{place} is the folder that you are in", hint="Name a new folder.")
    partial, old = place.with_name(f"{PARTIAL}{place.name}"), place.with_name(f"{OLD}{place.name}")
    try:
        if old.exists() and not place.exists():
            old.rename(place)
        _check(place, marks, force)
        for left in (partial, old):
            shutil.rmtree(left, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if place.exists():
            place.rename(old)
        try:
            partial.rename(place)
        except OSError:
            if old.exists():
                old.rename(place)
            raise
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise StorageError(f"{place} cannot be written", why=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check(place: Path, marks: tuple[str, ...], force: bool) -> None:
    if not place.exists():
        return
    if not place.is_dir():
        raise ConfigError(f"{place} is there already", why="it is no folder", hint="Name another folder.")
    if not any(place.iterdir()):
        return
    if not any((place / mark).is_file() for mark in marks):
        raise ConfigError(f"{place} is not empty, and holds no model", hint="Name another folder.")
    if not force:
        raise ConfigError(f"{place} is there already", hint="--force replaces it; or name another folder.")
