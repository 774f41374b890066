"""`bertpipe translate`: texts into the language that the pipeline learned."""

from __future__ import annotations

import time
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
from bertpipe.models.decoding import TRANSLATION, USUAL, Decoding

if TYPE_CHECKING:
    from bertpipe.models.generator import Generator


@with_options(
    beams_option(USUAL[TRANSLATION].beams), length_penalty_option(), model_option(), pipeline_option(), json_option()
)
@click.command(
    epilog="""\b
Examples:
  bertpipe translate "A dog runs across the field."
  bertpipe translate - < source.txt > target.txt
  bertpipe translate "A dog runs." --best 3 --json
"""
)
@click.argument("text")
@click.option(
    "--best", metavar="N", type=click.IntRange(1), default=1, show_default=True, help="Show so many translations."
)
@click.option("--keep-empty", is_flag=True, help="Answer an empty line with an empty line instead of an error.")
def translate(
    text: str,
    best: int,
    keep_empty: bool,
    beams: int,
    length_penalty: float,
    model: str | None,
    pipeline: str | None,
    as_json: bool,
) -> None:
    """Translate TEXT.

    With - for TEXT, translate standard input line by line; --json then prints one JSON document a line. A text that is
    longer than the model can read is translated some sentences at a time.
    """
    if best > beams:
        raise click.UsageError(f"--best {best} needs --beams {best} or more.")
    generator = open_generator(model, pipeline, TRANSLATION)

    decoding = Decoding(beams=beams, length_penalty=length_penalty, best=best)
    several = text == "-"
    for group in windows(input_lines()) if several else iter([[(0, text.strip())]]):
        for result in _translate(generator, group, decoding, keep_empty=keep_empty):
            if as_json:
                print_json(result, one_line=several)
            else:
                for translation in result["translations"]:
                    score = f"{translation['score']:8.3f}  " if best > 1 else ""
                    click.echo(f"{score}{translation['text']}")


def _translate(
    generator: Generator, group: list[tuple[int, str]], decoding: Decoding, *, keep_empty: bool
) -> list[dict[str, Any]]:
    """One result a line; a line of several stretches is the stretches' translations side by side."""
    began = time.perf_counter()
    stretches: list[str] = []
    counts: list[int] = []
    for place, line in group:
        if not line and not keep_empty:
            raise _at(
                InputError("there is nothing to translate", hint="--keep-empty answers with an empty line."), place
            )
        try:
            parts = generator.stretches(line) if line else []
        except InputError as error:
            raise _at(error, place) from error
        counts.append(len(parts))
        stretches += parts
    written = list(generator.generate(stretches, decoding))
    seconds = (time.perf_counter() - began) / len(group)
    results = []
    for (_, line), count in zip(group, counts, strict=True):
        mine, written = written[:count], written[count:]
        # Alternatives of a text in several parts would be combinations; the best of each part is what there is.
        ranks = len(mine[0]) if count == 1 else 1
        translations = [
            {
                "text": generator.join([part[rank].text for part in mine]),
                "score": round(sum(part[rank].score for part in mine) / max(1, count), 4),
                "tokens": sum(part[rank].tokens for part in mine),
            }
            for rank in range(ranks)
        ]
        results.append({"source": line, "translations": translations, "took_ms": round(1000 * seconds, 1)})
    return results


def _at(error: InputError, place: int) -> InputError:
    """The error with the line it is about."""
    if not place:
        return error
    return InputError(error.what, path="standard input", line=place, why=error.why, hint=error.hint)
