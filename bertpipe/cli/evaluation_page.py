"""An evaluation as one HTML page that needs nothing else: tables, figures, the worst errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from bertpipe.cli.evaluation_plots import (
    MOST_LABELS,
    calibration_plot,
    confusion_plot,
    coverage_plot,
    curve_plot,
    scatter_plot,
)
from bertpipe.cli.html_page import html_page, html_table
from bertpipe.cli.score_names import score_name


def evaluation_page(report: Mapping[str, Any]) -> str:
    """Draws the page.

    Args:
        report: What `bertpipe evaluate --json` prints; sections whose key is missing are left out.

    Returns:
        HTML.
    """
    title = f"{report['task']}: {report['data']}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p class='dim'>{report['items']:,} items, model {escape(str(report['model']))}; 95% intervals</p>",
        html_table(["score", "value", "interval"], _score_rows(report["scores"]), figures={1, 2}),
    ]
    if "confusion" in report:
        labels, matrix = report["confusion"]["labels"], report["confusion"]["matrix"]
        parts.append("<h2>What was taken for what</h2>")
        if len(labels) <= MOST_LABELS:
            parts.append(confusion_plot(labels, matrix))
        parts.append(html_table(["right", "predicted", "times"], _confused(labels, matrix), figures={2}))
    if "classes" in report:
        columns = ["precision", "recall", "f1", "support"]
        rows = [
            [name, *(_figure(figures[column]) for column in columns)] for name, figures in report["classes"].items()
        ]
        parts += ["<h2>By class</h2>", html_table(["class", *map(score_name, columns)], rows, figures={1, 2, 3, 4})]
    if "calibration" in report:
        parts += [
            "<h2>Can the probabilities be believed?</h2>",
            f"<p>Expected calibration error {report['calibration']['ece']:.4f}</p>",
            calibration_plot(report["calibration"]["bins"]),
        ]
    if "scatter" in report:
        parts += ["<h2>Scores</h2>", scatter_plot(report["scatter"]["expected"], report["scatter"]["predicted"])]
    if "coverage" in report:
        parts += ["<h2>Answering less, and better</h2>", coverage_plot(report["coverage"])]
    if report.get("curve"):
        parts += ["<h2>How it learned</h2>", curve_plot(report["curve"])]
    if report.get("errors"):
        names = list(report["errors"][0])
        rows = [[_figure(error[name]) for name in names] for error in report["errors"]]
        parts += ["<h2>The worst errors</h2>", html_table(names, rows)]
    return html_page(title, parts)


def _score_rows(scores: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    return [
        [
            score_name(name),
            _figure(score["value"]),
            f"{_figure(score['low'])} to {_figure(score['high'])}" if "low" in score else "",
        ]
        for name, score in scores.items()
    ]


def _confused(labels: Sequence[str], matrix: Sequence[Sequence[int]], most: int = 10) -> list[list[str]]:
    """The pairs of classes that are mistaken most often."""
    pairs = [
        (count, labels[row], labels[column])
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if count and row != column
    ]
    return [[right, predicted, f"{count:,}"] for count, right, predicted in sorted(pairs, key=lambda one: -one[0])][
        :most
    ]


def _figure(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
