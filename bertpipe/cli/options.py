"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from bertpipe.pipeline.override import Override, parse_setting

_Command = TypeVar("_Command", bound=Callable[..., Any] | click.Command)


def _parse_settings(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> list[Override]:
    try:
        return [parse_setting(value) for value in values]
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from error


def pipeline_option() -> click.Option:
    """``-p/--pipeline FILE``."""
    return click.Option(
        ["-p", "--pipeline"],
        metavar="FILE",
        help="Pipeline file.  [default: $BERTPIPE_PIPELINE, or bertpipe.toml here or above]",
    )


def where_option() -> click.Option:
    """``--where CONDITION``."""
    return click.Option(
        ["--where"],
        metavar="CONDITION",
        help="Only documents that meet a condition on their fields: 'lang = \"en\" and year >= 2020'.",
    )


def set_option() -> click.Option:
    """``--set step.key=value``, as a list of `Override`."""
    return click.Option(
        ["--set", "settings"],
        multiple=True,
        metavar="STEP.KEY=VALUE",
        callback=_parse_settings,
        help="Set a key over the pipeline file's; may be repeated.",
    )


def retrain_option() -> click.Option:
    """``--retrain``."""
    return click.Option(
        ["--retrain"],
        is_flag=True,
        help="Learn from the corpus as it is now, not as it was at the first run.",
    )


def dry_run_option() -> click.Option:
    """``--dry-run``."""
    return click.Option(["--dry-run"], is_flag=True, help="Only say what would run, and why.")


def json_option() -> click.Option:
    """``--json``."""
    return click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document and nothing else.")


def with_options(*options: click.Option) -> Callable[[_Command], _Command]:
    """Adds options to a command, in this order."""

    def add(command: _Command) -> _Command:
        assert isinstance(command, click.Command)
        command.params.extend(options)
        return command

    return add
