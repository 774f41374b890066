import io
import json
import sys
import types

import pytest
from rich.cells import cell_len

import bertpipe.pipeline.artefact
import bertpipe.retrieval.index
from bertpipe.cli.main import invoke
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.search_result import Hit, SearchResult

TEXT = "Sorting a list is simple: call sort. It changes the list itself, and keeps equal items in order."


def passage(title="How to sort", document="notes/sorting.md", text=TEXT):
    return Passage(
        number=0,
        passage_id=f"{document}#0",
        document=document,
        title=title,
        text=text,
        start=0,
        end=len(text),
        metadata={"path": document},
    )


ONE = (passage(),)


class FakeIndex:
    passages = ONE
    asked: list = []  # noqa: RUF012

    def __init__(self, folder):
        self.folder = folder

    def __len__(self):
        return 4812

    def search(self, query, k, mode, where=None):
        self.asked.append((query, k, mode))
        hits = [
            Hit(rank, 1.0 / rank, one, {"bm25": 7.416, "dense": 0.634})
            for rank, one in enumerate(self.passages[:k], start=1)
        ]
        return SearchResult(query, mode or "hybrid", 3.14159, hits)


@pytest.fixture
def search(tmp_path, monkeypatch, capsys):
    """Calls `bertpipe search` for an index with these passages; returns the lines on standard output."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("BERTPIPE_PIPELINE", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bertpipe.retrieval.index, "Index", FakeIndex)
    monkeypatch.setattr(bertpipe.pipeline.artefact.Artefact, "open", lambda folder: None)
    monkeypatch.setattr(FakeIndex, "asked", [])

    def call(*arguments, passages=ONE):
        monkeypatch.setattr(FakeIndex, "passages", passages)
        assert invoke(["search", "--index", str(tmp_path), *arguments]) == 0
        return capsys.readouterr().out.splitlines()

    return call


def test_a_hit(search):
    assert search("sort a list", "-k", "1") == [
        "sort a list  (1 of 4,812 passages, hybrid, 3 ms)",
        " 1  How to sort",
        "    Sorting a list is simple: call sort. It changes the list itself, and keeps",
        "    equal items in order.",
        "    notes/sorting.md  bm25 7.42  dense 0.63",
        "",
    ]
    assert FakeIndex.asked == [("sort a list", 1, None)]


def test_a_document_without_a_title_of_its_own_is_named_once(search):
    lines = search(
        "x", passages=(passage(title="str.split", document="str.split"), passage(title="", document="b.txt"))
    )
    assert lines[1] == " 1  str.split"
    assert lines[4] == "    bm25 7.42  dense 0.63"
    assert lines[5] == " 2  b.txt"


@pytest.mark.parametrize("columns", [40, 80, 133])
def test_long_and_wide_texts_fit(search, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    long = passage(title="sorting without end " * 20, document="very/long/" * 20 + "end.md", text=TEXT * 9)
    wide = passage(
        title="如何给列表排序" * 30, document="笔记/" * 60 + "排序.md", text="给列表排序很简单，调用一个方法就行。" * 30
    )
    lines = search("列表 sort", passages=(long, wide))
    assert all(cell_len(line) <= columns for line in lines)
    lines = lines[-11:-1]  # two hits
    assert "…" in lines[0]
    assert lines[4].endswith("/end.md  bm25 7.42  dense 0.63")
    assert lines[9].endswith("排序.md  bm25 7.42  dense 0.63")
    assert not [line for line in lines if line != line.rstrip()]


def test_what_a_terminal_would_obey_is_not_printed(search):
    nasty = passage(
        title="a \x1b[2Jtitle", document="b\x1b]0;c\x07.md", text="some\x1b[31m text\r\n[red]with marks[/red]"
    )
    lines = search("text \x1b[2J", passages=(nasty,))
    assert not [mark for line in lines for mark in line if not mark.isprintable()]
    assert "[red]with marks[/red]" in lines[2], "and is not taken for our own marks either"


def test_nothing_found(search):
    assert search("x", "--mode", "bm25", passages=())[:2] == [
        "x  (0 of 4,812 passages, bm25, 3 ms)",
        "Nothing found. Try other words, or --mode dense.",
    ]


def test_json_is_one_document(search):
    document = json.loads("\n".join(search("怎样", "--json")))
    assert document["query"] == "怎样"
    assert document["took_ms"] == 3.14
    assert document["hits"][0]["document"] == "notes/sorting.md"
    assert document["hits"][0]["scores"] == {"bm25": 7.416, "dense": 0.634}


def test_queries_from_standard_input(search, monkeypatch):
    def standard_input(data):
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(data)))

    standard_input("\ufeff怎样\n\n  two words \n".encode())
    assert [json.loads(line)["query"] for line in search("-", "--json", "-k", "2")] == ["怎样", "two words"]
    assert FakeIndex.asked == [("怎样", 2, None), ("two words", 2, None)]


def test_standard_input_that_cannot_be_used(search, monkeypatch, tmp_path, capsys):
    for data, message in (
        (b"\n\n", "error: standard input has no query. Give one query a line.\n"),
        (b"fine\n\xff\n", "error: standard input:2: not UTF-8"),
    ):
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(data)))
        assert invoke(["search", "--index", str(tmp_path), "-"]) == 1
        assert capsys.readouterr().err.startswith(message)


def test_there_is_no_index(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BERTPIPE_PIPELINE", raising=False)
    (tmp_path / "bertpipe.toml").write_text('name = "a"\n')
    assert invoke(["search", "x"]) == 1
    assert "Build it with `bertpipe run`" in capsys.readouterr().err
    assert invoke(["search", "x", "--index", "a", "-p", "b"]) == 2
