"""The command of a step, built from the stage's declaration: a flag for each field of its config."""

from __future__ import annotations

from typing import Any

import click

from bertpipe.cli.execute import execute
from bertpipe.cli.flag import flag, overrides_from
from bertpipe.cli.options import (
    dry_run_option,
    json_option,
    pipeline_option,
    retrain_option,
    set_option,
)
from bertpipe.pipeline.stage import Stage


def build_command(name: str) -> click.Command:
    """The command of the stage with this name."""
    from bertpipe.stages import STAGES

    return command_of({stage.name: stage for stage in STAGES}[name])


def command_of(stage: Stage) -> click.Command:
    """Builds the command of a stage.

    Raises:
        ValueError: A config field has the name of a common option.
    """

    def callback(
        pipeline: str | None,
        settings: list[Any],
        force: bool,
        retrain: bool,
        dry_run: bool,
        as_json: bool,
        **values: Any,
    ) -> None:
        execute(
            pipeline,
            [*settings, *overrides_from(stage.name, values)],
            targets=[stage.name],
            force=[stage.name] if force else [],
            retrain=retrain,
            dry_run=dry_run,
            as_json=as_json,
        )

    common = [
        click.Option(["--force"], is_flag=True, help="Run it even if it is fresh."),
        dry_run_option(),
        retrain_option(),
        set_option(),
        pipeline_option(),
        json_option(),
    ]
    flags = [flag(key, field) for key, field in stage.config.model_fields.items()]
    taken = {name for option in common for name in option.opts} | {"--debug", "--help"}
    for option in flags:
        if taken & {*option.opts, *option.secondary_opts}:
            raise ValueError(f"stage {stage.name} has a config field with the name of a common option")
    needs = ", ".join(item.step for item in stage.inputs)
    text = stage.summary + (f"\n\nFirst brings what it needs up to date: {needs}." if needs else "")
    return click.Command(
        stage.name,
        params=[*flags, *common],
        callback=callback,
        help=text,
        short_help=stage.summary,
        epilog=f"\b\nExample:\n  {stage.example}\n",
    )
