"""`bertpipe search -i`: queries one after the other, with a history that is gone at the end.

What somebody looks for in private texts is private too, so the history is kept in memory and never written to a file.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

import click

from bertpipe.cli.output import counted, tell
from bertpipe.errors import BertpipeError

if TYPE_CHECKING:
    from bertpipe.cli.hit_view import HitView
    from bertpipe.retrieval.index import Index
    from bertpipe.retrieval.search_result import Mode

PROMPT = "search> "
MOST_HITS = 10_000
HELP = """\
Type a query. Lines that begin with a colon are commands:
  :k 5              show 5 hits
  :mode dense       search by bm25, dense or hybrid; :mode auto: as usual
  :explain on       show which words made the score; :explain off ends that
  :help             show this
  :quit             leave, as Ctrl-D; Ctrl-C forgets the line or stops a search
The arrow keys bring back earlier lines. They are kept in memory only.
To search for a text that begins with a colon, put a space before it."""


class InteractiveSearch:
    """What `bertpipe search -i` remembers between two lines.

    Args:
        index: Where to search.
        view: Shows what was found.
        k: Hits.
        mode: As in `Index.search`.
        how: Other arguments of `Index.search`.
    """

    def __init__(self, index: Index, view: HitView, k: int, mode: Mode | None, how: Mapping[str, Any]) -> None:
        self.index = index
        self.view = view
        self.k = k
        self.mode = mode
        self.how = how

    def answer(self, line: str) -> bool:
        """Does what a line says.

        Args:
            line: A query or a command.

        Returns:
            Whether to go on.
        """
        if line.startswith(":"):
            return self._obey(line[1:].split())
        if line.strip():
            self.index.refresh()  # whoever leaves it open for a day wants to find what came since
            result = self.index.search(line.strip(), self.k, self.mode, **self.how)
            tell(result.notes)
            self.view.show(result)
        return True

    def _obey(self, words: list[str]) -> bool:
        from bertpipe.retrieval.search_result import Mode

        modes = get_args(Mode)
        match words:
            case ["quit" | "q" | "exit"]:
                return False
            case ["help" | "h" | "?"] | []:
                click.echo(HELP)
            case ["k", value] if value.isascii() and value.isdigit() and 1 <= int(value[:6]) <= MOST_HITS:
                self.k = int(value)
                click.echo(f"{counted(self.k, 'hits')} from now on")
            case ["mode", value] if value in (*modes, "auto"):
                self.mode = None if value == "auto" else value  # type: ignore[assignment]
                click.echo(f"searching by {self.mode or self.index.settings.mode} from now on")
            case ["explain", "on" | "off" as value]:
                self.view.explain = value == "on"
                click.echo(f"explanations are {value}")
            case ["k", *_]:
                click.echo(f":k takes a number from 1 to {MOST_HITS:,}", err=True)
            case ["mode", *_]:
                click.echo(f":mode takes one of {', '.join(modes)}, auto", err=True)
            case ["explain", *_]:
                click.echo(":explain takes on or off", err=True)
            case _:
                click.echo("there is no such command; :help shows those that there are", err=True)
        return True


def search_interactively(index: Index, view: HitView, k: int, mode: Mode | None, how: Mapping[str, Any]) -> None:
    """Reads lines until they end.

    Args:
        index: Where to search.
        view: Shows what was found.
        k: Hits.
        mode: As in `Index.search`.
        how: Other arguments of `Index.search`.
    """
    with contextlib.suppress(ImportError):  # Windows has none: lines can still be typed
        import readline  # noqa: F401  # gives `input` its arrow keys, and a history in memory
    asked = InteractiveSearch(index, view, k, mode, how)
    terminal = sys.stdin.isatty()
    if terminal:
        click.echo(f"{counted(len(index), 'passages')}; :help shows the commands, Ctrl-D leaves", err=True)
    going_on = True
    while going_on:
        try:
            going_on = asked.answer(input(PROMPT if terminal else ""))
        except EOFError:
            if terminal:
                click.echo()
            return
        except KeyboardInterrupt:
            if not terminal:
                raise
            click.echo()
        except UnicodeDecodeError as error:
            click.echo(f"error: the line is not UTF-8 ({error.reason})", err=True)
        except BertpipeError as error:
            click.echo(f"error: {error}", err=True)
