"""The files of labelled data that are neither a table nor JSON lines."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from bertpipe.errors import InputError
from bertpipe.text.readers.source_files import SourceFile, readable


def data_files(path: Path, endings: Collection[str]) -> list[SourceFile]:
    """The one file that a path names, whatever its ending, or all files in a folder with one of some endings.

    Args:
        path: A file or a folder.
        endings: In small letters, with the dot.

    Returns:
        At least one file, sorted by relative path; hidden ones are left out.

    Raises:
        InputError: There is nothing at the path, or no such file in the folder.
    """
    try:
        if not path.is_dir():
            path.stat()
            return [SourceFile(path, readable(path.name), path.suffix.lower())]
        found = [
            SourceFile(file, readable(file.relative_to(path).as_posix()), file.suffix.lower())
            for file in path.rglob("*")
            if file.suffix.lower() in endings
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
            and file.is_file()
        ]
    except FileNotFoundError as error:
        hint = "Check the path, and that it is relative to the current folder or absolute."
        raise InputError("there is no such file or folder", path=path, hint=hint) from error
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InputError("cannot be read", path=path, why=why, hint="Check the path and its permissions.") from error
    if not found:
        hint = f"Name a file, or give the files in the folder one of these endings: {' '.join(endings)}."
        raise InputError("there is no file to read in the folder", path=path, hint=hint)
    return sorted(found, key=lambda file: file.relative)
