"""Runs steps for a command, and shows what became of them. `run` and the step commands share it."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import click

from bertpipe.cli.output import duration, print_json
from bertpipe.cli.progress_view import progress_view
from bertpipe.cli.report_table import print_report, read_report
from bertpipe.cli.step_table import Row, drift_lines, print_rows
from bertpipe.pipeline.override import Override
from bertpipe.pipeline.pipeline import load_pipeline
from bertpipe.pipeline.pipeline_file import find_pipeline
from bertpipe.pipeline.runner import Runner


def execute(
    pipeline_file: str | None,
    overrides: Sequence[Override],
    *,
    targets: Collection[str] | None = None,
    force: Collection[str] = (),
    retrain: bool = False,
    dry_run: bool = False,
    as_json: bool = False,
) -> None:
    """Brings steps up to date and prints a table, or one JSON document.

    Args:
        pipeline_file: As given with ``-p``; None means to look for it.
        overrides: Values set over the file's.
        targets: Steps wanted; None means all.
        force: Steps to run even if they are fresh.
        retrain: The content of pinned inputs counts.
        dry_run: Only say what would run.
        as_json: Print JSON.
    """
    path = find_pipeline(pipeline_file)  # before the stages: their import takes a moment

    from bertpipe.stages import STAGES

    pipeline = load_pipeline(path, STAGES, overrides)
    began = time.monotonic()
    with progress_view() as progress:
        runner = Runner(STAGES, pipeline, progress)
        if dry_run:
            planned = runner.plan(targets, force=force, retrain=retrain)
            rows = [Row(step.step, step.state, step.reasons, step.artefact, {}) for step in planned]
        else:
            results = runner.run(targets, force=force, retrain=retrain)
            rows = [
                Row(item.step, "ran" if item.ran else "fresh", item.reasons, item.artefact, item.drift)
                for item in results
            ]
    seconds = time.monotonic() - began
    if as_json:
        print_json(
            {
                "pipeline": str(pipeline.file.path),
                "run": str(pipeline.run_folder),
                "dry_run": dry_run,
                "seconds": round(seconds, 3),
                "steps": [row.to_json() for row in rows],
            }
        )
        return
    print_rows(rows)
    for row in rows:
        report = None if dry_run or row.artefact is None else read_report(row.artefact.folder)
        if report is not None and row.artefact is not None:
            print_report(report, str(row.artefact.manifest.metrics.get("mode", report.get("mode"))))
    for line in drift_lines(rows):
        click.echo(line, err=True)
    click.echo(_closing(rows, str(pipeline.run_folder), seconds, dry_run=dry_run), err=True)


def _closing(rows: Sequence[Row], folder: str, seconds: float, *, dry_run: bool) -> str:
    """The last line: what was done, or would be."""
    busy = [row for row in rows if row.state not in ("fresh",)]
    if not busy:
        return f"{folder}: everything is fresh"
    if dry_run:
        sure = sum(row.state != "waiting" for row in busy)
        waiting = f", {len(busy) - sure} waiting for those" if sure < len(busy) else ""
        return f"{folder}: {sure} to run{waiting}; nothing was done (--dry-run)"
    return f"{folder}: {len(busy)} of {len(rows)} ran in {duration(seconds)}"
