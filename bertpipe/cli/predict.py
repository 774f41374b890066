"""`bertpipe predict`: what a trained model says about texts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bertpipe.cli.generation import input_lines, windows
from bertpipe.cli.numbered_lines import numbered_lines
from bertpipe.cli.options import json_option, with_options
from bertpipe.cli.output import print_json
from bertpipe.cli.prediction_text import show
from bertpipe.errors import ArtefactError, ConfigError, InputError
from bertpipe.models.task_settings import QUESTION_ANSWERING, SETTINGS, UNDERSTANDING
from bertpipe.pipeline.artefact import MANIFEST, Artefact
from bertpipe.text.surrogates import encodable
from bertpipe.user_path import user_path

if TYPE_CHECKING:
    from bertpipe.models.predictions import Prediction
    from bertpipe.models.predictor import Predictor


@with_options(json_option())
@click.command(
    epilog="""\b
Examples:
  bertpipe predict runs/reviews/finetune "The soup was cold."
  bertpipe predict runs/names/finetune "Ann lives in Oslo." --json
  bertpipe predict runs/alike/finetune "A dog runs." --pair "A dog is running."
  bertpipe predict runs/qa/reader "Who left?" --pair "Ann left at noon."
  bertpipe predict runs/reviews/finetune --file reviews.txt --json > answers.jsonl
"""
)
@click.argument("model")
@click.argument("text", required=False)
@click.option("--pair", metavar="TEXT", help="The second text, for a model that reads pairs: questions and texts too.")
@click.option("--file", "file_name", metavar="FILE", help="Read texts from a file, one a line.")
@click.option(
    "--top", metavar="N", type=click.IntRange(1), help="Show the N likeliest labels.  [default: 5, --json: all]"
)
def predict(
    model: str, text: str | None, pair: str | None, file_name: str | None, top: int | None, as_json: bool
) -> None:
    """Say about TEXT what MODEL has learned.

    That is its classes, the names in it, how similar it is to another text, or what another text answers to it. MODEL
    is the folder of a finetune step.

    With - for TEXT, or with --file, predict line by line; where the model reads pairs, a line holds both texts with a
    tab between them. --json then prints one JSON document a line.
    """
    if (text is None) == (file_name is None):
        raise click.UsageError("Give a text, - for standard input, or --file FILE.")
    several = text is None or text == "-"
    if several and pair is not None:
        raise click.UsageError("--pair is for a single text; a line holds both texts with a tab between them.")
    lines = _file_lines(user_path(file_name)) if file_name else input_lines()
    origin = file_name or "standard input"
    predictor = open_predictor(model)
    cut = 0
    for group in windows(lines) if several else iter([[(0, encodable(str(text)).strip())]]):
        texts, pairs, error = _texts(predictor, group, origin, pair)
        began = time.perf_counter()
        found = list(predictor.predict(texts, pairs)) if texts else []
        took = 1000 * (time.perf_counter() - began) / max(1, len(found))
        for prediction in found:
            cut += getattr(prediction, "cut", False)
            if as_json:
                print_json(_json(prediction, top) | {"took_ms": round(took, 1)}, one_line=several)
            else:
                show(prediction, top=top, one_line=several)
        if error is not None:  # what came before it is answered
            raise error
    if cut:
        limit = predictor.settings.question_tokens or predictor.settings.max_tokens
        which = f"{cut:,} texts are" if several else "the text is"
        click.echo(f"note: {which} longer than the {limit} tokens that the model reads", err=True)


def open_predictor(model: str) -> Predictor:
    """The model in a folder.

    Raises:
        ArtefactError: There is none, or it is damaged.
        ConfigError: It is for something else.
    """
    folder = user_path(model)
    if not folder.is_dir():
        raise ArtefactError(f"there is no model at {folder}", hint="Name the folder of a finetune step.")
    if (folder / MANIFEST).is_file():
        Artefact.open(folder)

    if not (folder / SETTINGS).is_file():
        raise ConfigError(
            f"{folder} has learned no task of this kind",
            why=f"it has no {SETTINGS}",
            hint=f"Name the finetune step of a pipeline for {', '.join(UNDERSTANDING)}.",
        )

    from bertpipe.models.predictor import Predictor

    return Predictor(folder)


def _texts(
    predictor: Predictor, group: list[tuple[int, str]], origin: str, pair: str | None
) -> tuple[list[str], list[str] | None, InputError | None]:
    """Texts, with their second ones, up to the first that cannot be read, and why that one cannot."""
    texts: list[str] = []
    pairs: list[str] = []
    paired = predictor.paired
    if paired and pair is None and not group[0][0]:
        what = "a question's text" if predictor.settings.task == QUESTION_ANSWERING else "the second one"
        raise ConfigError("the model is for pairs of texts", hint=f"Give {what} with --pair.")
    if pair is not None and not paired:
        raise ConfigError("the model is for single texts", hint="Leave out --pair.")
    for place, line in group:
        where: dict[str, Any] = {"path": origin, "line": place} if place else {}
        first, second = line, encodable(pair or "").strip()
        if paired and place:
            parts = [part.strip() for part in line.split("\t")]
            if len(parts) != 2:
                error = InputError(
                    f"two texts are expected, and there {'is 1' if len(parts) == 1 else f'are {len(parts)}'}",
                    **where,
                    hint="Write both on a line with a tab between them.",
                )
                return texts, pairs, error
            first, second = parts
        if not first or (paired and not second):
            what = "the second text is empty" if first else "the text is empty"
            return texts, pairs if paired else None, InputError(what, **where, hint="Write something, or leave it out.")
        texts.append(first)
        pairs.append(second)
    return texts, pairs if paired else None, None


def _file_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers, without white space around them."""
    try:
        with path.open("rb") as file:
            place = 0
            for place, line in numbered_lines(file, path):
                yield place, line
            if not place:
                raise InputError("the file is empty", path=path, hint="Give one text a line.")
    except OSError as error:
        raise InputError("cannot be read", path=path, why=error.strerror or str(error)) from error


def _json(prediction: Prediction, top: int | None) -> dict[str, Any]:
    from bertpipe.models.predictions import Classified

    return prediction.as_json(top) if isinstance(prediction, Classified) else prediction.as_json()
