"""The command of a step, built from the stage's declaration: a flag for each field of its config."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import click

from bertpipe.cli.execute import execute
from bertpipe.cli.flag import flag, is_from_field, overrides_from
from bertpipe.cli.options import (
    dry_run_option,
    json_option,
    pipeline_option,
    retrain_option,
    set_option,
)
from bertpipe.errors import BertpipeError
from bertpipe.pipeline.pipeline_file import find_pipeline
from bertpipe.pipeline.stage import Stage


class StageCommand(click.Command):
    """A command whose help keeps the keys of its step apart from the options that all steps have."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options under two headings."""
        sections: dict[str, list[tuple[str, str]]] = {f"Keys of [{self.name}] in a pipeline file": [], "Options": []}
        settings, options = sections.values()
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and is_from_field(parameter):
                settings.append((re.sub(r"^--(\S+) / --no-\1$", r"--[no-]\1", record[0]), record[1]))
            elif record is not None:
                options.append(record)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def build_command(name: str, pipeline_file: str | None = None) -> click.Command:
    """The command of the stage with this name, as the pipeline's task has it.

    Args:
        name: The stage's.
        pipeline_file: As given with ``-p``; None means to look for it.
    """
    from bertpipe.stages import STAGES, stages_of

    try:
        stages = stages_of(find_pipeline(pipeline_file))
    except BertpipeError:  # help is there without a pipeline; running the command tells what is wrong with it
        stages = STAGES
    return command_of(name, stages if any(stage.name == name for stage in stages) else STAGES)


def command_of(name: str, stages: Sequence[Stage]) -> click.Command:
    """Builds the command of a stage.

    Args:
        name: The stage's.
        stages: All stages, in order.

    Raises:
        ValueError: A config field has the name of a common option.
    """
    stage = next(stage for stage in stages if stage.name == name)

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
    needs = ", ".join(_before(stage, stages))
    text = stage.summary + (f"\n\nFirst brings what it needs up to date: {needs}." if needs else "")
    return StageCommand(
        stage.name,
        params=[*flags, *common],
        callback=callback,
        help=text,
        short_help=stage.summary,
        epilog=f"\b\nExample:\n  {stage.example}\n",
    )


def _before(stage: Stage, stages: Sequence[Stage]) -> list[str]:
    """The steps that a stage needs, directly or not, in order; without those that have no command."""
    needed = {stage.name}
    for one in reversed(stages):  # whatever a stage needs stands before it
        if one.name in needed:
            needed |= {item.step for item in one.inputs}
    return [one.name for one in stages if one.name in needed - {stage.name} and not one.hidden]
