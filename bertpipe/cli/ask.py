"""`bertpipe ask`: answers questions from the index. Neither torch, Lightning nor pydantic is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bertpipe.cli.options import json_option, pipeline_option, where_option, with_options
from bertpipe.cli.output import counted, plain, print_json, tail_of, tell
from bertpipe.cli.reranking import given, rerank_options
from bertpipe.cli.search import open_index, query_lines
from bertpipe.cli.wrapping import line_ends
from bertpipe.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from bertpipe.retrieval.asking import Answer, Answers

# Lines of a passage that an answer shows, and columns that it is moved in by.
CONTEXT_LINES, INDENT = 4, 4
NO_READER = "no reader was trained: these are the best sentences of the best passages"
HOW = "A table [finetune.reader] in the pipeline file trains one."


@with_options(where_option(), pipeline_option(), json_option())
@click.command(
    epilog="""\b
Examples:
  bertpipe ask "how long does the guarantee last?"
  bertpipe ask "保修期有多久？" -k 20
  bertpipe ask - --json < questions.txt
"""
)
@click.argument("question")
@click.option(
    "-k",
    "--passages",
    "k",
    metavar="N",
    type=click.IntRange(1, 1000),
    default=10,
    help="How many passages to read.  [default: 10]",
)
@rerank_options
@click.option("--index", "folder", metavar="FOLDER", help="An index folder, instead of the pipeline's.")
def ask(
    question: str,
    k: int,
    where: str | None,
    folder: str | None,
    pipeline: str | None,
    as_json: bool,
    **reranking: Any,
) -> None:
    """Find the answer to QUESTION in the documents.

    The best passages are read by the reader that the pipeline trained. Where none of them holds an answer, there is
    none. Without a reader, the best sentences are shown.

    With - for QUESTION, read questions from standard input, one a line; --json then prints one JSON document a line.
    """
    index = open_index(folder, pipeline)

    from bertpipe.retrieval.asking import ask as ask_index

    several = question == "-"
    asked = told = False
    for one in query_lines() if several else [question]:
        result = ask_index(index, one, k, where=where, **given(reranking))
        if not asked:
            tell(result.notes)
        asked = True
        if result.cut:
            click.echo(f"the question is long: its end is not read: {plain(one)[:60]}...", err=True)
        if not result.reader and not told:
            click.echo(f"{NO_READER}. {HOW}", err=True)
            told = True
        if as_json:
            print_json(result.as_json(), one_line=several)
        else:
            _show(result)
    if not asked:
        raise InputError("standard input has no question", hint="Give one question a line.")


def _show(result: Answers) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False)
    tail = f"({counted(result.read, 'passages')} read, {result.took_ms:.0f} ms)"
    console.print(Text.assemble((plain(result.question), "bold"), "  ", (tail, "dim")))
    if not result.answers:
        console.print("No answer: nothing that was read answers it.")
    for rank, answer in enumerate(result.answers, start=1):
        _show_answer(console, rank, answer, reader=result.reader)
    console.print()


def _show_answer(console: Console, rank: int, answer: Answer, *, reader: bool) -> None:
    """The answer, the passage around it, and where it stands."""
    from rich.text import Text

    from bertpipe.retrieval.snippet import excerpt

    columns = max(20, console.width - INDENT)
    if reader:
        head = Text.assemble((f"{rank:>2}  ", "dim"), (plain(answer.text), "bold green"))
        console.print(head, no_wrap=True, overflow="ellipsis")
    shown = excerpt(answer.passage.text, *answer.place, max(20, CONTEXT_LINES * columns - 8))
    body = Text(shown.text)
    for start, end in shown.spans:
        body.stylize("bold green", start, end)
    place = f"characters {answer.start:,} to {answer.end:,}"
    score = f"probability {answer.score:.2f}" if reader else ""
    room = columns - len(place) - len(score) - 4
    source = "  ".join(filter(None, (tail_of(plain(answer.passage.document), room), place, score)))
    first = "" if reader else f"{rank:>2}  "
    # Rich breaks lines at spaces, of which Chinese has none.
    for line in [*body.divide(line_ends(body.plain, columns)), Text(source, style="dim")]:
        line.rstrip()
        console.print(Text.assemble((f"{first:<{INDENT}}", "dim"), line), no_wrap=True)
        first = ""
