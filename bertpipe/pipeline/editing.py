"""A published folder changed by hand: in one step, under the lock of its run, with a manifest that vouches for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bertpipe.pipeline.artefact import Manifest
from bertpipe.pipeline.failure import explain_failure
from bertpipe.pipeline.lock import run_lock
from bertpipe.pipeline.publish import (
    hash_outputs,
    partial_folder,
    publish,
    remove_folder,
    repair,
    write_manifest,
)

_KEY: Final = "edit-by-hand"
EDITED: Final = "it was changed by hand"


def edit_artefact(folder: Path, write: Callable[[Path], dict[str, Any] | None], *, stage: str) -> None:
    """Puts a new state in the place of a published folder, or publishes one that no stage made.

    Readers see the old state or the new one, and so does whoever comes after a kill at any moment. To a pipeline, the
    artefact is stale from then on: its next run makes what its inputs say.

    Args:
        folder: The published folder; it need not exist. The lock lies beside it.
        write: Fills the empty folder that it is given, and returns metrics; or None if nothing is to change. It runs
            under the lock.
        stage: Name of the stage that such folders are made by.

    Raises:
        ArtefactError: There is a folder, but not one that was published.
        LockedError: Another process is writing.
        StorageError: The disk refused; the old state stays.
    """
    parent, name = folder.parent, folder.name
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with run_lock(parent):
            repair(parent, name)
            old = Manifest.read(folder) if folder.exists() else Manifest(stage, 0, {}, {}, {}, "", "", {})
            partial = partial_folder(parent, name, _KEY)
            remove_folder(partial)
            partial.mkdir()
            try:
                metrics = write(partial)
            except Exception:
                remove_folder(partial)
                raise
            if metrics is None:
                remove_folder(partial)
                return
            manifest = replace(
                old,
                outputs=hash_outputs(partial),
                metrics=old.metrics | metrics,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                edited=EDITED,
            )
            write_manifest(partial, manifest)
            publish(partial, parent, name)
    except Exception as error:
        explained = explain_failure(error, step=name, folder=parent)
        if explained is None:
            raise
        raise explained from error
