"""`bertpipe run`: brings every step up to date."""

from __future__ import annotations

import click

from bertpipe.cli.execute import execute
from bertpipe.cli.options import (
    dry_run_option,
    json_option,
    pipeline_option,
    retrain_option,
    set_option,
    with_options,
)
from bertpipe.pipeline.override import Override


@with_options(set_option(), dry_run_option(), retrain_option(), pipeline_option(), json_option())
@click.command(
    epilog="""\b
Examples:
  bertpipe run
  bertpipe run pipelines/quickstart.toml --set pretrain.budget=10m
  bertpipe run --force index --dry-run
"""
)
@click.argument("pipeline_file", metavar="[PIPELINE.toml]", required=False)
@click.option("--force", metavar="STEP", multiple=True, help="Run a step even if it is fresh; may be repeated.")
@click.option("--skip-bad", is_flag=True, help="Skip and count documents that cannot be read (corpus.skip_bad = true).")
def run(
    pipeline_file: str | None,
    force: tuple[str, ...],
    skip_bad: bool,
    settings: list[Override],
    dry_run: bool,
    retrain: bool,
    pipeline: str | None,
    as_json: bool,
) -> None:
    """Bring every step up to date: run what changed and what depends on it, and nothing else.

    A run that was interrupted or killed goes on from where it was. Keys are in the pipeline file; `bertpipe STEP
    --help` explains them.
    """
    if pipeline_file and pipeline:
        raise click.UsageError("Name the pipeline file once: as an argument or with -p.")
    if skip_bad:
        settings = [*settings, Override("corpus", "skip_bad", True, "--skip-bad")]
    execute(
        pipeline_file or pipeline,
        settings,
        force=force,
        retrain=retrain,
        dry_run=dry_run,
        as_json=as_json,
    )
