"""`bertpipe init`: writes a commented pipeline file for a folder of the user's text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bertpipe.cli.imported_model import ImportedModel, require_bert
from bertpipe.cli.pipeline_text import content_of, pipeline_text, run_command
from bertpipe.cli.understanding_text import TASKS as UNDERSTANDING
from bertpipe.cli.understanding_text import WITHOUT_FIELDS, Labelled, guess_fields, understanding_text
from bertpipe.duration import parse_duration
from bertpipe.errors import ConfigError, InputError
from bertpipe.models.decoding import DIALOGUE, USUAL
from bertpipe.models.task_settings import SIMILARITY
from bertpipe.pipeline.pipeline_file import FILE_NAME, RETRIEVAL
from bertpipe.user_path import user_path

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
  bertpipe init train.en --targets train.de --task translation --budget 1h
  bertpipe init papers.jsonl --task summarization --title-field abstract
  bertpipe init reviews.csv --task classification --model models/minilm
  bertpipe init names.conll --task tagging --corpus articles
  bertpipe init squad.json --task question-answering --model models/minilm
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
@click.option(
    "--task",
    metavar="WORD",
    type=click.Choice([RETRIEVAL, *USUAL, *UNDERSTANDING]),
    default=RETRIEVAL,
    show_default=True,
    help=f"What to learn: {RETRIEVAL} (a search engine), {', '.join([*USUAL, *UNDERSTANDING])}.",
)
@click.option("--targets", metavar="FILE", help="Translations or summaries of FOLDER's lines, line for line.")
@click.option("--text-field", metavar="NAME", help="Field of a record with the text.")
@click.option("--title-field", metavar="NAME", help="Field of a record with the translation or summary.")
@click.option("--label-field", metavar="NAME", help="Field of a record with the label or score.")
@click.option("--pair-field", metavar="NAME", help="Field of a record with the second text of a pair.")
@click.option("--corpus", metavar="FOLDER", help="Text to learn the language from, without --model.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
def init(
    folder: str,
    out: str,
    budget: float,
    model: str | None,
    task: str,
    targets: str | None,
    text_field: str | None,
    title_field: str | None,
    label_field: str | None,
    pair_field: str | None,
    corpus: str | None,
    force: bool,
) -> None:
    """Write a commented pipeline file for FOLDER, a folder or a file of text.

    Looks at the first lines of the files to guess the fields of records and the language.
    """
    source, target = user_path(folder), user_path(out)
    if target.exists() and not force:
        raise ConfigError(f"{target} is there already", hint="--force overwrites it, --out FILE writes another")
    if task in UNDERSTANDING:
        if targets or title_field:
            raise ConfigError(
                "--targets and --title-field are for tasks that write", hint="Name labels with --label-field"
            )
        fields = Labelled(source, text_field or "", pair_field or "", label_field or "")
        _write_understanding(task, fields, target, budget, model, corpus)
        return
    if label_field or pair_field or corpus:
        raise ConfigError(f"--label-field, --pair-field and --corpus are for --task {', '.join(UNDERSTANDING)}")
    if task != RETRIEVAL:
        if model:
            raise ConfigError(f"--model is not for {task}", hint="Leave it out, or set pretrain.imported in the file")
        _write_generation(task, source, target, budget, targets, text_field, title_field)
        return
    if targets or text_field or title_field:
        raise ConfigError("--targets, --text-field and --title-field are for --task translation and summarization")
    start = ImportedModel.look_at(user_path(model)) if model else None
    seen = inspect(source)
    if not seen.endings:
        others = ", ".join(f"{count} {ending}" for ending, count in seen.ignored.items())
        raise InputError(
            "there is no file that can be read",
            path=source,
            why=f"there is only: {others}" if others else "the folder is empty",
            hint="Add .txt, .rst, .md, .html, .jsonl, .csv or .tsv files",
        )
    _write(pipeline_text(source, target, seen, budget, start), target)
    click.echo(f"wrote {target} for {source}: {content_of(seen)}")
    for problem in seen.problems:
        click.echo(f"cannot be read: {problem}", err=True)
    click.echo(f"next: {run_command(target)}", err=True)


def _write_generation(
    task: str,
    source: Path,
    target: Path,
    budget: float,
    targets: str | None,
    text_field: str | None,
    title_field: str | None,
) -> None:
    """The pipeline file of a task that writes."""
    from bertpipe.cli.generation_text import Pairs, generation_text

    for path in (source, *([user_path(targets)] if targets else [])):
        if not path.exists():
            raise InputError("there is no such file", path=path)
    if targets and task == DIALOGUE:
        raise ConfigError("--targets is for translation and summarization", hint="Give the file of dialogues alone")
    text, title = text_field or "text", title_field or "title"
    if not targets and task != DIALOGUE:
        seen = inspect(source)
        text, title = text_field or seen.text_field or "", title_field or seen.title_field or ""
        if not text or not title or text == title:
            raise InputError(
                "it does not show which field is the text and which is to be written for it",
                path=source,
                why=f"the fields are {', '.join(seen.fields)}" if seen.fields else "there are no records",
                hint="Name them with --text-field and --title-field, or give two files with --targets.",
            )
    pairs = Pairs(source, user_path(targets) if targets else None, text, title)
    _write(generation_text(task, pairs, target, budget), target)
    click.echo(f"wrote {target} for {source}: {task}")
    click.echo(f"next: {run_command(target)}", err=True)


def _write_understanding(
    task: str, given: Labelled, target: Path, budget: float, model: str | None, corpus: str | None
) -> None:
    """The pipeline file of a task that understands."""
    source = given.source
    if model and corpus:
        raise ConfigError("--model and --corpus are both given", hint="A model has learned its language already")
    start, text = (user_path(path) if path else None for path in (model, corpus))
    for path in (source, *([text] if text else [])):
        if not path.exists():
            raise InputError("there is no such file", path=path)
    if start is not None and not (start / "model.safetensors").is_file():
        raise ConfigError(f"{start} holds no model", hint="Read one with `bertpipe import`")
    if start is not None:
        require_bert(start)
    found = given
    if task in WITHOUT_FIELDS:
        if given.text_field or given.pair_field or given.label_field:
            raise ConfigError(f"fields have no names in files for {task}", hint="Leave them out")
        if start is None and text is None:
            raise ConfigError(
                "it does not show what to learn the language from",
                hint="Name a model with --model, or text with --corpus",
            )
    else:
        seen = inspect(source)
        found = guess_fields(task, source, seen.fields, given)
        if not found.text_field or not found.label_field or (task == SIMILARITY and not found.pair_field):
            raise InputError(
                "it does not show which fields hold the text and what is to be learned",
                path=source,
                why=f"the fields are {', '.join(seen.fields)}" if seen.fields else "there are no records",
                hint="Name them with --text-field, --label-field and --pair-field.",
            )
        text = text or (None if start else source)
    _write(understanding_text(task, found, target, budget, start, text), target)
    click.echo(f"wrote {target} for {source}: {task}")
    click.echo(f"next: {run_command(target)}", err=True)


def _write(text: str, target: Path) -> None:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise InputError("a name is not UTF-8", why=str(error), hint="Give the file or folder another name.") from error
    try:
        target.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written", why=str(error.strerror)) from error


def inspect(source: Path) -> Inspection:
    """Looks at the user's text; the readers are imported only here."""
    from bertpipe.text.readers.inspection import inspect_source

    return inspect_source(source)
