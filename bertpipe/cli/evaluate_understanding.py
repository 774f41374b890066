"""`bertpipe evaluate` for models that understand: classes, entities, similarity, answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bertpipe.cli.html_page import check_page_file, write_page
from bertpipe.cli.output import number, plain, print_json
from bertpipe.cli.progress_view import progress_view
from bertpipe.cli.score_names import score_name

# Errors on a page, if nobody says how many; and classes of a table that fits a screen.
PAGE_ERRORS, SHOWN_CLASSES = 20, 20
_COLUMNS: Final = ("precision", "recall", "f1", "support")


def evaluate_understanding(
    folder: Path,
    data: Path,
    fields: Mapping[str, str | None],
    *,
    rules: str | None,
    errors: int | None,
    html: str | None,
    as_json: bool,
) -> None:
    """Measures a model and prints what came out.

    Args:
        folder: The model's.
        data: Data with the right answers.
        fields: Where it has what; None where nothing was said.
        rules: How answers are compared; None where nothing was said.
        errors: How many of the worst errors to show.
        html: File for a page.
        as_json: Print JSON.
    """
    if html:
        check_page_file(html)

    from bertpipe.stages.evaluation.evaluation import evaluate_model

    kept = errors or 0
    with progress_view() as progress:
        report = evaluate_model(
            folder,
            data,
            given=fields,
            rules=rules,
            errors=max(kept, PAGE_ERRORS) if html else kept,
            progress=progress,
        )
    if html:
        from bertpipe.cli.evaluation_page import evaluation_page

        write_page(html, evaluation_page(report))
    report = report | {"errors": report["errors"][:kept]}
    if as_json:
        print_json(report)
    else:
        _show(report)
        if html:
            _say(f"the page with figures is {html}")


def _show(report: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(f"{report['items']:,} items, with 95% intervals:", style="dim")
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("score", no_wrap=True)
    table.add_column("value", no_wrap=True)
    # Answers are scored from 0 to 100, as everywhere.
    digits = 1 if report["task"] == "question-answering" else 3
    for name, score in report["scores"].items():
        value = Text(f"{score['value']:.{digits}f} ")
        if "low" in score:
            value.append(f"{score['low']:.{digits}f} to {score['high']:.{digits}f}", "dim")
        table.add_row(score_name(name), value)
    console.print(table)
    for line in _remarks(report):
        console.print(Text(line), style="dim")
    if "classes" in report:
        _show_classes(console, report["classes"])
    for error in report["errors"]:
        lines = Table.grid(padding=(0, 2, 0, 0))
        lines.add_column(justify="right", style="dim", no_wrap=True)
        lines.add_column(overflow="fold")
        for name, value in error.items():
            lines.add_row(score_name(name), Text(plain(str(value))))
        console.print()
        console.print(lines)


def _remarks(report: Mapping[str, Any]) -> list[str]:
    """What else there is to say, a line each."""
    lines = []
    if "majority" in report:
        lines.append(f"accuracy of always saying what is most frequent: {report['majority']:.3f}")
    if "calibration" in report:
        lines.append(f"expected calibration error: {report['calibration']['ece']:.3f}")
    if "always_empty" in report:
        silent = report["no_answer"]
        lines.append(f"F1 of never answering: {report['always_empty']:.1f}")
        lines.append(f"no answer: precision {silent['precision']:.3f}, recall {silent['recall']:.3f}")
        for name, best in report["best"].items():
            lines.append(f"{score_name(name)} at the best threshold: {best['value']:.1f}")
    if report.get("cut"):
        lines.append(f"{number(report['cut'])} items are longer than the model reads")
    if report.get("left_out"):
        lines.append(
            f"{number(report['left_out'])} questions are left out: their answers do not stand where they should"
        )
    return lines


def _show_classes(console: Any, classes: Mapping[str, Mapping[str, float]]) -> None:
    """Precision, recall and F1 of the classes, the worst first where there are many."""
    from rich.table import Table
    from rich.text import Text

    order = sorted(classes, key=lambda name: classes[name]["f1"]) if len(classes) > SHOWN_CLASSES else list(classes)
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("class")
    for column in _COLUMNS:
        table.add_column(score_name(column), justify="right", no_wrap=True)
    for name in order[:SHOWN_CLASSES]:
        figures = classes[name]
        table.add_row(
            Text(plain(name)), *(f"{figures[column]:.3f}" for column in _COLUMNS[:3]), f"{figures['support']:,}"
        )
    console.print()
    console.print(table)
    if len(order) > SHOWN_CLASSES:
        console.print(f"and {len(order) - SHOWN_CLASSES:,} better classes; --json has them all", style="dim")


def _say(text: str) -> None:
    import click

    click.echo(text, err=True)
