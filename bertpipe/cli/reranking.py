"""The options of `bertpipe search` and `bertpipe ask` that a reranker has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def rerank_options(command: Command) -> Command:
    """Adds ``--rerank``, ``--rerank-ms`` and ``--rerank-depth``; `given` reads them."""
    options = (
        click.option(
            "--rerank/--no-rerank",
            "rerank",
            default=None,
            help="Have the first hits read and put in a better order, if a reranker was trained.  "
            "[default: where that surely helped when the index was built]",
        ),
        click.option(
            "--rerank-ms",
            "rerank_ms",
            metavar="N",
            type=click.FloatRange(0, min_open=True),
            help="Milliseconds that reading may take.  [default: 200]",
        ),
        click.option(
            "--rerank-depth",
            "rerank_depth",
            metavar="N",
            type=click.IntRange(1, 10_000),
            help="Hits to read, instead of a time: the same on any machine.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `bertpipe.retrieval.index.Index.search`: the options that were given."""
    return {name: value for name, value in options.items() if value is not None}
