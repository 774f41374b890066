"""One writer for each run folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bertpipe.errors import LockedError

LOCK: Final = ".lock"
HOLDER: Final = ".lock-holder"
_GRACE_SECONDS: Final = 10.0


@contextmanager
def run_lock(run_folder: Path) -> Iterator[None]:
    """Holds the lock of a run folder, which must exist.

    The system releases the lock when its holder dies, however it dies. Only the helpers that a killed run
    left behind (data loaders) may keep it for some seconds more; those are waited for.

    Raises:
        LockedError: Another process holds it; said at once, with its process id.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(run_folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        pid = holder(run_folder)
        try:
            if pid is None or _alive(pid):
                raise
            lock.acquire(timeout=_GRACE_SECONDS)
        except Timeout:
            by = f"process {pid}" if pid is not None else "another process"
            raise LockedError(
                f"{run_folder} is in use by {by}",
                hint="Wait for it to end, or end it; what it has done is kept",
            ) from None
    try:
        # Beside the lock and not in it: whoever tries the lock may empty it.
        (run_folder / HOLDER).write_text(str(os.getpid()), encoding="ascii")
        yield
    finally:
        (run_folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def holder(run_folder: Path) -> int | None:
    """Process id of who holds (or held, if it was killed) the lock; None if that is not known."""
    try:
        return int((run_folder / HOLDER).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def writer(run_folder: Path) -> int | None:
    """Process id of who is writing the run now, if anybody is."""
    pid = holder(run_folder)
    return pid if pid is not None and _alive(pid) else None


def _alive(pid: int) -> bool:
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
