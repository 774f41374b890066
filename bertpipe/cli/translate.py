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

    With - for TEXT, translate standard input line by line; --json then prints one JSON document a line. Each sentence
    is translated by itself.
    """
    if best > beams:
        raise click.UsageError(f"--best {best} needs --beams {best} or more.")
    generator = open_generator(model, pipeline, TRANSLATION)

    decoding = Decoding(beams=beams, length_penalty=length_penalty, best=best)
    several = text == "-"
    for group in windows(input_lines()) if several else iter([[(0, text.strip())]]):
        texts, error = _texts(generator, group, keep_empty=keep_empty)
        for result in _translate(generator, texts, decoding):
            if as_json:
                print_json(result, one_line=several)
            else:
                for translation in result["translations"]:
                    score = f"{translation['score']:8.3f}  " if best > 1 else ""
                    click.echo(f"{score}{translation['text']}")
        if error is not None:  # what came before it is answered
            raise error


def _texts(
    generator: Generator, group: list[tuple[int, str]], *, keep_empty: bool
) -> tuple[list[tuple[str, list[str]]], InputError | None]:
    """Lines with their sentences, up to the first that cannot be translated, and why that one cannot."""
    texts: list[tuple[str, list[str]]] = []
    for place, line in group:
        if not line and not keep_empty:
            error = InputError("there is nothing to translate", hint="--keep-empty answers with an empty line.")
            return texts, _at(error, place)
        try:
            texts.append((line, generator.sentences(line)))
        except InputError as error:
            return texts, _at(error, place)
    return texts, None


def _translate(generator: Generator, texts: list[tuple[str, list[str]]], decoding: Decoding) -> list[dict[str, Any]]:
    """One result a line; a line of several sentences is the sentences' translations side by side."""
    began = time.perf_counter()
    written = list(generator.generate([sentence for _, sentences in texts for sentence in sentences], decoding))
    seconds = (time.perf_counter() - began) / max(1, len(texts))
    results = []
    for line, sentences in texts:
        count = len(sentences)
        mine, written = written[:count], written[count:]
        # Alternatives of a text of several sentences would be combinations; the best of each is what there is.
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
