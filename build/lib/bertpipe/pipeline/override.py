"""What the command line sets over a pipeline file. Imports nothing but the standard library."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Override:
    """A value that is set over the pipeline file's.

    Attributes:
        step: The step.
        key: The key in its table; dots reach into tables in it.
        value: The value.
        origin: How the user wrote it, for messages: ``--set tokenize.vocab_size=9000``.
    """

    step: str
    key: str
    value: Any
    origin: str


def parse_setting(text: str) -> Override:
    """Reads ``step.key=value``; the value is TOML, or else taken as text.

    Raises:
        ValueError: It has another form.
    """
    target, equals, value = text.partition("=")
    step, dot, key = target.strip().partition(".")
    if not (equals and dot and step and all(key.split("."))):
        raise ValueError(f"{text!r} is not of the form step.key=value")
    return Override(step, key, parse_value(value.strip()), f"--set {text}")


def parse_value(text: str) -> Any:
    """A value as TOML reads it, or the text itself where that is not TOML (``base``, ``my folder/a.txt``)."""
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return table["value"] if len(table) == 1 else text
