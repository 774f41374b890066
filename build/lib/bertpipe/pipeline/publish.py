"""Makes a finished partial folder the published artefact, in an order that survives a kill at any point.

1. Every file is flushed and hashed, then the manifest is written: from here on the partial folder is
   complete, and a later run publishes it without running the stage again.
2. The published folder is renamed aside (`.old-<step>`), because a folder with files in it cannot be replaced
   in one step on every system.
3. The partial folder is renamed into place. A kill between 2 and 3 is undone by `repair`.
4. The old folder is removed.

Folders are renamed before they are removed, so that no half of one is ever taken for the whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from bertpipe.errors import ArtefactError
from bertpipe.pipeline.artefact import MANIFEST, OLD_PREFIX, PARTIAL_PREFIX, Artefact, Manifest, digest_file
from bertpipe.pipeline.stage import RESUME_FOLDER

TRASH_PREFIX: Final = ".trash-"
_KEY_LENGTH: Final = 12


def partial_folder(run_folder: Path, step: str, key: str) -> Path:
    """The hidden folder in which a step works; ``key`` tells one fingerprint from another."""
    return run_folder / f"{PARTIAL_PREFIX}{step}-{key[:_KEY_LENGTH]}"


def partial_folders(run_folder: Path, step: str) -> list[Path]:
    """All folders in which work of a step was begun and not published."""
    return sorted(run_folder.glob(f"{PARTIAL_PREFIX}{step}-{'?' * _KEY_LENGTH}"))


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
    if place.exists():
        remove_folder(aside)
        place.rename(aside)
    partial.rename(place)
    _flush_folder(run_folder)
    remove_folder(aside)
    for leftover in partial_folders(run_folder, step):
        remove_folder(leftover)
    return Artefact.open(place)


def needs_repair(run_folder: Path, steps: Iterable[str]) -> bool:
    """Whether a kill left an old artefact beside its place, or half of a removal."""
    left = any((run_folder / f"{OLD_PREFIX}{step}").exists() for step in steps)
    return left or any(run_folder.glob(f"{TRASH_PREFIX}*"))


def repair(run_folder: Path, step: str) -> None:
    """Undoes a kill during `publish`. What was complete still is, and is published by the next run."""
    place = run_folder / step
    aside = run_folder / f"{OLD_PREFIX}{step}"
    if aside.exists():
        if place.exists():
            remove_folder(aside)
        else:
            aside.rename(place)


def _files(folder: Path) -> Iterator[Path]:
    """All files of an artefact: not the manifest, and nothing of the resume folder."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and parts[0] not in (RESUME_FOLDER, MANIFEST, f"{MANIFEST}.part"):
            yield path


def remove_folder(folder: Path) -> None:
    """Removes a folder of a run, if it is there: out of sight first, in one step."""
    if folder.exists():
        trash = folder.with_name(f"{TRASH_PREFIX}{folder.name}")
        if trash.exists():
            shutil.rmtree(trash)
        folder.rename(trash)
        shutil.rmtree(trash)


def empty_trash(run_folder: Path) -> None:
    """Finishes the removals that a kill interrupted."""
    for folder in run_folder.glob(f"{TRASH_PREFIX}*"):
        shutil.rmtree(folder)


def _flush_folder(folder: Path) -> None:
    """Flushes a folder's entries; systems that cannot open a folder (Windows) flush by themselves."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
