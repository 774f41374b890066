"""A pipeline file with every step's config checked, and what the command line sets over it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertpipe.errors import ConfigError
from bertpipe.pipeline.override import Override
from bertpipe.pipeline.pipeline_file import TOP_LEVEL_KEYS, PipelineFile, read_pipeline
from bertpipe.pipeline.stage import Stage

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


@dataclass(frozen=True)
class Pipeline:
    """A pipeline, ready to run.

    Attributes:
        file: The file it was read from.
        configs: Validated config by step name.
    """

    file: PipelineFile
    configs: Mapping[str, BaseModel]

    @property
    def name(self) -> str:
        """What it is called."""
        return self.file.name

    @property
    def base(self) -> Path:
        """Folder of the file; relative paths in configs start here."""
        return self.file.base

    @property
    def run_folder(self) -> Path:
        """Where its artefacts are: ``runs/<name>``."""
        return self.file.run_folder


def load_pipeline(path: Path, stages: Collection[Stage], overrides: Sequence[Override] = ()) -> Pipeline:
    """Reads and checks a pipeline file.

    Args:
        path: The file, see `find_pipeline`.
        stages: All stages.
        overrides: Values set over the file's, later ones over earlier ones.

    Raises:
        ConfigError: An unknown table or key (naming the nearest known one), a wrong value, or broken TOML.
    """
    file = read_pipeline(path)
    names = [stage.name for stage in stages]
    tables = [stage.name for stage in stages if not stage.table]
    for table, content in file.tables.items():
        line = file.line_of(table)
        place = f"{path}:{line}" if line else str(path)
        if table not in tables:
            written = [stage.keys for stage in stages]
            known = written if isinstance(content, dict) else [*TOP_LEVEL_KEYS, *written]
            what = f"unknown table [{table}]" if isinstance(content, dict) else f"unknown key {table}"
            raise ConfigError(f"{place}: {what}", hint=_nearest(table, known))
        if not isinstance(content, dict):
            raise ConfigError(f"{place}: {table} is a step", why=f"a table [{table}] is expected")
    for stage in stages:
        if stage.table and not isinstance(file.table(stage.table), dict | None):
            line = file.line_of(*stage.table.rsplit(".", 1))
            place = f"{path}:{line}" if line else str(path)
            raise ConfigError(f"{place}: {stage.table} is a step", why=f"a table [{stage.table}] is expected")
    inner = {stage.table: stage.name for stage in stages if stage.table}
    overrides = [_redirected(override, inner) for override in overrides]
    for override in overrides:
        if override.step not in names:
            raise ConfigError(
                f"{override.origin}: there is no step {override.step!r}", hint=_nearest(override.step, names)
            )
    return Pipeline(file, {stage.name: _check(file, stage, overrides, inner) for stage in stages})


def _redirected(override: Override, inner: Mapping[str, str]) -> Override:
    """An override of a key in a table inside of a table, as one of the step that has its keys there."""
    for table, step in inner.items():
        if f"{override.step}.{override.key}".startswith(f"{table}."):
            key = f"{override.step}.{override.key}".removeprefix(f"{table}.")
            return Override(step, key, override.value, override.origin)
    return override


def _check(file: PipelineFile, stage: Stage, overrides: Sequence[Override], inner: Collection[str] = ()) -> BaseModel:
    """The validated config of one step; ``inner`` are the tables inside of others that are steps themselves."""
    from pydantic import ValidationError

    table = json.loads(json.dumps(file.table(stage.keys) or {}, default=str))
    for name in inner:
        outer, _, last = name.rpartition(".")
        if outer == stage.keys:
            table.pop(last, None)
    origins: dict[str, str] = {}
    for override in overrides:
        if override.step == stage.name:
            first, *rest = override.key.split(".")
            origins[first] = override.origin
            below = table
            for key, following in zip([first, *rest], rest, strict=False):
                below = below.setdefault(key, {})
                if not isinstance(below, dict):
                    raise ConfigError(f"{override.origin}: {key} has no key {following}")
            below[[first, *rest][-1]] = override.value
    try:
        # As strict JSON: lists may fill tuples and integers floats, but no text becomes a number by luck.
        return stage.config.model_validate_json(json.dumps(table, default=str), strict=True)
    except ValidationError as error:
        raise _config_error(error, file, stage, table, origins) from error


def _config_error(
    error: ValidationError,
    file: PipelineFile,
    stage: Stage,
    table: Mapping[str, Any],
    origins: Mapping[str, str],
) -> ConfigError:
    """The first problem that pydantic found, as one line that names the file and the key."""
    problems = error.errors(include_url=False)
    first = problems[0]
    key = str(first["loc"][0]) if first["loc"] else ""
    line = file.line_of(stage.keys, key)
    if first["type"] == "missing":
        line = file.line_of(stage.keys)
    place = origins.get(key) or (f"{file.path}:{line}" if line else str(file.path))
    where = f"{place}: [{stage.keys}]"
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        return ConfigError(f"{where} has no key {key!r}", hint=_nearest(key, stage.config.model_fields))
    if first["type"] == "missing" and len(first["loc"]) == 1:
        description = stage.config.model_fields[key].description or ""
        return ConfigError(f"{where} {key} is missing", why=description.rstrip("."))
    # A field that may be of several types reports one problem for each.
    same = [problem for problem in problems if problem["loc"][:1] == first["loc"][:1]]
    why = " or ".join(dict.fromkeys(_words(problem["msg"]) for problem in same))
    inside = ".".join(str(part) for part in first["loc"]) if len(same) == 1 else key
    value = f" = {json.dumps(table[key], ensure_ascii=False)}" if key in table else ""
    return ConfigError(f"{where} {inside}{value} is not usable".replace("  ", " "), why=why)


def _words(message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return text[:1].lower() + text[1:]


def _nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}"
