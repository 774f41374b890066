"""What the commands that write text share: their options, the model, and their input."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from bertpipe.cli.numbered_lines import numbered_lines
from bertpipe.errors import ArtefactError, ConfigError, InputError
from bertpipe.models.decoding import USUAL
from bertpipe.pipeline.artefact import Artefact
from bertpipe.pipeline.pipeline_file import find_pipeline, read_pipeline
from bertpipe.user_path import user_path

if TYPE_CHECKING:
    from bertpipe.models.generator import Generator

# Lines of standard input that are read before the first of them is answered.
WINDOW = 256


class NumberRange(click.FloatRange):
    """Numbers of a range; "nan" is none of them, though no comparison keeps it out."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number that a text says."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


# Powers of a length beyond these are no longer numbers.
LENGTH_PENALTIES = NumberRange(-10, 10)


def model_option() -> click.Option:
    """``--model FOLDER``."""
    return click.Option(["--model"], metavar="FOLDER", help="A model's folder, instead of the pipeline's.")


def beams_option(default: int) -> click.Option:
    """``--beams N``."""
    return click.Option(
        ["--beams"],
        metavar="N",
        type=click.IntRange(1, 256),
        default=default,
        show_default=True,
        help="Targets kept side by side while they are written; 1 is fastest.",
    )


def length_penalty_option() -> click.Option:
    """``--length-penalty X``."""
    return click.Option(
        ["--length-penalty"],
        metavar="X",
        type=LENGTH_PENALTIES,
        default=1.0,
        show_default=True,
        help="Above 1 favours longer texts, below 1 shorter ones.",
    )


def open_generator(model: str | None, pipeline: str | None, task: str | None) -> Generator:
    """The model of ``--model``, or of the pipeline's last step.

    Args:
        model: A model's folder, as given.
        pipeline: A pipeline file, as given.
        task: What it has to be for; None: any task that writes.

    Raises:
        ConfigError: Both are given, or the pipeline is for something else.
        ArtefactError: There is no model yet, or it is damaged.
    """
    if model and pipeline:
        raise ConfigError("--model and -p are both given", hint="Give one of them.")
    if model:
        folder = user_path(model)
        if not folder.is_dir():
            raise ArtefactError(f"there is no model at {folder}")
    else:
        file = read_pipeline(find_pipeline(pipeline))
        if file.task not in ([task] if task else USUAL):
            wanted = f'"{task}"' if task else " or ".join(f'"{name}"' for name in USUAL)
            raise ConfigError(
                f"{file.path} is for {file.task}", hint=f"A pipeline with task = {wanted} is needed; -p FILE names one."
            )
        folder = file.artefact("finetune")
        if not folder.is_dir():
            raise ArtefactError(f"there is no model at {folder}", hint="Train it with `bertpipe run`.")
        Artefact.open(folder)

    from bertpipe.models.generator import Generator

    generator = Generator(folder)
    if task and generator.settings.task != task:
        raise ConfigError(f"{folder} is for {generator.settings.task}", hint=f"A model for {task} is needed.")
    return generator


def input_lines() -> Iterator[tuple[int, str]]:
    """The lines of standard input with their numbers, without white space around them.

    Raises:
        InputError: A line is not UTF-8, or there is none.
    """
    place = 0
    for place, line in numbered_lines(sys.stdin.buffer, "standard input"):
        yield place, line
    if not place:
        raise InputError("standard input is empty", hint="Give one text a line.")


def windows(lines: Iterator[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Lines in groups: as one by one from a person at a terminal, or many at a time."""
    size = 1 if sys.stdin.isatty() else WINDOW
    group: list[tuple[int, str]] = []
    for line in lines:
        group.append(line)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
