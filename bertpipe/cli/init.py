"""`bertpipe init`: writes a commented pipeline file for a folder of the user's text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bertpipe.cli.imported_model import ImportedModel
from bertpipe.cli.pipeline_text import content_of, pipeline_text, run_command
from bertpipe.duration import parse_duration
from bertpipe.errors import ConfigError, InputError
from bertpipe.pipeline.pipeline_file import FILE_NAME

if TYPE_CHECKING:
    from bertpipe.text.readers.inspection import Inspection


def _parse_budget(context: click.Context, parameter: click.Parameter, value: str) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from error


@click.command(
    epilog="""\b
Examples:
  bertpipe init notes
  bertpipe init archive.jsonl --out archive.toml --budget 1h
  bertpipe init notes --model models/minilm
"""
)
@click.argument("folder")
@click.option("--out", metavar="FILE", default=FILE_NAME, show_default=True, help="Pipeline file to write.")
@click.option(
    "--budget",
    metavar="TIME",
    default="10m",
    show_default=True,
    callback=_parse_budget,
    help="Time for the whole first run, such as 90s, 10m or 1h30m.",
)
@click.option("--model", metavar="IMPORTED", help="Start from a model that `bertpipe import` read.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
def init(folder: str, out: str, budget: float, model: str | None, force: bool) -> None:
    """Write a commented pipeline file for FOLDER, a folder or a file of text.

    Looks at the first lines of the files to guess the fields of records and the language.
    """
    source, target = Path(folder).expanduser(), Path(out).expanduser()
    if target.exists() and not force:
        raise ConfigError(f"{target} is there already", hint="--force overwrites it, --out FILE writes another")
    start = ImportedModel.look_at(Path(model).expanduser()) if model else None
    seen = inspect(source)
    if not seen.endings:
        others = ", ".join(f"{count} {ending}" for ending, count in seen.ignored.items())
        raise InputError(
            "there is no file that can be read",
            path=source,
            why=f"there is only: {others}" if others else "the folder is empty",
            hint="Add .txt, .rst, .md, .html, .jsonl, .csv or .tsv files",
        )
    text = pipeline_text(source, target, seen, budget, start)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{target} cannot be written", why=str(error.strerror)) from error
    click.echo(f"wrote {target} for {source}: {content_of(seen)}")
    for problem in seen.problems:
        click.echo(f"cannot be read: {problem}", err=True)
    click.echo(f"next: {run_command(target)}", err=True)


def inspect(source: Path) -> Inspection:
    """Looks at the user's text; the readers are imported only here."""
    from bertpipe.text.readers.inspection import inspect_source

    return inspect_source(source)
