"""Errors about a file of the user's that the user may choose to step over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from bertpipe.errors import InputError

T = TypeVar("T")

OR_SKIP = "or skip such records with --skip-bad."
RAISE_LIMIT = "raise max_document_mb under [corpus]"


def problem(
    what: str, path: Path | str, line: int | None = None, *, why: str = "", mend: str = "Mend it"
) -> InputError:
    """An error about a file or a record that says how to mend it and how to step over it.

    Args:
        what: What is wrong.
        path: The file.
        line: 1-based line number, where there is one.
        why: The reason.
        mend: What to do about it, as a clause with a capital letter and no full stop.
    """
    return InputError(what, path=path, line=line, why=why, hint=f"{mend}, {OR_SKIP}")


def unreadable(path: Path | str, error: OSError) -> InputError:
    """An error about a file that the system does not let us read."""
    why = error.strerror or type(error).__name__
    return problem("cannot be read", path, why=why, mend="Check the file and its permissions")


def without_skipping(error: InputError) -> InputError:
    """The error without the ways around it that only a corpus has, for data of which every record counts."""
    hint = error.hint.removesuffix(f", {OR_SKIP}").removesuffix(f", {RAISE_LIMIT}")
    error.hint = hint if hint == error.hint else f"{hint}."
    error.args = (str(error),)
    return error


def every_record(reader: Iterable[T]) -> Iterator[T]:
    """What a reader yields; its errors as `without_skipping` makes them."""
    try:
        yield from reader
    except InputError as error:
        raise without_skipping(error) from error
