"""What the fields of a record hold, and what to say where it cannot be used."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bertpipe.text.document import Document
from bertpipe.text.readers.problem import problem


def lines_of(value: Any) -> list[str] | None:
    """A field's text: a string as it is, a list of strings one by one, None for anything else."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return None


def field_lines(fields: Mapping[str, Any], name: str, option: str, path: Path, line: int) -> list[str]:
    """The text of a record's field, as `lines_of` gives it.

    Args:
        fields: The record's.
        name: The field.
        option: What the user names the field with: ``text_field``.
        path: The record's file.
        line: The line that the record begins on.

    Raises:
        InputError: The record has no such field, or it holds something else.
    """
    if name not in fields:
        mend = which_field(option, name, list(fields))
        raise problem(f"the record has no field {name!r}", path, line, mend=mend)
    lines = lines_of(fields[name])
    if lines is None:
        why = f"it is {kind_of(fields[name])}"
        raise problem(f"the field {name!r} is not text", path, line, why=why, mend=f"Choose another with {option}")
    return lines


def which_field(option: str, asked: str, names: Sequence[str]) -> str:
    """A clause that names the nearest field, or those that are there, for an option."""
    near = difflib.get_close_matches(asked, names, n=1)
    if near:
        return f'Set {option} = "{near[0]}", if that is meant'
    if not names:
        return "Give the record one"
    shown = ", ".join(name[:40] for name in names[:12]) + (" ..." if len(names) > 12 else "")
    return f"Set {option} to one of: {shown}"


def kind_of(value: Any) -> str:
    """What kind of JSON value a field holds, in words: ``a number``."""
    if isinstance(value, list):
        # A list of strings may be text, so it matters what is inside.
        inside = next((kind_of(item) for item in value if not isinstance(item, str)), "")
        return f"a list with {inside} in it" if inside else "a list"
    names = {dict: "an object", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def check_storable(document: Document, path: Path, line: int) -> None:
    """Refuses what JSON can spell but UTF-8 and numbers cannot hold.

    Raises:
        InputError: A lone surrogate, or a number that is not finite.
    """
    for name, value in (("id", document.id), ("title", document.title), ("text", document.text)):
        check_encodable(name, value, path, line)
    for name, scalar in document.metadata.items():
        check_encodable("name of a field", name, path, line)
        if isinstance(scalar, str):
            check_encodable(name, scalar, path, line)
        elif isinstance(scalar, float) and not math.isfinite(scalar):
            what = f"the number in the field {name!r} is beyond range"
            raise problem(what, path, line, mend="Write a smaller one")


def check_encodable(name: str, value: str, path: Path, line: int | None) -> None:
    """Refuses a string that UTF-8 cannot hold.

    Raises:
        InputError: It has a lone surrogate.
    """
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        why = f"\\u{ord(value[error.start]):04x} is half of a character"
        raise problem(f"a lone surrogate in the {name}", path, line, why=why, mend="Remove it") from error
