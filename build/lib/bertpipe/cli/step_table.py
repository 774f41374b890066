"""The table of steps that `run` and `status` show, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bertpipe.cli.output import ago, duration, figures, size
from bertpipe.pipeline.artefact import Artefact

_COLOURS: Final = {
    "fresh": "green",
    "ran": "green",
    "stale": "yellow",
    "interrupted": "magenta",
    "waiting": "cyan",
}


@dataclass(frozen=True)
class Row:
    """One step.

    Attributes:
        step: Its name.
        state: A word for it: ``fresh``, ``ran``, ``stale`` ...
        reasons: Why it ran or will run.
        artefact: What is published.
        drift: How far each pinned input has moved, by input.
    """

    step: str
    state: str
    reasons: Sequence[str]
    artefact: Artefact | None
    drift: Mapping[str, Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """The row for ``--json``."""
        row: dict[str, Any] = {"step": self.step, "state": self.state, "reasons": list(self.reasons)}
        if self.artefact is not None:
            manifest = self.artefact.manifest
            row |= {
                "folder": str(self.artefact.folder),
                "digest": self.artefact.digest,
                "created": manifest.created,
                "seconds": manifest.seconds,
                "bytes": self.artefact.bytes,
                "metrics": manifest.metrics,
            }
        if self.drift:
            row["drift"] = self.drift
        return row


def print_rows(rows: Sequence[Row]) -> None:
    """Draws the table on standard output: why a step is not fresh, or else what it reported."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in ("step", "state", "made", "took", "size"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("took", "size") else "left")
    table.add_column("figures, or why", overflow="fold")
    for row in rows:
        manifest = row.artefact.manifest if row.artefact else None
        done = row.state in ("fresh", "ran")
        detail = ", ".join(figures(manifest.metrics)[:4] if manifest and done else row.reasons)
        table.add_row(
            row.step,
            Text(row.state, style=_COLOURS.get(row.state, "")),
            ago(manifest.created) if manifest else "",
            duration(manifest.seconds) if manifest else "",
            size(row.artefact.bytes) if row.artefact else "",
            Text(detail),
        )
    Console().print(table)


def drift_lines(rows: Sequence[Row]) -> list[str]:
    """What to tell about inputs that have moved on since a step learned from them."""
    lines = []
    for row in rows:
        for name, moved in row.drift.items():
            counts = ", ".join(f"{count} {word}" for word, count in moved.items() if count) or "it is another"
            lines.append(
                f"the {name} has moved on since the {row.step} that models learned from: {counts}.\n"
                "Searches find what is there now; --retrain also learns from it."
            )
    return lines
