"""`bertpipe judge`: a person says what answers which query, and `bertpipe evaluate` measures with that."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bertpipe.cli.options import pipeline_option, with_options
from bertpipe.cli.output import counted, plain, tail_of
from bertpipe.cli.search import open_index
from bertpipe.cli.wrapping import line_ends
from bertpipe.errors import InputError
from bertpipe.user_path import user_path

if TYPE_CHECKING:
    from bertpipe.retrieval.document_ranking import RankedDocument
    from bertpipe.retrieval.index import Index
    from bertpipe.retrieval.judgement_files import JudgementFiles
    from bertpipe.text.readers.queries import Query

LINES = 10
"""Lines of a passage that are shown."""
KEYS = "0 no  1 partly  2 fully   s skip  n next query  b back  q quit"
GRADES = {"0": "no", "1": "partly", "2": "fully"}


@with_options(pipeline_option())
@click.command(
    epilog="""\b
Examples:
  bertpipe judge
  bertpipe judge --queries questions.txt --out judged --sample 30
  bertpipe evaluate --queries judged/queries.jsonl --qrels judged/qrels.tsv
"""
)
@click.option("--index", "folder", metavar="FOLDER", help="An index folder, instead of the pipeline's.")
@click.option(
    "--queries", metavar="FILE", help="Draw queries from a file.  [default: titles and first sentences of the corpus]"
)
@click.option(
    "--sample", metavar="N", type=click.IntRange(1), default=50, help="Draw at most N queries.  [default: 50]"
)
@click.option(
    "-k",
    "--hits",
    "k",
    metavar="N",
    type=click.IntRange(1, 1000),
    default=10,
    help="Documents of each mode to judge.  [default: 10]",
)
@click.option("--out", metavar="FOLDER", default="judgements", help="Where judgements are kept.  [default: judgements]")
def judge(folder: str | None, queries: str | None, sample: int, k: int, out: str, pipeline: str | None) -> None:
    """Say which documents answer which queries, key by key.

    What any mode finds is shown in an order that does not tell which. Every judgement is kept at once; the same command
    goes on where it was left, also after Ctrl-C. FOLDER then has queries.jsonl and qrels.tsv for `bertpipe evaluate`.
    """
    index = open_index(folder, pipeline)

    from bertpipe.retrieval.judgement_files import QRELS, QUERIES, JudgementFiles
    from bertpipe.retrieval.judging_pool import queries_of_corpus, sampled_queries
    from bertpipe.text.readers.queries import read_queries

    if queries is not None:
        drawn = sampled_queries(read_queries(user_path(queries)).queries, sample)
    else:
        drawn = sampled_queries(queries_of_corpus(index.passages.iterate()), sample)
        if not drawn:
            raise InputError("the corpus has no held-out documents to ask about", hint="Give queries with --queries.")
    place = user_path(out)
    with JudgementFiles(place) as files:
        before = len(files)
        done = JudgingSession(index, files, drawn, k).run()
        made = len(files) - before
        click.echo(
            f"{counted(made, 'judgements')} made, {counted(len(files), 'judgements')} in all, "
            f"{files.relevant:,} relevant{'; all are judged' if done else ''}: {place / QUERIES}, {place / QRELS}",
            err=True,
        )


class JudgingSession:
    """Asks about one document after the other.

    Args:
        index: Where to search.
        files: What is judged.
        queries: What to ask about.
        k: Documents of each mode.
    """

    def __init__(self, index: Index, files: JudgementFiles, queries: Sequence[Query], k: int) -> None:
        self._index = index
        self._files = files
        self._queries = queries
        self._k = k
        self._pools: dict[int, list[RankedDocument]] = {}

    def run(self) -> bool:
        """Asks until everything is judged or the person has enough.

        Returns:
            Whether everything is judged or skipped.
        """
        past: list[tuple[int, int, bool]] = []  # where it was asked, and whether it was judged
        query = place = 0
        while query < len(self._queries):
            pool = self._pool(query)
            if place >= len(pool):
                query, place = query + 1, 0
                continue
            if self._files.grade(self._queries[query], pool[place].id) is not None:
                place += 1
                continue
            self._show(query, place)
            try:
                key = self._key()
            except (KeyboardInterrupt, EOFError):
                click.echo()
                return False
            if key == "q":
                return False
            if key in GRADES:
                self._files.add(self._queries[query], pool[place].id, int(key))
                past.append((query, place, True))
                place += 1
            elif key == "s":
                past.append((query, place, False))
                place += 1
            elif key == "n":
                past.append((query, place, False))
                query, place = query + 1, 0
            elif past:  # back
                query, place, judged = past.pop()
                if judged:
                    self._files.undo()
        return True

    def _pool(self, number: int) -> list[RankedDocument]:
        if number not in self._pools:
            from bertpipe.retrieval.judging_pool import pooled_documents

            self._pools[number] = pooled_documents(self._index, self._queries[number], self._k)
        return self._pools[number]

    def _show(self, number: int, place: int) -> None:
        from rich.console import Console
        from rich.text import Text

        from bertpipe.cli.hit_view import marked
        from bertpipe.retrieval.analysis import analyse
        from bertpipe.retrieval.lexical import LONGEST_QUERY
        from bertpipe.retrieval.snippet import snippet

        console = Console(highlight=False, soft_wrap=False)
        query, pool = self._queries[number], self._pool(number)
        passage = pool[place].passage
        columns = max(20, console.width - 4)
        where = f"query {number + 1} of {len(self._queries)}, document {place + 1} of {len(pool)}"
        console.print()
        console.print(Text(f"-- {where} {'-' * console.width}"[: console.width - 1], style="dim"), no_wrap=True)
        console.print(Text(plain(query.text)[:1000], style="bold"))
        console.print()
        terms = analyse(query.text[:LONGEST_QUERY])
        body = snippet(passage.text, terms, LINES * columns - 8)
        lines = list(marked(body, "").divide(line_ends(body.text, columns)))
        if passage.title:
            lines.insert(0, marked(snippet(passage.title, terms, columns), "bold cyan"))
        for line in [*lines, Text(tail_of(plain(passage.document), columns), style="dim")]:
            line.rstrip()
            console.print(Text.assemble("    ", line), no_wrap=True)
        console.print()

    def _key(self) -> str:
        """The next key that means something."""
        click.echo(f"{KEYS}: ", nl=False)
        while True:
            key = _read_key().lower()
            if key in (*GRADES, "s", "n", "b", "q"):
                click.echo(GRADES.get(key, {"s": "skip", "n": "next query", "b": "back", "q": "quit"}.get(key, "")))
                return key


def _read_key() -> str:
    """One key, without the return key where a terminal is there to ask.

    Raises:
        EOFError: There is no more.
        KeyboardInterrupt: Ctrl-C.
    """
    if sys.stdin.isatty():
        return click.getchar()
    key = sys.stdin.read(1)
    if not key:
        raise EOFError
    return key
