"""Turns what a stage or the disk raised into an error meant for a person.

Libraries report a full disk in their own ways (`OSError`, SQLite's error, a RuntimeError of torch, a
ValueError of tantivy), so the kind, the words, and at last the free space are looked at.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bertpipe.errors import BertpipeError, InterruptedRun, StorageError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_READ_ONLY: Final = (errno.EROFS,)
_FORBIDDEN: Final = (errno.EACCES, errno.EPERM)
_NOT_A_FOLDER: Final = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
_ALMOST_NOTHING: Final = 1_000_000  # bytes
_KEPT: Final = "what is done is kept, and the same command goes on from there"


def explain_failure(error: BaseException, *, step: str, folder: Path) -> BertpipeError | None:
    """The error to show instead, or None if this one is not of a kind known here.

    Args:
        error: What was raised while a step ran or was published.
        step: The step.
        folder: The run folder: where the disk is looked at.
    """
    if isinstance(error, BertpipeError):
        return None
    chain = list(_chain(error, handled=True))
    if any(isinstance(item, KeyboardInterrupt) for item in chain):
        return InterruptedRun(f"interrupted during {step}", hint=_capital(_KEPT))
    troubles = [(item, _disk_trouble(item, folder)) for item in chain]
    troubles += [(item, _file_trouble(item, folder)) for item in _chain(error, handled=False)]
    for item, trouble in troubles:
        if trouble:
            what, hint = trouble
            return StorageError(f"{step}: {what}", why=_short(item), hint=hint)
    if any(_is_memory(item) for item in chain):
        return BertpipeError(
            f"{step}: out of memory",
            why=_short(error),
            hint=f"Close other programs or choose a smaller batch or model; {_KEPT}",
        )
    if isinstance(error, Exception) and _free(folder) < _ALMOST_NOTHING:
        return StorageError(
            f"{step}: the disk under {folder} is full",
            why=_short(error),
            hint=f"Free some space; {_KEPT}",
        )
    return None


def _disk_trouble(error: BaseException, folder: Path) -> tuple[str, str] | None:
    """What is wrong with the disk as a whole and what to do, if this error says so."""
    number = error.errno if isinstance(error, OSError) else None
    sqlite = getattr(error, "sqlite_errorname", "")
    text = str(error).lower()
    place = _place(error, folder)
    if number in _FULL or sqlite == "SQLITE_FULL" or _says(text, _FULL):
        return f"no space left for {place}", f"Free some space; {_KEPT}"
    if number in _READ_ONLY or sqlite.startswith("SQLITE_READONLY") or _says(text, _READ_ONLY):
        return f"{place} is read-only", "Choose another folder with `runs = ...` in the pipeline file"
    if sqlite.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
        return f"the disk under {place} refused", f"See whether it is full or failing; {_KEPT}"
    return None


def _file_trouble(error: BaseException, folder: Path) -> tuple[str, str] | None:
    """What is wrong with one file and what to do, if this error says so."""
    number = error.errno if isinstance(error, OSError) else None
    place = _place(error, folder)
    if number in _FORBIDDEN:
        return f"{place} may not be written or read", "Change its permissions, or set `runs = ...` elsewhere"
    if isinstance(error, FileNotFoundError):
        return f"{place} is missing", "Was it moved while bertpipe ran? Run the command again"
    if number in _NOT_A_FOLDER:
        return f"{place} stands where a folder or file is to be made", "Move it away"
    return None


def _place(error: BaseException, folder: Path) -> Path:
    # Of two files, such as those of a copy, the second one is being written.
    name = getattr(error, "filename2", None) or getattr(error, "filename", None)
    return Path(os.fsdecode(name)) if isinstance(name, str | bytes) else folder


def _chain(error: BaseException, *, handled: bool) -> Iterator[BaseException]:
    """The error and what caused it; libraries wrap an interrupt or a full disk in errors of their own.

    Args:
        error: What was raised last.
        handled: Also follow errors that were being handled when the next one came. They need not have to do
            with it: a file that was looked for and not found is no trouble by itself.
    """
    item: BaseException | None = error
    seen: set[int] = set()
    while item is not None and id(item) not in seen:
        seen.add(id(item))
        yield item
        implicit = item.__context__ if handled and not item.__suppress_context__ else None
        item = item.__cause__ or implicit


def _says(text: str, numbers: tuple[int, ...]) -> bool:
    return any(os.strerror(number).lower() in text for number in numbers)


def _is_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def _short(error: BaseException) -> str:
    """First line of an error's text; its kind where it has no text."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return _ALMOST_NOTHING


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
