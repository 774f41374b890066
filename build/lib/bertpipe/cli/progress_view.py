"""Draws progress on standard error: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Final

import click

from bertpipe.cli.output import counted, duration, figures
from bertpipe.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN_SECONDS: Final = 10.0
_LIVE_SECONDS: Final = 0.1
_WINDOW_SECONDS: Final = 30.0
_MOST_FIGURES: Final = 2


class Bar:
    """How far one piece of work is, and what that looks like in words."""

    def __init__(self, label: str, total: float | None, unit: str) -> None:
        self.label = label
        self.total = total
        self.unit = unit
        self.done = 0.0
        self.figures: dict[str, float] = {}
        self._began = time.monotonic()
        self._marks: deque[tuple[float, float]] = deque()

    def advance(self, amount: float, values: dict[str, float]) -> None:
        """Adds to what is done."""
        self.done += amount
        self.figures.update(values)

    def mark(self, now: float) -> None:
        """Remembers how much was done at a time, to tell the speed from.

        The first mark comes after the first `advance`, so that a resumed run's head start counts as no speed.
        """
        self._marks.append((now, self.done))
        while len(self._marks) > 2 and now - self._marks[0][0] > _WINDOW_SECONDS:
            self._marks.popleft()

    @property
    def seconds_left(self) -> float | None:
        """Time left at the speed of the last half minute; None if not known."""
        if self.total is None or len(self._marks) < 2:
            return None
        (then, before), (now, done) = self._marks[0], self._marks[-1]
        if done <= before or now <= then:
            return None
        return max(0.0, self.total - done) * (now - then) / (done - before)

    def words(self) -> str:
        """Share or amount done, figures, time left."""
        parts = []
        if self.total:
            parts.append(f"{min(100.0, 100 * self.done / self.total):.0f}%")
        elif self.done:
            parts.append(counted(round(self.done), self.unit))
        parts += figures({name: float(value) for name, value in self.figures.items()})[:_MOST_FIGURES]
        left = self.seconds_left
        if left is not None:
            parts.append(f"{duration(max(1.0, left)).replace('.0s', 's')} left")
        return "  ".join(parts)

    def summary(self) -> str:
        """One line for work that has ended."""
        parts = [self.label, duration(time.monotonic() - self._began)]
        if self.done and self.unit:
            parts.append(counted(round(self.done), self.unit))
        parts += figures({name: float(value) for name, value in self.figures.items()})[:_MOST_FIGURES]
        return "  " + "  ".join(parts)


class PlainView:
    """Lines for a log: at most one every ten seconds, and one at the end of each piece of work."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._shown = 0.0

    def start(self, label: str, total: float | None = None, unit: str = "") -> None:
        """Begins a piece of work."""
        self._bar = Bar(label, total, unit)
        self._shown = time.monotonic()

    def advance(self, amount: float = 1, **figures: float) -> None:
        """Shows a line if the last one is old enough."""
        if self._bar is None:
            return
        self._bar.advance(amount, figures)
        now = time.monotonic()
        if self._bar.done == amount:
            self._bar.mark(now)
        if now - self._shown >= _PLAIN_SECONDS:
            self._shown = now
            self._bar.mark(now)
            self.note(f"  {self._bar.label}  {self._bar.words()}")

    def finish(self) -> None:
        """Ends the piece of work."""
        if self._bar is not None:
            self.note(self._bar.summary())
            self._bar = None

    def note(self, text: str) -> None:
        """Writes a line."""
        click.echo(text, err=True)

    def close(self) -> None:
        """Forgets a piece of work that was not finished."""
        self._bar = None


class LiveView:
    """A bar that moves, with a line left behind at its end."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, TaskID, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column

        self._console = console
        self._live = RichProgress(
            TextColumn("  {task.description}", markup=False, table_column=Column(no_wrap=True, ratio=None)),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[words]}", markup=False, table_column=Column(no_wrap=True)),
            console=console,
            transient=True,
            expand=True,
        )
        self._bar: Bar | None = None
        self._task_id = TaskID(0)
        self._shown = 0.0

    def start(self, label: str, total: float | None = None, unit: str = "") -> None:
        """Begins a bar."""
        self.close()
        self._bar = Bar(label, total, unit)
        self._task_id = self._live.add_task(label, total=total, words="")
        self._live.start()

    def advance(self, amount: float = 1, **figures: float) -> None:
        """Moves the bar, ten times a second at most: many callers advance for every document."""
        if self._bar is None:
            return
        self._bar.advance(amount, figures)
        now = time.monotonic()
        if now - self._shown >= _LIVE_SECONDS:
            self._shown = now
            self._bar.mark(now)
            self._live.update(self._task_id, completed=self._bar.done, words=self._bar.words())

    def finish(self) -> None:
        """Replaces the bar with a line."""
        bar = self._bar
        self.close()
        if bar is not None:
            self.note(bar.summary())

    def note(self, text: str) -> None:
        """Writes a line above the bar."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Takes the bar off the screen."""
        if self._bar is not None:
            self._live.stop()
            self._live.remove_task(self._task_id)
            self._bar = None


@contextmanager
def progress_view() -> Iterator[Progress]:
    """Progress for one command. What libraries print meanwhile is kept out of the results."""
    view: PlainView | LiveView
    if sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown"):
        from rich.console import Console

        view = LiveView(Console(stderr=True))
    else:
        view = PlainView()
    with redirect_stdout(sys.stderr):
        try:
            yield view
        finally:
            view.close()
