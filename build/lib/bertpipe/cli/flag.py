"""A command-line flag from a field of a stage's config."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin

import click

from bertpipe.pipeline.override import Override, parse_value

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_PREFIX: Final = "config_"


class TomlValue(click.ParamType):
    """A value as a pipeline file would have it, for fields of several types; the config checks it."""

    name = "value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parses it; what is not TOML is text."""
        return parse_value(value) if isinstance(value, str) else value


def flag(name: str, field: FieldInfo) -> click.Option:
    """Builds the option of a field: its name, type, description and default."""
    kind = _without_none(field.annotation)
    dashed = name.replace("_", "-")
    # As a metavar the words would take the whole line, and leave the text a narrow column.
    words = "|".join(_choices(kind))
    help_text = f"{field.description or ''}{_default(field, words)}"
    parameter = f"{_PREFIX}{name}"
    if kind is bool:
        return click.Option([f"--{dashed}/--no-{dashed}", parameter], default=None, help=help_text)
    repeated = get_origin(kind) in (list, tuple, set, frozenset) and _is_plain(get_args(kind)[0])
    item = get_args(kind)[0] if repeated else kind
    return click.Option(
        [f"--{dashed}", parameter],
        type=_click_type(item),
        metavar=_metavar(item),
        multiple=repeated,
        default=None,
        help=help_text + ("  (may be repeated)" if repeated else ""),
    )


def is_from_field(parameter: click.Parameter) -> bool:
    """Whether a parameter was built by `flag`."""
    return (parameter.name or "").startswith(_PREFIX)


def overrides_from(step: str, values: dict[str, Any]) -> list[Override]:
    """What the user gave with flags, as overrides of a step's config."""
    overrides = []
    for parameter, value in values.items():
        if parameter.startswith(_PREFIX) and value is not None and value != ():
            key = parameter.removeprefix(_PREFIX)
            plain = list(value) if isinstance(value, tuple) else value
            overrides.append(Override(step, key, plain, f"--{key.replace('_', '-')}"))
    return overrides


def _without_none(annotation: Any) -> Any:
    """``X | None`` as ``X``; other types as they are."""
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [part for part in get_args(annotation) if part is not type(None)]
        if len(rest) == 1:
            return rest[0]
    return annotation


def _click_type(kind: Any) -> click.ParamType:
    if kind is int:
        return click.INT
    if kind is float:
        return click.FLOAT
    if kind in (str, Path):
        return click.STRING
    choices = _choices(kind)
    if choices:
        return click.Choice(choices)
    return TomlValue()


def _metavar(kind: Any) -> str:
    """What stands for the value in the help: short, so that the descriptions have room."""
    return {int: "N", float: "X", str: "TEXT", Path: "PATH"}.get(kind) or ("WORD" if _choices(kind) else "VALUE")


def _choices(kind: Any) -> list[str]:
    """The words that a field may be; empty if it may be anything else."""
    values: Iterable[Any] = ()
    if get_origin(kind) is Literal:
        values = get_args(kind)
    elif isinstance(kind, type) and issubclass(kind, Enum):
        values = [member.value for member in kind]
    words = list(values)
    return words if all(isinstance(word, str) for word in words) else []


def _is_plain(kind: Any) -> bool:
    return kind in (int, float, str, Path) or bool(_choices(kind))


def _default(field: FieldInfo, words: str) -> str:
    """What a field may be and what it is if left out, as the end of a help text."""
    parts = [words] if words else []
    value = None if field.is_required() else field.get_default(call_default_factory=True)
    if field.is_required():
        parts.append("required")
    elif value is not None and value not in ("", (), []):
        if isinstance(value, Enum):
            value = value.value
        text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
        parts.append(f"default: {text}")
    return f"  [{'; '.join(parts)}]" if parts else ""
