"""`bertpipe summarize`: a title or a short summary of a text."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bertpipe.cli.generation import (
    beams_option,
    input_lines,
    length_penalty_option,
    model_option,
    open_generator,
    windows,
)
from bertpipe.cli.options import json_option, pipeline_option, with_options
from bertpipe.cli.output import print_json
from bertpipe.errors import InputError
from bertpipe.models.decoding import SUMMARIZATION, USUAL, Decoding
from bertpipe.user_path import user_path

if TYPE_CHECKING:
    from bertpipe.models.generator import Generator


@with_options(
    beams_option(USUAL[SUMMARIZATION].beams), length_penalty_option(), model_option(), pipeline_option(), json_option()
)
@click.command(
    epilog="""\b
Examples:
  bertpipe summarize article.md
  bertpipe summarize notes/*.txt --json
  cut -f2 papers.tsv | bertpipe summarize -
"""
)
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--no-repeat",
    metavar="N",
    type=click.IntRange(0),
    default=USUAL[SUMMARIZATION].no_repeat_ngram,
    show_default=True,
    help="Never write the same N pieces in a row twice; 0 allows it.",
)
@click.option("--whole", is_flag=True, help="Refuse a text that is longer than what the model reads.")
def summarize(
    files: tuple[str, ...],
    no_repeat: int,
    whole: bool,
    beams: int,
    length_penalty: float,
    model: str | None,
    pipeline: str | None,
    as_json: bool,
) -> None:
    """Summarize each of FILES.

    With - for FILES, summarize standard input, one text a line; --json then prints one JSON document a line. The
    model reads the beginning of a text, as far as it learned to; a note on standard error says where it left off.
    """
    generator = open_generator(model, pipeline, SUMMARIZATION)

    decoding = Decoding(beams=beams, length_penalty=length_penalty, no_repeat_ngram=no_repeat)
    if files == ("-",):
        for group in windows(input_lines()):
            texts = [(f"standard input:{place}", line) for place, line in group]
            _show(generator, texts, decoding, whole=whole, as_json=as_json, named=False, one_line=True)
        return
    for name in files:
        text = _read(user_path(name))
        _show(
            generator,
            [(name, text)],
            decoding,
            whole=whole,
            as_json=as_json,
            named=len(files) > 1,
            one_line=len(files) > 1,
        )


def _read(path: Path) -> str:
    from bertpipe.text.readers.file_text import read_text, tidy

    try:
        return tidy(read_text(path, limit=2**26))
    except InputError as error:  # without its hint: a corpus may skip files
        raise InputError(error.what, why=error.why) from error


def _show(
    generator: Generator,
    texts: list[tuple[str, str]],
    decoding: Decoding,
    *,
    whole: bool,
    as_json: bool,
    named: bool,
    one_line: bool,
) -> None:
    """Prints the summary of each of some texts, given with their names."""
    limit = generator.settings.max_source - generator.model.config.frame
    began = time.perf_counter()
    sizes = []
    for name, text in texts:
        if not text:
            raise InputError("there is nothing to summarize", path=name)
        sizes.append(len(generator.source_ids(text)))
        if sizes[-1] > limit and whole:
            raise InputError(
                f"the text has {sizes[-1]:,} tokens, the model reads {limit:,}",
                path=name,
                hint="Leave out --whole, or train with a larger finetune.max_source.",
            )
        if sizes[-1] > limit and not as_json:
            click.echo(f"{name}: read the first {limit:,} of {sizes[-1]:,} tokens", err=True)
    written = list(generator.generate([text for _, text in texts], decoding))
    milliseconds = 1000 * (time.perf_counter() - began) / len(texts)
    for (name, _), size, targets in zip(texts, sizes, written, strict=True):
        best = targets[0]
        if as_json:
            document: dict[str, Any] = {
                "document": name,
                "summary": best.text,
                "score": round(best.score, 4),
                "tokens": size,
                "tokens_read": min(size, limit),
                "took_ms": round(milliseconds, 1),
            }
            print_json(document, one_line=one_line or not sys.stdout.isatty())
        else:
            click.echo(f"{name}: {best.text}" if named else best.text)
