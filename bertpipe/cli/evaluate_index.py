"""`bertpipe evaluate` for an index: how well it finds, on queries of which somebody knows the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bertpipe.cli.html_page import check_page_file, write_page
from bertpipe.cli.output import counted, number, plain, print_json
from bertpipe.cli.progress_view import progress_view
from bertpipe.cli.score_names import score_name
from bertpipe.cli.search import open_index
from bertpipe.errors import ConfigError
from bertpipe.user_path import user_path

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from bertpipe.retrieval.index import Index
    from bertpipe.retrieval.judged_queries import JudgedQueries


def evaluate_index_command(
    folder: str | None,
    pipeline: str | None,
    *,
    queries: str,
    qrels: str | None,
    save_runs: str | None,
    html: str | None,
    rerank: bool,
    rerank_depth: int | None,
    tune: bool,
    as_json: bool,
) -> None:
    """Measures an index, and prints what came out.

    Args:
        folder: The index's, as given.
        pipeline: A pipeline file, as given.
        queries: File of queries.
        qrels: File of judgements; without it, ``queries`` is SQuAD's JSON.
        save_runs: Folder for the rankings.
        html: File for a page.
        rerank: Measure the reranker as well.
        rerank_depth: Hits that it reads.
        tune: Say which mixture of words and vectors finds the queries best.
        as_json: Print JSON.
    """
    if html:
        check_page_file(html)
    runs = user_path(save_runs) if save_runs else None
    if runs and runs.exists() and not runs.is_dir():
        raise ConfigError(f"--save-runs {save_runs}: it is a file", hint="Name a folder.")

    from bertpipe.retrieval.evaluation import evaluate_index
    from bertpipe.retrieval.ranking_scores import require_ir_measures
    from bertpipe.retrieval.rerank_report import DEPTH

    require_ir_measures()  # not after minutes of searching
    index = open_index(folder, pipeline)
    judged = _judged(index, user_path(queries), user_path(qrels) if qrels else None)
    with progress_view() as progress:
        report = {
            "index": str(index.folder),
            "data": queries,
            **evaluate_index(
                index,
                judged,
                progress=progress,
                runs=runs,
                rerank_depth=(rerank_depth or DEPTH) if rerank else None,
                tune=tune,
            ),
        }
    remarks = _remarks(report, judged)
    if html:
        from bertpipe.cli.retrieval_page import retrieval_page

        write_page(html, retrieval_page(report, remarks))
    if as_json:
        print_json(report)
        return
    _show(report, remarks)
    if html:
        click.echo(f"the page with figures is {html}", err=True)
    if save_runs:
        click.echo(f"the rankings are in {save_runs}", err=True)


def _judged(index: Index, queries: Path, qrels: Path | None) -> JudgedQueries:
    from bertpipe.retrieval.judged_queries import judged_by_contexts, judged_by_qrels
    from bertpipe.text.readers.qrels import read_qrels
    from bertpipe.text.readers.queries import read_queries

    if qrels is None:
        if queries.suffix.lower() != ".json":
            raise ConfigError(
                f"{queries} does not say what answers its queries",
                hint="Name judgements with --qrels; SQuAD's .json needs none.",
            )
        from bertpipe.text.readers.squad import SquadReader

        return judged_by_contexts(SquadReader(queries), index.passages.iterate())
    return judged_by_qrels(read_queries(queries), read_qrels(qrels), [name for name, _ in index.passages.documents()])


def _remarks(report: Mapping[str, Any], judged: JudgedQueries) -> list[str]:
    """What is not as one might think, a line each."""
    lines = [f"{counted(count, 'queries')} not measured: {reason}" for reason, count in judged.left_out.items()]
    if judged.unknown:
        examples = ", ".join(plain(name)[:40] for name in report["unknown_documents"]["first"])
        lines.append(f"{counted(len(judged.unknown), 'judged documents')} not in the index: {examples}")
    if judged.by_place:
        lines.append("queries are numbered by their place in the file, as the judgements have them")
    return lines


def _show(report: Mapping[str, Any], remarks: list[str]) -> None:
    from rich.console import Console
    from rich.text import Text

    from bertpipe.retrieval.evaluation import BASELINE, RERANKED

    console = Console(highlight=False)
    modes, differences = report["modes"], report["differences"]
    console.print(f"{report['queries']:,} queries, {number(report['passages'])} passages, 95% intervals:", style="dim")
    # Four columns with intervals do not fit 80 characters, and a reranker is to be held against what it reorders.
    plain_modes = [mode for mode in modes if mode != RERANKED]
    _print_table(console, modes, plain_modes, bold=report["mode"])
    console.print()
    _print_table(console, differences, [f"{mode} - {BASELINE}" for mode in plain_modes if mode != BASELINE])
    if RERANKED in modes:
        before = report["mode"]
        console.print(f"\nthe first {report['rerank_depth']} hits of {before} reranked:", style="dim")
        _print_table(console, modes | differences, [before, RERANKED, f"{RERANKED} - {before}"])
    for line in remarks:
        console.print(Text(line, style="dim"))
    if "best_mixture" in report:
        console.print(f"\n{_advice(report['best_mixture'])}", markup=False)


def _advice(best: Mapping[str, Any]) -> str:
    """What to set so that these queries are found better."""
    if not best["measured"]:
        return f"{counted(best['queries'], 'queries')} are too few to tune the mixture with."
    gain = best["gain"]
    difference = f"nDCG@10 {gain['mean']:+.3f} (95% interval {gain['low']:+.3f} to {gain['high']:+.3f})"
    if not best["helps"]:
        return f"No other mixture finds these queries surely better: {difference}."
    near = "on" if best["nearness"] else "off"
    return (
        f"The hybrid finds these queries better with another mixture: {difference}.\n"
        f"To have it, write into the pipeline file, and run `bertpipe index`:\n\n"
        f'[index]\nmode = "hybrid"\nweight = {best["weight"]}\nnearness = "{near}"'
    )


def _print_table(console: Console, figures: Mapping[str, Any], columns: Sequence[str], bold: str = "") -> None:
    """A row for each metric; and where two ways of searching are compared, for how many queries that is better."""
    from rich.table import Table
    from rich.text import Text

    compared = [name for name in columns if "queries" in figures[name]]
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for name in columns:
        table.add_column(Text(name, style="bold" if name == bold else ""), no_wrap=True)
    for metric in (name for name in figures[columns[0]] if name != "queries"):
        cells = (_figure(figures[name][metric], signed=name in compared) for name in columns)
        table.add_row(score_name(metric), *cells)
    if compared:
        counts = {name: "{better:,} better, {worse:,} worse".format(**figures[name]["queries"]) for name in compared}
        table.add_row("queries", *(Text(counts.get(name, ""), style="dim") for name in columns))
    console.print(table)


def _figure(value: Mapping[str, float], *, signed: bool = False) -> Text:
    from rich.text import Text

    if signed:
        return Text.assemble(f"{value['mean']:+.3f} ", (f"{value['low']:+.3f} to {value['high']:+.3f}", "dim"))
    return Text.assemble(f"{value['mean']:.3f} ", (f"{value['low']:.3f}-{value['high']:.3f}", "dim"))
