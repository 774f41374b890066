import io
import sys

import click
import pytest

from bertpipe.cli import generation
from bertpipe.cli.generation import NumberRange, input_lines, windows
from bertpipe.errors import InputError


def lines_of(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    return input_lines()


def test_lines_and_their_numbers(monkeypatch):
    data = "\ufeffone\r\n\n  zwei 三 \nlast".encode()
    assert list(lines_of(monkeypatch, data)) == [(1, "one"), (2, ""), (3, "zwei 三"), (4, "last")]


def test_only_a_line_feed_ends_a_line(monkeypatch):
    assert list(lines_of(monkeypatch, "a\u2028b\x0bc\rd\n".encode())) == [(1, "a\u2028b\x0bc\rd")]


def test_input_that_is_none(monkeypatch):
    with pytest.raises(InputError, match="standard input is empty"):
        list(lines_of(monkeypatch, b""))
    lines = lines_of(monkeypatch, b"fine\n\xe4\n")
    assert next(lines) == (1, "fine")
    with pytest.raises(InputError, match="standard input:2: not UTF-8"):
        next(lines)


def test_many_lines_are_taken_together_and_a_persons_one_by_one(monkeypatch):
    lines = [(place, str(place)) for place in range(1, 2 * generation.WINDOW + 4)]
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    groups = list(windows(iter(lines)))
    assert [len(group) for group in groups] == [generation.WINDOW, generation.WINDOW, 3]
    assert [line for group in groups for line in group] == lines
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert [len(group) for group in windows(iter(lines[:5]))] == [1] * 5


@pytest.mark.parametrize(
    ("text", "good"), [("0.5", True), ("-10", True), ("10.1", False), ("nan", False), ("inf", False)]
)
def test_numbers_of_a_range(text, good):
    kind = NumberRange(-10, 10)
    if good:
        assert kind.convert(text, None, None) == float(text)
    else:
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)
