"""Arrays on disk, as ``.npy`` files that are complete or an error.

``numpy.save`` does not notice when the last bytes of a file find no room on the disk, and a process that writes to a
memory-mapped array is killed then. Both would lose what only an error keeps.
"""

from __future__ import annotations

import io
from pathlib import Path
from types import TracebackType

import numpy as np


class ArrayFile:
    """Writes an array row by row; a context manager. `numpy.load` reads it.

    Args:
        path: The file to write.
        dtype: Of an element.
        shape: Of the whole array, known beforehand.
        done: Rows that an earlier `ArrayFile` wrote to this file and that are to stay; 0 starts anew.

    Raises:
        OSError: The disk refused.

    Example:
        >>> with ArrayFile(path, np.float32, (3, 2)) as file:
        ...     file.append(np.zeros((2, 2)))
        ...     file.append(np.ones((1, 2)))
    """

    def __init__(self, path: Path, dtype: type | np.dtype, shape: tuple[int, ...], done: int = 0) -> None:
        self._dtype = np.dtype(dtype)
        head = io.BytesIO()
        facts = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(head, facts)
        self._file = path.open("r+b" if done else "wb")
        if not done:
            self._file.write(head.getvalue())
        row = self._dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
        self._file.seek(len(head.getvalue()) + done * row)

    def append(self, rows: np.ndarray) -> None:
        """Writes rows after those that are there.

        Raises:
            OSError: The disk refused.
        """
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).data)
        self._file.flush()

    def __enter__(self) -> ArrayFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def map_array(path: Path) -> np.ndarray:
    """An array that stays on disk until it is looked at, to be read only.

    Raises:
        OSError: There is no such file.
        ValueError: It holds no array, or less than its head says.
        EOFError: It is empty.
    """
    # A view without NumPy's class for mapped arrays, whose every slice costs microseconds.
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def write_array(path: Path, array: np.ndarray) -> None:
    """Writes a whole array.

    Raises:
        OSError: The disk refused.
    """
    with ArrayFile(path, array.dtype, array.shape) as file:
        file.append(array)
