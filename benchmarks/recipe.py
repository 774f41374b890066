"""A benchmark that is a pipeline: a collection, what is learned from it, and how that is measured.

Everything runs through the command line, as a user's own pipeline would: the recipe becomes a pipeline file,
`bertpipe finetune` trains it (and goes on where it was stopped), `bertpipe evaluate` measures it on texts set aside.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MODEL = "MODEL"
"""Stands in a pipeline file for the folder that ``--model`` names."""


@dataclass(frozen=True)
class Recipe:
    """A collection, what is learned from it and how it is measured.

    Attributes:
        pipeline: The pipeline file.
        prepare: Writes what the pipeline reads and what is set aside, from the data folder into the run's.
        evaluate: Arguments of `bertpipe evaluate`, in the run's folder; nothing is measured without them.
        step: The last step that is run.
    """

    pipeline: str
    prepare: Callable[[Path, Path], None]
    evaluate: tuple[str, ...]
    step: str = "finetune"


def set_aside(name: str, share: float) -> bool:
    """Whether what has this name is measured with instead of learned from: a pure function of the name."""
    return int.from_bytes(hashlib.sha256(f"set aside {name}".encode()).digest()[:8], "big") / 2**64 < share


def write_records(path: Path, records: Iterable[dict[str, str]]) -> None:
    """Writes JSON lines."""
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")


def copy(*names: str) -> Callable[[Path, Path], None]:
    """Takes files as they are."""

    def prepare(data: Path, folder: Path) -> None:
        for name in names:
            source = data / name
            (folder / source.name).write_bytes(source.read_bytes())

    return prepare


def run_recipes(recipes: Mapping[str, Recipe], description: str) -> None:
    """Reads the command line, runs a recipe and prints what `bertpipe evaluate --json` says.

    Args:
        recipes: By name.
        description: The script's.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=recipes)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--folder", type=Path, required=True, help="where the runs go; resumed if they are there")
    parser.add_argument("--model", type=Path, help="folder of the model to start from, where the recipe needs one")
    parser.add_argument(
        "--set", action="append", default=[], metavar="STEP.KEY=VALUE", help="as for `bertpipe finetune`"
    )
    arguments = parser.parse_args()
    recipe = recipes[arguments.recipe]
    if MODEL in recipe.pipeline and not arguments.model:
        parser.error(f"{arguments.recipe} starts from a model: name one with --model")
    folder = (arguments.folder / arguments.recipe).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    recipe.prepare(arguments.data, folder)
    pipeline = folder / "bertpipe.toml"
    text = recipe.pipeline.lstrip()
    if arguments.model:
        text = text.replace(MODEL, arguments.model.resolve().as_posix())
    pipeline.write_text(text, encoding="utf-8")
    bertpipe = [sys.executable, "-m", "bertpipe"]
    settings = [item for setting in arguments.set for item in ("--set", setting)]
    subprocess.run([*bertpipe, recipe.step, "-p", str(pipeline), *settings], check=True, cwd=folder)
    if recipe.evaluate:
        subprocess.run([*bertpipe, "evaluate", *recipe.evaluate, "--json"], check=True, cwd=folder)
