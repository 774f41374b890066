"""The command `bertpipe`: finds the subcommand, and turns errors into one line and an exit status.

Subcommands are imported when they are called for, so that ``--help`` and ``--version`` answer at once.
"""

from __future__ import annotations

import errno
import importlib
import keyword
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import click

from bertpipe.errors import BertpipeError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "init": ("bertpipe.cli.init", "Write a commented bertpipe.toml for a folder of text."),
    "import": ("bertpipe.cli.import_model", "Read a published model, to use it or to train it further."),
    "run": ("bertpipe.cli.run", "Read, learn and index: bring every step up to date."),
    "search": ("bertpipe.cli.search", "Find the passages that answer a query best."),
    "ask": ("bertpipe.cli.ask", "Answer a question from the documents."),
    "judge": ("bertpipe.cli.judge", "Say which documents answer which queries, to measure with."),
    "status": ("bertpipe.cli.status", "Show which steps are fresh, and why the others are not."),
    "predict": ("bertpipe.cli.predict", "Say what a model has learned about texts: classes, names, similarity."),
    "translate": ("bertpipe.cli.translate", "Translate text."),
    "summarize": ("bertpipe.cli.summarize", "Summarize text."),
    "evaluate": ("bertpipe.cli.evaluate", "Measure a model, or an index, on data with the right answers."),
    "chat": ("bertpipe.cli.chat", "Talk with a model that learned from dialogues."),
    "export": ("bertpipe.cli.export_model", "Write a model for transformers, sentence-transformers or ONNX."),
}
"""Module and one line of help by command; the module has an attribute of the command's name, or ``import_``."""

STEPS: Final[dict[str, str]] = {
    "corpus": "Read the documents.",
    "tokenize": "Train the tokenizer and encode the documents.",
    "pretrain": "Pretrain a BERT on the documents (masked words, next sentence).",
    "finetune": "Fine-tune the BERT to find passages for queries.",
    "embed": "Cut the documents into passages and encode them.",
    "index": "Build the index and measure how well it finds.",
}
"""One line of help by step that has a command; a test holds it against the stages."""

PIPELINE: Final = "bertpipe.pipeline"
"""Key of the context's meta: the pipeline file that the arguments name."""

EPILOG: Final = """\b
Examples:
  bertpipe init notes                 write bertpipe.toml for the folder notes
  bertpipe run                        read, learn and index
  bertpipe search "how to sort"       find passages
  bertpipe run -p other.toml --set pretrain.budget=10m
"""


@dataclass
class Session:
    """What outlives the parsing of the command line.

    Attributes:
        debug: Show tracebacks.
    """

    debug: bool = False


def _set_debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Session).debug = True


def _debug_option() -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        callback=_set_debug,
        help="Show the traceback of an error.",
    )


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports them when one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the help."""
        return [*COMMANDS, *STEPS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports or builds the command."""
        if cmd_name in COMMANDS:
            module, summary = COMMANDS[cmd_name]
            attribute = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
            command: click.Command = getattr(importlib.import_module(module), attribute)
            command.short_help = summary
        elif cmd_name in STEPS:
            from bertpipe.cli.stage_command import build_command

            command = build_command(cmd_name, ctx.meta.get(PIPELINE))
        else:
            return None
        if not any("--debug" in parameter.opts for parameter in command.params):
            command.params.append(_debug_option())
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command; a name that does not exist brings the nearest to mind."""
        import difflib

        name = args[0]
        if name not in self.list_commands(ctx) and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"There is no command {name!r}.{hint}", ctx)
        # What flags a step has depends on the pipeline, which may be named behind the step.
        ctx.meta[PIPELINE] = _pipeline_named(args)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands under two headings, from the tables above: nothing is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])
        with formatter.section("Steps (each first brings what it needs up to date)"):
            formatter.write_dl(list(STEPS.items()))


def _pipeline_named(arguments: Sequence[str]) -> str | None:
    """The value of ``-p`` or ``--pipeline`` in arguments that are not parsed yet."""
    for place, argument in enumerate(arguments):
        if argument in ("-p", "--pipeline"):
            return arguments[place + 1] if place + 1 < len(arguments) else None
        if argument.startswith("--pipeline="):
            return argument.partition("=")[2]
        if argument.startswith("-p") and not argument.startswith("--"):
            return argument[2:]
    return None


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    params=[_debug_option()],
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="bertpipe", message="%(prog)s %(version)s")
def bertpipe() -> None:
    """Turn a folder of private text into a search engine that learned from that text."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the command: runs it and exits with 0 (done), 1 (a named error) or 2 (wrong usage)."""
    sys.exit(invoke(sys.argv[1:] if arguments is None else arguments))


def invoke(arguments: Sequence[str]) -> int:
    """Runs a command line and returns its exit status; errors are one line on standard error."""
    session = Session()
    try:
        status = bertpipe.main(list(arguments), prog_name="bertpipe", standalone_mode=False, obj=session)
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", session)
    except BertpipeError as error:
        return _fail(str(error), session)
    except OSError as error:
        if error.errno == errno.EPIPE:
            # Whoever read our output has read enough. Python would complain again when it closes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        return _fail(_unexpected(error), session)
    except Exception as error:
        return _fail(_unexpected(error), session)
    # Without standalone mode click returns what the command returned, and the status of --help and --version.
    return status if isinstance(status, int) else 0


def _fail(text: str, session: Session) -> int:
    if session.debug:
        traceback.print_exc()
    click.echo(f"error: {text}", err=True)
    return 1


def _unexpected(error: Exception) -> str:
    what = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {what}. --debug shows the traceback"


if __name__ == "__main__":
    main()
