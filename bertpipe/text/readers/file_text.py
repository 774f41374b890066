"""The bytes of a file as text: whole or line by line, with a bound on memory and errors that name the line.

Functions that go through a file yield an `InputError` in the place of what is broken and go on where they
can; the reader above decides whether to raise it or to count it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bertpipe.errors import InputError
from bertpipe.text.readers.problem import RAISE_LIMIT, problem, unreadable

_HEAD = 4096  # bytes
_CHUNK = 1 << 16  # bytes
_BOM = b"\xef\xbb\xbf"
_BOMS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def read_text(path: Path, limit: int) -> str:
    """A whole file as text: line breaks are line feeds, no byte order mark, no white space around it.

    Args:
        path: The file.
        limit: The most bytes that it may have.

    Raises:
        InputError: It cannot be read, is too large, binary, not UTF-8, or has no text.
    """
    text = tidy(read_exactly(path, limit))
    if not text:
        raise problem("the file is empty", path, mend="Remove it")
    return text


def read_exactly(path: Path, limit: int) -> str:
    """A whole file as text, every character as it is, but for a byte order mark at its beginning.

    Args:
        path: The file.
        limit: The most bytes that it may have.

    Raises:
        InputError: It cannot be read, is too large, binary or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(data) > limit:
        raise too_large("file", path, None, limit)
    wrong = not_text(data[:_HEAD], path)
    if wrong is not None:
        raise wrong
    text = _decode(data.removeprefix(_BOM), path, 1)
    if isinstance(text, InputError):
        raise text
    return text


def read_lines(path: Path, limit: int) -> Iterator[tuple[int, str] | InputError]:
    """The lines of a file with their 1-based numbers, one in memory at a time, without their line breaks.

    Args:
        path: The file.
        limit: The most bytes that a line may have.

    Yields:
        ``(number, line)``, or an `InputError` for a line that is too long or not UTF-8. After an error about
        the whole file (unreadable, binary, empty) nothing follows.
    """
    try:
        with path.open("rb") as file:
            wrong = not_text(file.read(_HEAD), path)
            if wrong is not None:
                yield wrong
                return
            file.seek(0)
            number = 0
            while line := file.readline(limit + 1):
                number += 1
                if len(line) > limit and not line.endswith(b"\n"):
                    # Read past it before reporting, so that the next line is found if this one is skipped.
                    while line and not line.endswith(b"\n"):
                        line = file.readline(_CHUNK)
                    yield too_large("line", path, number, limit)
                    continue
                if number == 1:
                    line = line.removeprefix(_BOM)
                text = _decode(line.rstrip(b"\r\n"), path, number)
                yield text if isinstance(text, InputError) else (number, text)
            if number == 0:
                yield problem("the file is empty", path, mend="Remove it")
    except OSError as error:
        yield unreadable(path, error)


def tidy(text: str) -> str:
    """Line feeds as line breaks, no byte order marks, no white space around the whole."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "").strip()


def not_text(head: bytes, path: Path) -> InputError | None:
    """The error for a file whose first bytes are not UTF-8 text at all, or None."""
    for mark, name in _BOMS.items():
        if head.startswith(mark):
            return _wide(path, name)
    if b"\0" not in head:
        return None
    # Latin text in UTF-16 without a mark: every second byte is zero, and hardly any other.
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) // 5 and min(even, odd) * 20 < max(even, odd):
        return _wide(path, "UTF-16")
    return problem("this is a binary file, not text", path, why="it has NUL bytes", mend="Move it out of the folder")


def too_large(what: str, path: Path, line: int | None, limit: int) -> InputError:
    """The error for a line, record or file of more than ``limit`` bytes."""
    megabytes = f"{limit / 2**20:g} MB"
    return problem(
        f"the {what} is larger than {megabytes}",
        path,
        line,
        mend=f"Split it, {RAISE_LIMIT}",
    )


def _wide(path: Path, name: str) -> InputError:
    mend = f"Convert it to UTF-8 (iconv -f {name} -t UTF-8)"
    return problem(f"the file is {name}, not UTF-8", path, mend=mend)


def _decode(data: bytes, path: Path, first_line: int) -> str | InputError:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        return problem(
            f"broken UTF-8 at byte {column} of the line",
            path,
            line,
            why=f"0x{data[error.start]:02x}: {error.reason}",
            mend="Convert it to UTF-8 (iconv -f GB18030 or LATIN1 -t UTF-8)",
        )
    if "\0" in text:
        line = first_line + text.count("\n", 0, text.index("\0"))
        return problem("a NUL character: not text", path, line, mend="Remove it")
    return text
