"""Memory that was freed, but that the process still holds."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any


def release_heap() -> None:
    """Gives freed memory back to the system.

    Batches of changing shapes leave holes in the heap of the C library, which keeps them: a training's memory grows to
    several times what it uses. Where the library is not glibc, nothing happens.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
