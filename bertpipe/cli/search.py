"""`bertpipe search`: asks the index. Neither torch, Lightning nor pydantic is imported."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bertpipe.cli.options import json_option, pipeline_option, with_options
from bertpipe.errors import ArtefactError, InputError
from bertpipe.pipeline.artefact import Artefact
from bertpipe.pipeline.pipeline_file import find_pipeline, read_pipeline

if TYPE_CHECKING:
    from rich.console import Console

    from bertpipe.retrieval.index import Hit, Index, SearchResult

# Lines of a passage that a hit shows.
SNIPPET_LINES = 3


@with_options(pipeline_option(), json_option())
@click.command(
    epilog="""\b
Examples:
  bertpipe search "split a string at every separator"
  bertpipe search "怎样备份数据" -k 3 --mode dense
  bertpipe search - --json < queries.txt     one query a line, one JSON document a line
"""
)
@click.argument("query")
@click.option("-k", "--hits", "k", type=click.IntRange(1, 10_000), default=10, help="How many hits.  [default: 10]")
@click.option(
    "--mode",
    type=click.Choice(["hybrid", "dense", "bm25"]),
    help="Words and vectors, vectors, or words.  [default: what found best in the index's report]",
)
@click.option("--index", "folder", metavar="FOLDER", help="An index folder, instead of the pipeline's.")
def search(query: str, k: int, mode: str | None, folder: str | None, pipeline: str | None, as_json: bool) -> None:
    """Find the passages that answer QUERY best; with - for QUERY, read queries from standard input."""
    if folder and pipeline:
        raise click.UsageError("Name either an index with --index or a pipeline with -p.")
    index = _open(folder, pipeline)
    several = query == "-"
    found = False
    for one in _lines() if several else [query]:
        result = index.search(one, k, mode)  # type: ignore[arg-type]
        found = True
        if as_json:
            indent = None if several else 2
            sys.stdout.write(json.dumps(result.as_json(), ensure_ascii=not _unicode(), indent=indent) + "\n")
            sys.stdout.flush()
        else:
            _show(result)
    if not found:
        raise InputError("standard input has no query", hint="Give one query a line.")


def _open(folder: str | None, pipeline: str | None) -> Index:
    from bertpipe.retrieval.index import Index

    place = Path(folder) if folder else read_pipeline(find_pipeline(pipeline)).artefact("index")
    if not place.is_dir():
        raise ArtefactError(
            f"there is no index at {place}", hint="Build it with `bertpipe run`, or name one with --index."
        )
    Artefact.open(place)
    return Index(place)


def _lines() -> Iterable[str]:
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise InputError("not UTF-8", path="standard input", line=number, why=str(error)) from error
        if text:
            yield text


def _unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def _show(result: SearchResult) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False)
    count = len(result.hits)
    head = f"{result.query}  "
    tail = f"({count} hit{'s' if count != 1 else ''}, {result.mode}, {result.took_ms:.0f} ms)"
    console.print(Text.assemble((head, "bold"), (tail, "dim")))
    if not result.hits:
        console.print("Nothing found. Try other words, or --mode dense.")
    for hit in result.hits:
        _show_hit(console, result, hit)
    console.print()


def _show_hit(console: Console, result: SearchResult, hit: Hit) -> None:
    from rich.padding import Padding
    from rich.text import Text

    passage = hit.passage
    scores = "  ".join(f"{name} {value:.2f}" for name, value in hit.scores.items())
    title = passage.title or passage.document
    line = Text.assemble((f"{hit.rank:>2}  ", "dim"), (title, "bold cyan"))
    if title != passage.document:
        line.append(f"  {passage.document}", "dim")
    console.print(line, overflow="ellipsis", no_wrap=True)
    shown = result.snippet(hit, max(20, SNIPPET_LINES * (console.width - 4) - 8))
    body = Text(shown.text)
    for start, end in shown.spans:
        body.stylize("bold yellow", start, end)
    console.print(Padding(body, (0, 0, 0, 4)))
    console.print(Padding(Text(scores, style="dim"), (0, 0, 0, 4)))
