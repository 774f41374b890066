"""The files of a folder that can be read, in an order that is always the same."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from bertpipe.errors import InputError
from bertpipe.text.readers.problem import problem, unreadable

WHOLE = {
    ".txt": "plain",
    ".rst": "plain",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
}
RECORDS = {".jsonl": "json", ".ndjson": "json", ".tsv": "table", ".csv": "table"}
_OURS = frozenset({"bertpipe.toml"})


class SourceFile(NamedTuple):
    """A file to read.

    Attributes:
        path: Where it is, beginning with the path that the user gave.
        relative: Its path inside the folder with ``/`` between the parts; part of its documents' ids.
        ending: Its ending in small letters, with the dot.
    """

    path: Path
    relative: str
    ending: str


class SourceFiles(NamedTuple):
    """What is in a folder.

    Attributes:
        files: The files to read, sorted by relative path.
        ignored: How many files of other kinds there are, by ending.
        problems: Folders and links that cannot be followed.
    """

    files: list[SourceFile]
    ignored: dict[str, int]
    problems: list[InputError]


def find_files(path: Path) -> SourceFiles:
    """Finds the files to read in a folder, or takes the one file that the path names.

    Left out: hidden files and folders, ``bertpipe.toml``, and ``runs`` folders with artefacts of bertpipe. A
    folder that is reached twice through links is looked at once.

    Args:
        path: A folder or a file.

    Raises:
        InputError: There is nothing at the path, or it is a file that cannot be read by its ending.
    """
    if not stat.S_ISDIR(_mode(path)):
        ending = path.suffix.lower()
        if ending not in WHOLE and ending not in RECORDS:
            raise InputError(f"cannot read {ending or 'a file without an ending'}", path=path, hint=supported())
        return SourceFiles([SourceFile(path, readable(path.name), ending)], {}, [])

    found = SourceFiles([], {}, [])
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[Path, str]] = [(path, "")]
    while waiting:
        folder, prefix = waiting.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            found.problems.append(unreadable(folder, error))
            continue
        deeper = []
        for entry in inside:
            if entry.name.startswith(".") or entry.name in _OURS:
                continue
            child = folder / entry.name
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError:  # a link that leads to itself
                is_folder = is_file = False
            if is_folder:
                if not (entry.name == "runs" and _has_artefacts(child)):
                    deeper.append((child, f"{prefix}{entry.name}/"))
                continue
            ending = child.suffix.lower()
            if ending not in WHOLE and ending not in RECORDS:
                kind = ending or "(no ending)"
                found.ignored[kind] = found.ignored.get(kind, 0) + 1
            elif not is_file and not entry.is_symlink():
                kind = f"{ending} (not a regular file)"
                found.ignored[kind] = found.ignored.get(kind, 0) + 1
            elif not is_file:
                mend = "Mend or remove the link"
                found.problems.append(problem("a link that leads to no file", child, mend=mend))
            else:
                found.files.append(SourceFile(child, readable(prefix + entry.name), ending))
        waiting.extend(reversed(deeper))
    found.files.sort(key=lambda file: file.relative)
    return found


def supported() -> str:
    """A sentence that tells the endings that can be read."""
    return f"Endings that can be read: {' '.join([*WHOLE, *RECORDS])}."


def source_digest(path: Path, *, advance: Callable[[int], None] | None = None) -> str:
    """Sha256 (hex) of everything that would be read: relative paths and contents.

    One changed character or a renamed file changes it; the folder's own name and place, the files' times and
    files that are not read do not.

    Args:
        path: A folder or a file.
        advance: Told the number of bytes after each piece that has been read.

    Raises:
        InputError: There is nothing at the path, or it is a file that cannot be read by its ending.
    """
    return _digest(((file.relative, file.path) for file in find_files(path).files), advance)


def files_digest(paths: Iterable[Path], *, advance: Callable[[int], None] | None = None) -> str:
    """Sha256 (hex) of the names and contents of files in their order, whatever their endings.

    Args:
        paths: The files.
        advance: Told the number of bytes after each piece that has been read.

    Raises:
        InputError: There is nothing at a path.
    """
    named = []
    for path in paths:
        _mode(path)
        named.append((readable(path.name), path))
    return _digest(named, advance)


def _digest(named: Iterable[tuple[str, Path]], advance: Callable[[int], None] | None) -> str:
    whole = hashlib.sha256()
    for name, path in named:
        content = hashlib.sha256()
        try:
            with path.open("rb") as stream:
                while piece := stream.read(1 << 20):
                    content.update(piece)
                    if advance is not None:
                        advance(len(piece))
        except OSError as error:
            # Reading it will raise or skip with a proper message; here it only has to differ from a readable
            # file.
            content.update(f"unreadable: {error.errno}".encode())
        # A zero byte cannot be in a path, so no two folders give the same bytes.
        whole.update(name.encode("utf-8") + b"\0" + content.digest())
    return whole.hexdigest()


def _mode(path: Path) -> int:
    """What is at a path that the user gave, as ``st_mode``."""
    try:
        return path.stat().st_mode
    except FileNotFoundError as error:
        hint = "Check the path, and that it is relative to the current folder or absolute."
        raise InputError("there is no such file or folder", path=path, hint=hint) from error
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InputError("cannot be read", path=path, why=why, hint="Check the path and its permissions.") from error


def readable(relative: str) -> str:
    """A path as text that an id can hold: bytes that are not UTF-8 become escapes."""
    return os.fsencode(relative).decode("utf-8", "backslashreplace")


def _has_artefacts(folder: Path) -> bool:
    """Whether a folder holds published steps: ``<pipeline>/<step>/manifest.json`` that name a stage."""
    try:
        for manifest in folder.glob("*/*/manifest.json"):
            with manifest.open("rb") as file:
                if b'"stage"' in file.read(1 << 16):
                    return True
    except OSError:
        return False
    return False
