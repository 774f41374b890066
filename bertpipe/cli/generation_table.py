"""The scores of generated text as a table: one column a system, one row a score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bertpipe.cli.score_names import score_name

_ROWS: Final = ("bleu", "chrf", "rouge1", "rouge2", "rougeL", "exact", "distinct1", "distinct2")


def print_generation_scores(systems: Mapping[str, Mapping[str, Any]]) -> None:
    """Draws scores on standard output.

    Args:
        systems: The JSON values of a `GenerationScores` by what made the predictions ("model", "first sentence"), all
            of the same items.

    Raises:
        ValueError: The systems were not measured on the same number of items and in the same way.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    first = next(iter(systems.values()))
    compared = ("items", "references", "language", "signatures")
    if any(scores[name] != first[name] for scores in systems.values() for name in compared):
        raise ValueError("only scores of the same items, computed in the same way, stand in one table")
    console = Console(highlight=False)
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("score", no_wrap=True)
    for name in systems:
        table.add_column(Text(name), no_wrap=True)
    for name in _ROWS:
        table.add_row(score_name(name), *(_with_interval(scores["scores"][name]) for scores in systems.values()))
    against = f"{first['items']:,} texts against {first['references']:,} references"
    console.print(f"{against}, 0 to 100, with 95% intervals:", style="dim")
    console.print(table)
    for name, scores in systems.items():
        if scores["empty"]:
            console.print(Text(f"{scores['empty']:,} of the texts by {name} are empty."))
    for name, signature in first["signatures"].items():
        console.print(Text(f"{score_name(name)}: {signature}", style="dim"), soft_wrap=True)


def _with_interval(score: Mapping[str, float]) -> Any:
    from rich.text import Text

    value = f"{score['value']:.1f} "
    return Text.assemble(value, (f"{score['low']:.1f}-{score['high']:.1f}", "dim")) if "low" in score else Text(value)
