"""The report of an index as a table: how well each mode finds, and what that means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bertpipe.errors import ArtefactError

if TYPE_CHECKING:
    from rich.console import Console

FILE: Final = "report.json"
"""The file in a step's folder that holds a report; a test holds it against the index's."""

_METRICS: Final = {"ndcg@10": "nDCG@10", "mrr@10": "MRR@10", "recall@10": "Recall@10"}


def read_report(folder: Path) -> dict[str, Any] | None:
    """The report in a step's folder; None where there is none.

    Raises:
        ArtefactError: It is not a report.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtefactError(f"{path} is damaged", why=str(error)) from error
    if not isinstance(report, dict) or "verdict" not in report:
        raise ArtefactError(f"{path} is not a report")
    return report


def print_report(report: Mapping[str, Any], mode: str) -> None:
    """Draws a report on standard output.

    Args:
        report: As in ``docs/report.md``.
        mode: What searches use by default.
    """
    from rich.console import Console

    console = Console(highlight=False)
    console.print()
    if report.get("measured"):
        _print_modes(console, report, mode)
    console.print(report["verdict"], markup=False)
    since = {word: count for word, count in report.get("since", {}).items() if count}
    if since:
        told = ", ".join(f"{count:,} {word}" for word, count in since.items())
        console.print(f"That was measured on {report['documents']:,} documents; since then: {told}.", style="dim")
    if report.get("measured") or mode != report.get("mode"):
        console.print(f"Searches use {mode} unless --mode says otherwise.", style="dim")
    reranking = report.get("reranking")
    if reranking:
        console.print()
        if reranking["measured"]:
            _print_modes(console, reranking, "reranked" if reranking["helps"] else "")
        console.print(reranking["verdict"], markup=False)


def _print_modes(console: Console, report: Mapping[str, Any], mode: str) -> None:
    """How well each way of searching finds; one of them stands out."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("searching by", no_wrap=True)
    for label in _METRICS.values():
        table.add_column(label, no_wrap=True)
    for name, values in report["modes"].items():
        cells = [_with_interval(values[metric]) for metric in _METRICS]
        table.add_row(Text(name, style="bold" if name == mode else ""), *cells)
    console.print(f"Measured on {report['queries']:,} held-out queries, with 95% intervals:", style="dim")
    console.print(table)


def _with_interval(value: Mapping[str, float]) -> Any:
    from rich.text import Text

    return Text.assemble(f"{value['mean']:.3f} ", (f"{value['low']:.3f}-{value['high']:.3f}", "dim"))
