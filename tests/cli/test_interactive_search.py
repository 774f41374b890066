"""`bertpipe search -i`, line by line."""

import io
import sys
import types

import pytest

from bertpipe.cli import interactive_search
from bertpipe.cli.interactive_search import HELP, InteractiveSearch, search_interactively
from bertpipe.errors import ArtefactError


class FakeIndex:
    settings = types.SimpleNamespace(mode="hybrid")

    def __init__(self):
        self.asked = []
        self.refreshed = 0

    def refresh(self):
        self.refreshed += 1

    def __len__(self):
        return 7

    def search(self, query, k, mode, **how):
        if query == "broken":
            raise ArtefactError("the index is damaged", hint="Build it again.")
        if query == "slow":
            raise KeyboardInterrupt
        self.asked.append((query, k, mode, *how.values()))
        return types.SimpleNamespace(query=query, notes=())


class FakeView:
    explain = False

    def show(self, result):
        print(f"shown {result.query}")


@pytest.fixture
def index():
    return FakeIndex()


@pytest.fixture
def asked(index):
    return InteractiveSearch(index, FakeView(), 10, None, {})


def test_queries_and_commands(asked, index, capsys):
    for line in ("  water ", ":k 5", ":mode dense", "tap", ":mode auto", ":explain on", " :k 3", ""):
        assert asked.answer(line)
    assert index.asked == [("water", 10, None), ("tap", 5, "dense"), (":k 3", 5, None)]
    assert index.refreshed == 3, "what came since is found"
    assert asked.view.explain
    assert "searching by hybrid from now on" in capsys.readouterr().out
    assert not asked.answer(":quit")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (":k", ":k takes a number from 1 to 10,000"),
        (":k 0", ":k takes a number"),
        (":k 99999999999999999999", ":k takes a number"),
        (":k ٣", ":k takes a number"),
        (":mode words", ":mode takes one of hybrid, dense, bm25"),
        (":explain", ":explain takes on or off"),
        (":wq", "there is no such command"),
    ],
)
def test_commands_that_make_no_sense(asked, index, capsys, line, message):
    assert asked.answer(line)
    assert message in capsys.readouterr().err
    assert (asked.k, asked.mode, asked.view.explain, index.asked) == (10, None, False, [])


def test_help_fits_a_terminal(asked, capsys):
    asked.answer(":help")
    assert capsys.readouterr().out.strip() == HELP
    assert all(len(line) <= 80 for line in HELP.splitlines())


def test_lines_from_a_pipe(index, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO("water\nbroken\n:k 2\ntap\n"))
    search_interactively(index, FakeView(), 10, "bm25", {"rerank": False})
    assert index.asked == [("water", 10, "bm25", False), ("tap", 2, "bm25", False)]
    out, err = capsys.readouterr()
    assert out.splitlines() == ["shown water", "2 hits from now on", "shown tap"], "no prompt among the results"
    assert err == "error: the index is damaged. Build it again.\n"


def test_a_line_that_is_not_utf8(index, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\n"), encoding="utf-8"))
    search_interactively(index, FakeView(), 10, None, {})
    assert index.asked == []
    assert capsys.readouterr().err.startswith("error: the line is not UTF-8")


def test_ctrl_c_forgets_the_line_and_ctrl_d_leaves(index, monkeypatch, capsys):
    typed = iter([KeyboardInterrupt, "slow", "water", EOFError])

    def type_line(prompt):
        assert prompt == interactive_search.PROMPT
        line = next(typed)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr("builtins.input", type_line)
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: True))
    search_interactively(index, FakeView(), 10, None, {})
    assert index.asked == [("water", 10, None)]
    assert next(typed, None) is None


def test_nothing_is_written_to_a_history_file(index, monkeypatch):
    readline = pytest.importorskip("readline")
    for name in ("write_history_file", "append_history_file"):
        if hasattr(readline, name):
            monkeypatch.setattr(readline, name, lambda *_: pytest.fail("private queries on the disk"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("water\n"))
    search_interactively(index, FakeView(), 10, None, {})
