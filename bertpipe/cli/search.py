"""`bertpipe search`: asks the index. Neither torch, Lightning nor pydantic is imported."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bertpipe.cli.numbered_lines import numbered_lines
from bertpipe.cli.options import json_option, pipeline_option, with_options
from bertpipe.cli.output import number, plain, print_json, tail_of
from bertpipe.cli.wrapping import line_ends
from bertpipe.errors import ArtefactError, ConfigError, InputError
from bertpipe.pipeline.artefact import Artefact
from bertpipe.pipeline.pipeline_file import RETRIEVAL, find_pipeline, read_pipeline

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from bertpipe.retrieval.index import Hit, Index, SearchResult
    from bertpipe.retrieval.snippet import Snippet

# Lines of a passage that a hit shows, and columns that it is moved in by: a rank and two spaces.
SNIPPET_LINES, INDENT = 3, 4


@with_options(pipeline_option(), json_option())
@click.command(
    epilog="""\b
Examples:
  bertpipe search "split a string at every separator"
  bertpipe search "怎样备份数据" -k 3 --mode dense
  bertpipe search - --json < queries.txt
"""
)
@click.argument("query")
@click.option(
    "-k",
    "--hits",
    "k",
    metavar="N",
    type=click.IntRange(1, 10_000),
    default=10,
    help="How many hits, at most.  [default: 10]",
)
@click.option(
    "--mode",
    metavar="MODE",
    type=click.Choice(["hybrid", "dense", "bm25"]),
    help="bm25: by words; dense: by meaning, as the model learned it; hybrid: by both.  "
    "[default: what found best when the index was built]",
)
@click.option("--index", "folder", metavar="FOLDER", help="An index folder, instead of the pipeline's.")
def search(query: str, k: int, mode: str | None, folder: str | None, pipeline: str | None, as_json: bool) -> None:
    """Find the passages that answer QUERY best.

    With - for QUERY, read queries from standard input, one a line; --json then prints one JSON document a line.
    """
    index = open_index(folder, pipeline)
    several = query == "-"
    searched = False
    for one in query_lines() if several else [query]:
        result = index.search(one, k, mode)  # type: ignore[arg-type]
        searched = True
        if as_json:
            print_json(result.as_json(), one_line=several)
        else:
            _show(result, len(index))
    if not searched:
        raise InputError("standard input has no query", hint="Give one query a line.")


def open_index(folder: str | None, pipeline: str | None) -> Index:
    """The index that a command line means.

    Args:
        folder: As given with ``--index``, if it was.
        pipeline: As given with ``-p``, if it was.

    Raises:
        ConfigError: There is no pipeline, or it is for something else.
        ArtefactError: There is no index yet, or it is damaged.
        UsageError: Both are given.
    """
    if folder and pipeline:
        raise click.UsageError("Name either an index with --index or a pipeline with -p.")

    from bertpipe.retrieval.index import Index

    if folder:
        place = Path(folder)
    else:
        file = read_pipeline(find_pipeline(pipeline))
        if file.task != RETRIEVAL:
            raise ConfigError(
                f"{file.path} is for {file.task} and has no index",
                hint=f'A pipeline with task = "{RETRIEVAL}" has one; -p FILE names it.',
            )
        place = file.artefact("index")
    if not place.is_dir():
        raise ArtefactError(
            f"there is no index at {place}", hint="Build it with `bertpipe run`, or name one with --index."
        )
    Artefact.open(place)
    return Index(place)


def query_lines() -> Iterable[str]:
    """The lines of standard input that hold something.

    Raises:
        InputError: One is not UTF-8.
    """
    for _, text in numbered_lines(sys.stdin.buffer, "standard input"):
        if text:
            yield text


def _show(result: SearchResult, passages: int) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False)
    tail = f"({len(result.hits)} of {number(passages)} passages, {result.mode}, {result.took_ms:.0f} ms)"
    console.print(Text.assemble((plain(result.query), "bold"), "  ", (tail, "dim")))
    if not result.hits:
        console.print("Nothing found. Try other words, or --mode dense.")
    for hit in result.hits:
        _show_hit(console, result, hit)
    console.print()


def _show_hit(console: Console, result: SearchResult, hit: Hit) -> None:
    """Title, snippet, and a line that says where it is from and how it scored."""
    from rich.text import Text

    from bertpipe.retrieval.analysis import analyse
    from bertpipe.retrieval.snippet import snippet

    columns = max(20, console.width - INDENT)
    passage = hit.passage
    # A word of the query may stand in the title alone.
    title = snippet(passage.title or passage.document, analyse(result.query), columns)
    body = result.snippet(hit, max(20, SNIPPET_LINES * columns - 8))
    scores = "  ".join(f"{name} {value:.2f}" for name, value in hit.scores.items())
    source = ""
    if passage.title not in ("", passage.document):
        source = tail_of(plain(passage.document), columns - len(scores) - 2) + "  "
    console.print(Text.assemble((f"{hit.rank:>2}  ", "dim"), _marked(title, "bold cyan")), no_wrap=True)
    # Rich breaks lines at spaces, of which Chinese has none.
    lines = _marked(body, "").divide(line_ends(body.text, columns))
    for line in [*lines, Text(source + scores, style="dim")]:
        line.rstrip()
        console.print(Text.assemble(" " * INDENT, line), no_wrap=True)


def _marked(shown: Snippet, style: str) -> Text:
    """A snippet with the query's words in another colour."""
    from rich.text import Text

    text = Text(shown.text, style=style)
    for start, end in shown.spans:
        text.stylize("bold yellow", start, end)
    return text
