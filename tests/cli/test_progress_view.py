import io
import sys

import pytest
from rich.console import Console

from bertpipe.cli import progress_view as module
from bertpipe.cli.progress_view import Bar, LiveView, PlainView, progress_view


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_plain_lines_are_rare(clock, capsys):
    view = PlainView()
    view.start("training", total=1000, unit="steps")
    for _ in range(100):
        clock.now += 0.5
        view.advance(5, loss=5.21, tokens_per_second=6812.0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert lines[0] == "  training  10%  loss 5.21  6,812 tokens/s  1m30s left"
    view.finish()
    assert capsys.readouterr().err == "  training  50s  500 steps  loss 5.21  6,812 tokens/s\n"


def test_a_head_start_is_no_speed(clock):
    """A resumed run begins with a jump."""
    bar = Bar("training", 1000, "steps")
    bar.advance(500, {})
    bar.mark(clock.now)
    assert bar.seconds_left is None
    clock.now += 10
    bar.advance(50, {})
    bar.mark(clock.now)
    assert bar.seconds_left == pytest.approx(90)


def test_without_a_total_the_amount_is_shown():
    bar = Bar("reading", None, "documents")
    bar.advance(4812, {})
    assert bar.words() == "4,812 documents"


@pytest.mark.parametrize("width", [80, 60])
def test_the_live_bar_fits(width, clock):
    screen = io.StringIO()
    view = LiveView(Console(file=screen, width=width, force_terminal=True, color_system=None))
    view.start("warm start: counting co-occurrences", total=1000, unit="steps")
    for _ in range(20):
        clock.now += 1
        view.advance(10, loss=5.21, tokens_per_second=6812.0)
    view.note("a note")
    view.finish()
    text = screen.getvalue()
    assert "a note" in text
    assert "200 steps" in text.splitlines()[-1]
    assert view._live.finished or not view._live.live.is_started


def test_prints_of_libraries_do_not_reach_stdout(capsys):
    with progress_view() as progress:
        print("noise")
        progress.note("a note")
    print("result")
    out, err = capsys.readouterr()
    assert out == "result\n"
    assert err == "noise\na note\n"
    assert sys.stdout is not sys.stderr
