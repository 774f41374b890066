"""The evaluation of an index as one HTML page: figures, curves, and the queries won and lost against BM25."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from bertpipe.cli.evaluation_plots import cuts_plot
from bertpipe.cli.html_page import html_page, html_table
from bertpipe.cli.output import counted
from bertpipe.cli.score_names import score_name

SHOWN = 20
"""Queries of a table of those won or lost."""
BASELINE = "bm25"
_CHARACTERS = 300


def retrieval_page(report: Mapping[str, Any], remarks: list[str]) -> str:
    """Draws the page.

    Args:
        report: What `bertpipe evaluate --json` prints of an index.
        remarks: What else there is to say, a line each.

    Returns:
        HTML.
    """
    title = f"retrieval: {report['data']}"
    modes = report["modes"]
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p class='dim'>{report['queries']:,} queries, {report['passages']:,} passages in {escape(report['index'])}; "
        "95% intervals</p>",
        *(f"<p class='dim'>{escape(remark)}</p>" for remark in remarks),
        html_table(
            ["", *modes],
            [[score_name(metric), *(_interval(modes[mode][metric]) for mode in modes)] for metric in modes[BASELINE]],
        ),
        "<h2>Differences</h2>",
        _differences(report["differences"]),
        "<h2>By the number of documents looked at</h2>",
    ]
    at = report["curves"]["at"]
    for name, label in (("ndcg", "nDCG@k"), ("recall", "recall@k")):
        parts.append(cuts_plot(at, {mode: report["curves"][mode][name] for mode in modes}, label))
    for mode in modes:
        if mode != BASELINE:
            parts += _won_and_lost(report["per_query"], mode)
    return html_page(title, parts)


def _differences(differences: Mapping[str, Any]) -> str:
    metrics = [name for name in next(iter(differences.values())) if name != "queries"]
    rows = [
        [score_name(metric), *(_interval(one[metric], signed=True) for one in differences.values())]
        for metric in metrics
    ]
    counts = [
        "{better:,} better, {equal:,} equal, {worse:,} worse".format(**one["queries"]) for one in differences.values()
    ]
    return html_table(["", *differences], [*rows, ["queries", *counts]])


def _won_and_lost(queries: list[dict[str, Any]], mode: str) -> list[str]:
    gains = [(query[mode]["ndcg@10"] - query[BASELINE]["ndcg@10"], query) for query in queries]
    parts = []
    for word, sign in (("won", 1), ("lost", -1)):
        chosen = sorted((gain for gain in gains if sign * gain[0] > 0), key=lambda gain: -sign * gain[0])
        parts.append(f"<h2>{escape(mode)}: {counted(len(chosen), 'queries')} {word} against BM25</h2>")
        if not chosen:
            continue
        if len(chosen) > SHOWN:
            parts.append(f"<p class='dim'>the {SHOWN} with the largest difference</p>")
        names = ["query", "text", "nDCG@10", BASELINE, "difference", "first relevant", f"{BASELINE}'s", "best document"]
        rows = [
            [
                query["id"],
                query["text"][:_CHARACTERS],
                f"{query[mode]['ndcg@10']:.3f}",
                f"{query[BASELINE]['ndcg@10']:.3f}",
                f"{gain:+.3f}",
                _rank(query[mode]["first_relevant"]),
                _rank(query[BASELINE]["first_relevant"]),
                "".join(query[mode]["best"]),
            ]
            for gain, query in chosen[:SHOWN]
        ]
        parts.append(html_table(names, rows, figures=range(2, 7)))
    return parts


def _rank(rank: int | None) -> str:
    return "-" if rank is None else str(rank)


def _interval(value: Mapping[str, float], *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{value['mean']:{sign}.3f} ({value['low']:{sign}.3f} to {value['high']:{sign}.3f})"
