"""Which pipeline file is meant, what it is called, and where its run lies.

Needs nothing but the standard library: `bertpipe search` finds its index through `read_pipeline`.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bertpipe.errors import ConfigError
from bertpipe.pipeline.artefact import published_folder
from bertpipe.user_path import user_path

FILE_NAME: Final = "bertpipe.toml"
FALLBACK: Final = Path("pipelines") / "quickstart.toml"
VARIABLE: Final = "BERTPIPE_PIPELINE"
TOP_LEVEL_KEYS: Final = ("name", "runs", "task")
RETRIEVAL: Final = "retrieval"


@dataclass(frozen=True)
class PipelineFile:
    """A pipeline file as it was read; its step tables are not checked yet.

    Attributes:
        path: The file.
        name: What the pipeline is called: its folder in ``runs``.
        run_folder: ``runs/<name>``.
        task: What it is for; decides which steps it has.
        tables: The table of each step.
        text: The file's text, to find line numbers in.
    """

    path: Path
    name: str
    run_folder: Path
    task: str
    tables: dict[str, Any]
    text: str

    @property
    def base(self) -> Path:
        """Folder of the file; relative paths in it start here."""
        return self.path.parent

    def artefact(self, step: str) -> Path:
        """The folder of a step's artefact, whether it exists or not."""
        return published_folder(self.run_folder, step)

    def table(self, name: str) -> Any:
        """What is written under the name of a table, with a dot for one inside of another; None if nothing is."""
        content: Any = self.tables
        for part in name.split("."):
            content = content.get(part) if isinstance(content, dict) else None
        return content

    def line_of(self, table: str, key: str = "") -> int | None:
        """1-based line of a table's header or of a key in it; None where it is written in another way."""
        here = ""
        for number, line in enumerate(self.text.splitlines(), start=1):
            header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line)
            if header:
                here = header[1].strip("\"'")
                if here == table and not key:
                    return number
            # A key of the table, or a table that is written as a key of the file.
            elif here == (table if key else "") and _writes(line, key or table):
                return number
        return None


def find_pipeline(given: str | Path | None = None, start: Path | None = None) -> Path:
    """The pipeline file that is meant.

    ``given``, else ``$BERTPIPE_PIPELINE``, else ``bertpipe.toml`` in the start folder or above it, else
    ``pipelines/quickstart.toml`` in the start folder. A folder stands for the ``bertpipe.toml`` in it.

    Args:
        given: What the user named.
        start: Where to look; the current folder by default.

    Raises:
        ConfigError: There is none.
    """
    start = start or Path.cwd()
    for named, origin in ((given, ""), (os.environ.get(VARIABLE), f"${VARIABLE}")):
        if named:
            path = start / user_path(named)
            path = path / FILE_NAME if path.is_dir() else path
            if not path.is_file():
                why = f"named by {origin}" if origin else ""
                raise ConfigError(f"there is no pipeline file {path}", why=why, hint="Check the path")
            return path
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    if (start / FALLBACK).is_file():
        return start / FALLBACK
    raise ConfigError(
        f"there is no {FILE_NAME} here or in a folder above",
        hint="`bertpipe init FOLDER` writes one for a folder of text, and -p FILE names another",
    )


def read_pipeline(path: Path) -> PipelineFile:
    """Reads a pipeline file, without checking the tables of the steps.

    Raises:
        ConfigError: It cannot be read, is not TOML, or ``name``, ``runs`` or ``task`` is not usable.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        tables = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text", why=str(error), hint="Save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        place = f"{path}:{line[1]}" if line else str(path)
        raise ConfigError(f"{place} is not valid TOML", why=str(error)) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read", why=str(error.strerror)) from error
    default = path.resolve().parent.name if path.name == FILE_NAME else path.stem
    name = tables.pop("name", default or "pipeline")
    runs = tables.pop("runs", "runs")
    task = tables.pop("task", RETRIEVAL)
    for key, value in (("name", name), ("runs", runs), ("task", task)):
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{path}: {key} = {value!r} is not usable", why="a text in quotes is expected")
    if name.startswith(".") or any(mark in name for mark in '/\\:*?"<>|\n'):
        raise ConfigError(f"{path}: name = {name!r} is not usable", why="it becomes the name of a folder")
    run_folder = Path(os.path.normpath(path.parent / user_path(runs) / name))
    return PipelineFile(path, name, run_folder, task, tables, text)


def _writes(line: str, key: str) -> bool:
    """Whether a line of TOML gives a key its value."""
    return bool(re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line))
