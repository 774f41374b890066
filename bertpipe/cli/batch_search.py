"""`bertpipe search --queries`: a whole file of queries, as JSON lines, as a run in TREC's format, or for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertpipe.cli.output import json_text, tell
from bertpipe.cli.progress_view import progress_view
from bertpipe.progress import Progress, Silent
from bertpipe.text.readers.queries import Query, read_queries

if TYPE_CHECKING:
    from bertpipe.retrieval.index import Index
    from bertpipe.retrieval.search_result import Mode, SearchResult


def search_file(
    index: Index,
    path: Path,
    k: int,
    mode: Mode | None,
    how: Mapping[str, Any],
    *,
    trec: str | None,
    as_json: Callable[[SearchResult], dict[str, Any]] | None,
    show: Callable[[SearchResult], None],
) -> None:
    """Searches for every query of a file.

    Args:
        index: Where.
        path: The file; see `read_queries`.
        k: Hits of a query; with ``trec``, documents.
        mode: As in `Index.search`.
        how: Other arguments of `Index.search`.
        trec: Name of the run, for TREC's format.
        as_json: Makes a JSON value of a result, for JSON lines.
        show: Shows a result to people.

    Raises:
        InputError: The file cannot be used.
    """
    queries = read_queries(path).queries
    if how.get("where") is not None:  # what there is to say about a condition, before any result
        tell(index.search("", where=how["where"], rerank=False).notes)
    results = sys.stdout  # the bar keeps other people's prints out of it
    with _bar_beside(results) as progress:
        progress.start("searching", total=len(queries), unit="queries")
        if trec is not None:
            for lines in _run(index, queries, k, mode, how, trec):
                results.write("".join(f"{line}\n" for line in lines))
                progress.advance(1)
        else:
            from bertpipe.retrieval.query_batches import search_many

            found = search_many(index, [query.text for query in queries], k, mode, **how)
            for query, result in zip(queries, found, strict=True):
                if as_json is not None:
                    results.write(f"{json_text({'id': query.id, **as_json(result)}, one_line=True)}\n")
                else:
                    with redirect_stdout(results):
                        show(result)
                progress.advance(1)
        results.flush()
        progress.finish()


def _run(
    index: Index, queries: list[Query], k: int, mode: Mode | None, how: Mapping[str, Any], name: str
) -> Iterator[list[str]]:
    from bertpipe.retrieval.document_ranking import rank_documents
    from bertpipe.retrieval.query_batches import encoded_queries
    from bertpipe.retrieval.trec_run import run_lines

    vectors = encoded_queries(index, [query.text for query in queries], mode)
    for query, vector in zip(queries, vectors, strict=True):
        found = rank_documents(index, query.text, k, mode, vector=vector, **how)
        yield list(run_lines(query.id, [(one.id, one.score) for one in found], name))


@contextmanager
def _bar_beside(results: Any) -> Iterator[Progress]:
    """A bar on standard error; none where the results go to the same screen."""
    if results.isatty():
        yield Silent()
        return
    with progress_view() as progress:
        yield progress
