"""`bertpipe chat`: a conversation in the terminal with a model that learned from dialogues."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from bertpipe.cli.generation import NumberRange, input_lines, model_option, open_generator
from bertpipe.cli.options import json_option, pipeline_option, with_options
from bertpipe.cli.output import print_json
from bertpipe.errors import InputError
from bertpipe.models.decoding import DIALOGUE, USUAL, Decoding

if TYPE_CHECKING:
    from bertpipe.models.generator import Generator

LEAVE = ("/quit", "/exit")


@with_options(model_option(), pipeline_option(), json_option())
@click.command(
    epilog="""\b
Examples:
  bertpipe chat
  bertpipe chat --temperature 0
  printf '%s\\n' '["How are you?", "Fine.", "And now?"]' | bertpipe chat --json
"""
)
@click.option(
    "--history", metavar="N", type=click.IntRange(1), default=4, show_default=True, help="Turns that a reply looks at."
)
@click.option(
    "--temperature",
    metavar="X",
    type=NumberRange(0, 100),
    default=USUAL[DIALOGUE].temperature,
    show_default=True,
    help="How far replies stray from the likeliest; 0 not at all.",
)
@click.option(
    "--top-p",
    metavar="X",
    type=NumberRange(0, 1, min_open=True),
    default=USUAL[DIALOGUE].top_p,
    show_default=True,
    help="Words are drawn from the likeliest that together have this probability.",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Another seed, other replies.",
)
def chat(
    history: int,
    temperature: float,
    top_p: float,
    seed: int,
    model: str | None,
    pipeline: str | None,
    as_json: bool,
) -> None:
    """Talk with the model.

    In a terminal: /new begins again, /quit or Ctrl-D ends. From standard input: each line is a conversation of its
    own, a turn or a JSON list of turns, and is answered by a line, with --json by a JSON document.
    """
    generator = open_generator(model, pipeline, DIALOGUE)

    decoding = replace(USUAL[DIALOGUE], temperature=temperature, top_p=top_p, seed=seed)
    if sys.stdin.isatty():
        _converse(generator, decoding, history)
        return
    for place, line in input_lines():
        turns = _turns(line, place)
        reply = _reply(generator, turns, decoding, history)
        if as_json:
            print_json({"turns": turns, "reply": reply}, one_line=True)
        else:
            click.echo(reply)


def _converse(generator: Generator, decoding: Decoding, history: int) -> None:
    turns: list[str] = []
    click.echo("/new begins again, /quit or Ctrl-D ends", err=True)
    while True:
        try:
            line = input("you: ").strip()
        except EOFError:
            click.echo()
            return
        if line in LEAVE:
            return
        if line == "/new":
            turns = []
        elif line:
            turns.append(line)
            # Each reply has draws of its own, or the same words would meet the same luck.
            reply = _reply(generator, turns, replace(decoding, seed=decoding.seed + len(turns)), history)
            click.echo(f"bot: {reply}")
            turns.append(reply)


def _reply(generator: Generator, turns: list[str], decoding: Decoding, history: int) -> str:
    from bertpipe.text.dialogue import as_source

    (written,) = generator.generate([as_source(turns[-history:])], decoding)
    return written[0].text


def _turns(line: str, place: int) -> list[str]:
    """The turns of a line: itself, or those of its JSON list."""
    turns = [line]
    if line.startswith("["):
        # What is no JSON is said: "[laughs] Hello."
        with contextlib.suppress(ValueError):
            turns = json.loads(line)
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, str) and turn.strip() for turn in turns):
        raise InputError(
            "a turn is empty or no text",
            path="standard input",
            line=place,
            hint='Give a line of text, or a JSON list of texts such as ["Hello.", "How are you?"].',
        )
    return [turn.strip() for turn in turns]
