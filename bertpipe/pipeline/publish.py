"""Makes a finished partial folder the published artefact, in an order that survives a kill at any point.

1. Every file is flushed and hashed, then the manifest is written: from here on the partial folder is
   complete, and a later run publishes it without running the stage again.
2. The partial folder and the published one change places in one step (Linux's ``renameat2``), so that there is
   no instant without an artefact. A kill after it leaves the old one in the partial folder, where `repair` finds it.
3. Where the system cannot do that, the published folder is renamed aside (`.old-<step>`) and the partial folder
   into place. A kill between these two is undone by `repair`; until then readers take the one aside
   (`published_folder`).
4. The old folder is removed.

Folders are renamed before they are removed, so that no half of one is ever taken for the whole.
"""

from __future__ import annotations

import ctypes
import glob
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from bertpipe.errors import ArtefactError
from bertpipe.pipeline.artefact import MANIFEST, OLD_PREFIX, PARTIAL_PREFIX, Artefact, Manifest, digest_file
from bertpipe.pipeline.fingerprint import work_key
from bertpipe.pipeline.stage import RESUME_FOLDER

TRASH_PREFIX: Final = ".trash-"
_KEY_LENGTH: Final = 12
# Linux's: paths start at the working directory; exchange the two.
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2


def partial_folder(run_folder: Path, step: str, key: str) -> Path:
    """The hidden folder in which a step works; ``key`` tells one fingerprint from another."""
    return run_folder / f"{PARTIAL_PREFIX}{step}-{key[:_KEY_LENGTH]}"


def partial_folders(run_folder: Path, step: str) -> list[Path]:
    """All folders in which work of a step was begun and not published."""
    return sorted(run_folder.glob(f"{PARTIAL_PREFIX}{glob.escape(step)}-{'?' * _KEY_LENGTH}"))


def hash_outputs(folder: Path) -> dict[str, dict[str, Any]]:
    """Flushes and hashes what a stage wrote: ``{"bytes", "sha256"}`` by POSIX path, sorted."""
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": digest_file(path, flush=True),
        }
        for path in sorted(_files(folder))
    }


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest, which makes the folder complete: last, flushed, and in one step."""
    for subfolder in sorted({path.parent for path in _files(folder)}):
        _flush_folder(subfolder)
    temporary = folder / f"{MANIFEST}.part"
    with temporary.open("w", encoding="utf-8") as file:
        file.write(manifest.to_json())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / MANIFEST)
    _flush_folder(folder)


def open_complete(partial: Path, fingerprint: str) -> Artefact | None:
    """The artefact in a partial folder that only waits to be renamed into place; None if work is left."""
    try:
        artefact = Artefact.open(partial, verify=True)
    except ArtefactError:
        return None
    return artefact if artefact.manifest.fingerprint == fingerprint else None


def publish(partial: Path, run_folder: Path, step: str) -> Artefact:
    """Renames a complete partial folder into place and removes what it replaces.

    Other partial folders of the step go too: what they began is out of date.
    """
    place = run_folder / step
    aside = run_folder / f"{OLD_PREFIX}{step}"
    shutil.rmtree(partial / RESUME_FOLDER, ignore_errors=True)
    if exchange(partial, place):
        _flush_folder(run_folder)
        remove_folder(partial)
    else:
        if place.exists():
            remove_folder(aside)
            place.rename(aside)
        partial.rename(place)
        _flush_folder(run_folder)
        remove_folder(aside)
    for leftover in partial_folders(run_folder, step):
        remove_folder(leftover)
    return Artefact.open(place)


def exchange(first: Path, second: Path) -> bool:
    """Lets two folders change places in one step.

    Returns:
        Whether it was done: not if one of them is missing, or if the system or the file system cannot do it.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError):  # a C library that does not know it
        return False
    done = rename(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
    return bool(done == 0)


def needs_repair(run_folder: Path, steps: Collection[str]) -> bool:
    """Whether a kill left an old artefact beside its place, or half of a removal."""
    return any(
        (run_folder / f"{OLD_PREFIX}{step}").exists() or _replaced(run_folder, step) or _trash(run_folder, step)
        for step in steps
    )


def repair(run_folder: Path, step: str) -> None:
    """Undoes a kill during `publish`. What was complete still is, and is published by the next run."""
    for trash in _trash(run_folder, step):
        _remove(trash)
    place = run_folder / step
    for leftover in _replaced(run_folder, step):
        remove_folder(leftover)
    aside = run_folder / f"{OLD_PREFIX}{step}"
    if aside.exists():
        if place.exists():
            remove_folder(aside)
        else:
            aside.rename(place)


def _replaced(run_folder: Path, step: str) -> list[Path]:
    """Partial folders with what was published before: a kill came after the exchange.

    A complete artefact that waits to be published has a fingerprint that its folder is named by, and that is not the
    published one's.
    """
    found = []
    for folder in partial_folders(run_folder, step):
        try:
            manifest = Manifest.read(folder)
            published = Manifest.read(run_folder / step)
        except ArtefactError:
            continue
        named = partial_folder(run_folder, step, work_key(manifest.fingerprint, manifest.pinned, manifest.inputs))
        if folder != named or manifest.fingerprint == published.fingerprint:
            found.append(folder)
    return found


def _files(folder: Path) -> Iterator[Path]:
    """All files of an artefact: not the manifest, and nothing of the resume folder."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and parts[0] not in (RESUME_FOLDER, MANIFEST, f"{MANIFEST}.part"):
            yield path


def remove_folder(folder: Path) -> None:
    """Removes a folder of a run, if it is there: out of sight first, in one step."""
    if folder.exists() or folder.is_symlink():
        trash = folder.with_name(f"{TRASH_PREFIX}{folder.name}")
        _remove(trash)
        folder.rename(trash)
        _remove(trash)


def _trash(run_folder: Path, step: str) -> list[Path]:
    """What `remove_folder` put out of sight for a step; a folder may hold other people's hidden folders as well."""
    step = glob.escape(step)
    names = f"{PARTIAL_PREFIX}{step}-{'?' * _KEY_LENGTH}", f"{OLD_PREFIX}{step}"
    return [path for name in names for path in run_folder.glob(f"{TRASH_PREFIX}{name}")]


def _remove(folder: Path) -> None:
    """Removes a folder for good; of a link to one, the link alone: what it points to may be anywhere."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _flush_folder(folder: Path) -> None:
    """Flushes a folder's entries; systems that cannot open a folder (Windows) flush by themselves."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
