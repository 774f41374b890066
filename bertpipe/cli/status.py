"""`bertpipe status`: which steps are fresh, and why the others are not."""

from __future__ import annotations

import click

from bertpipe.cli.options import json_option, pipeline_option, set_option, with_options
from bertpipe.cli.output import print_json
from bertpipe.cli.step_table import Row, drift_lines, print_rows
from bertpipe.pipeline.override import Override
from bertpipe.pipeline.pipeline import load_pipeline
from bertpipe.pipeline.pipeline_file import find_pipeline
from bertpipe.pipeline.runner import Runner


@with_options(set_option(), pipeline_option(), json_option())
@click.command(
    epilog="""\b
Examples:
  bertpipe status
  bertpipe status --set pretrain.lr=1e-3      what would that make stale?
  bertpipe status --verify --json
"""
)
@click.option("--verify", is_flag=True, help="Hash every file instead of comparing sizes.")
def status(verify: bool, settings: list[Override], pipeline: str | None, as_json: bool) -> None:
    """Show which steps are fresh, why the others are not, and what each reported."""
    path = find_pipeline(pipeline)  # before the stages: their import takes a moment

    from bertpipe.stages import stages_of

    stages = stages_of(path)
    loaded = load_pipeline(path, stages, settings)
    runner = Runner(stages, loaded)
    rows = [
        Row(item.step, item.state, item.reasons, item.artefact, item.drift) for item in runner.status(verify=verify)
    ]
    writer = runner.writer()
    if as_json:
        print_json(
            {
                "pipeline": str(loaded.file.path),
                "run": str(loaded.run_folder),
                "writer": writer,
                "verified": verify,
                "steps": [row.to_json() for row in rows],
            }
        )
        return
    print_rows(rows)
    for line in drift_lines(rows):
        click.echo(line, err=True)
    if writer:
        click.echo(f"process {writer} is running this pipeline now", err=True)
