"""`bertpipe search`: asks the index. Neither torch, Lightning nor pydantic is imported."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bertpipe.cli.hit_view import HitView
from bertpipe.cli.numbered_lines import numbered_lines
from bertpipe.cli.options import json_option, pipeline_option, where_option, with_options
from bertpipe.cli.output import print_json, tell
from bertpipe.cli.reranking import given, rerank_options
from bertpipe.errors import ConfigError, InputError
from bertpipe.pipeline.pipeline_file import RETRIEVAL, find_pipeline, read_pipeline
from bertpipe.user_path import user_path

if TYPE_CHECKING:
    from bertpipe.retrieval.index import Index
    from bertpipe.retrieval.search_result import Mode


@with_options(where_option(), pipeline_option(), json_option())
@click.command(
    epilog="""\b
Examples:
  bertpipe search "split a string at every separator"
  bertpipe search "怎样备份数据" -k 3 --mode dense
  bertpipe search "how to sort" --explain -k 1
  bertpipe search "changed defaults" --where 'year >= 2020 and document startswith "docs/"'
  bertpipe search -i
  bertpipe search - --json < queries.txt
  bertpipe search --queries queries.tsv --json > hits.jsonl
  bertpipe search --queries topics.txt --trec myrun -k 100 > myrun.run
"""
)
@click.argument("query", required=False)
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
@rerank_options
@click.option("--index", "folder", metavar="FOLDER", help="An index folder, instead of the pipeline's.")
@click.option("--explain", is_flag=True, help="Show which words and which tokens made the score.")
@click.option("-i", "--interactive", is_flag=True, help="Ask again and again; :help says how.")
@click.option(
    "--queries", metavar="FILE", help="Read queries from a file: lines, id and query with a tab, JSONL, TREC."
)
@click.option("--trec", metavar="NAME", help="With --queries, print documents as a run in TREC's format.")
def search(
    query: str | None,
    k: int,
    mode: Mode | None,
    where: str | None,
    folder: str | None,
    pipeline: str | None,
    explain: bool,
    interactive: bool,
    queries: str | None,
    trec: str | None,
    as_json: bool,
    **reranking: Any,
) -> None:
    """Find the passages that answer QUERY best.

    With - for QUERY, read queries from standard input, one a line; --json then prints one JSON document a line, as it
    does with --queries.
    """
    if (query is not None) + interactive + (queries is not None) != 1:
        raise click.UsageError("Give a query, or --queries FILE, or -i.")
    if interactive and as_json:
        raise click.UsageError("-i is for people; for JSON read queries from standard input, with - for QUERY.")
    if trec is not None and (queries is None or as_json or explain):
        raise click.UsageError("--trec NAME goes with --queries, and neither with --json nor with --explain.")
    index = open_index(folder, pipeline)
    view = HitView(index, explain=explain)
    how = given({"where": where, **reranking})
    if interactive:
        from bertpipe.cli.interactive_search import search_interactively

        search_interactively(index, view, k, mode, how)
        return
    if queries is not None:
        from bertpipe.cli.batch_search import search_file

        as_line = view.as_json if as_json else None
        search_file(index, user_path(queries), k, mode, how, trec=trec, as_json=as_line, show=view.show)
        return
    several = query == "-"
    searched = False
    for one in query_lines() if several else [str(query)]:
        result = index.search(one, k, mode, **how)
        if not searched:
            tell(result.notes)
        searched = True
        if as_json:
            print_json(view.as_json(result), one_line=several)
        else:
            view.show(result)
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
    return Index(place)


def query_lines() -> Iterable[str]:
    """The lines of standard input that hold something.

    Raises:
        InputError: One is not UTF-8.
    """
    for _, text in numbered_lines(sys.stdin.buffer, "standard input"):
        if text:
            yield text
