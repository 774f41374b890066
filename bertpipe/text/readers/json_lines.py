"""JSON lines: one object a line, blank lines allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from bertpipe.errors import InputError
from bertpipe.text.readers.file_text import read_lines
from bertpipe.text.readers.problem import problem
from bertpipe.text.readers.record import Record


def read_json_lines(path: Path, limit: int) -> Iterator[Record | InputError]:
    """The objects of a JSON lines file, one in memory at a time.

    Args:
        path: The file.
        limit: The most bytes that a line may have.

    Yields:
        The objects, and an `InputError` in the place of each line that is not one.
    """
    for item in read_lines(path, limit):
        if isinstance(item, InputError):
            yield item
            continue
        number, line = item
        if line.isspace() or not line:
            continue
        try:
            value = _DECODER.decode(line)
        except json.JSONDecodeError as error:
            yield problem("broken JSON", path, number, why=f"{error.msg} at column {error.colno}")
        except (ValueError, RecursionError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            yield problem("broken JSON", path, number, why=why)
        else:
            if isinstance(value, dict):
                yield Record(number, value)
            else:
                why = f"it is {_KINDS.get(type(value), 'something else')}"
                yield problem("the line is not a JSON object", path, number, why=why, mend="Write {...} there")


_KINDS = {
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def no_such_number(name: str) -> NoReturn:
    """Refuses NaN and Infinity, which `json` would read and JSON does not have."""
    raise ValueError(f"{name} is not a JSON number")


# json.loads would make a decoder for every line.
_DECODER = json.JSONDecoder(parse_constant=no_such_number)
