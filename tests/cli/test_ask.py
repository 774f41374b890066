import io
import json
import os
import subprocess
import sys
import types

import pytest
from rich.cells import cell_len

import bertpipe.pipeline.artefact
import bertpipe.retrieval.asking
import bertpipe.retrieval.index
from bertpipe.cli.main import invoke
from bertpipe.retrieval.asking import Answer, Answers
from bertpipe.retrieval.passage import Passage

TEXT = "Sorting a list is simple: call sort. It changes the list itself, and keeps equal items in order."


def answer(text="call sort", passage_text=TEXT, document="notes/sorting.md", offset=100, score=0.8125):
    start = passage_text.index(text)
    passage = Passage(0, f"{document}#1", document, "How to sort", passage_text, offset, offset + len(passage_text))
    return Answer(text, score, passage, offset + start, offset + start + len(text))


ONE = (answer(),)


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    """Calls `bertpipe ask` for an index that gives these answers; returns the lines on standard output."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("BERTPIPE_PIPELINE", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bertpipe.retrieval.index, "Index", lambda folder: types.SimpleNamespace(folder=folder))
    monkeypatch.setattr(bertpipe.pipeline.artefact.Artefact, "open", lambda folder: None)

    def call(*arguments, answers=ONE, reader=True, cut=False):
        call.asked = []

        def fake(index, question, k, where):
            call.asked.append((question, k))
            return Answers(question, list(answers), reader, k, 12.3, cut)

        monkeypatch.setattr(bertpipe.retrieval.asking, "ask", fake)
        assert invoke(["ask", "--index", str(tmp_path), *arguments]) == 0
        out, call.err = capsys.readouterr()
        return out.splitlines()

    return call


def test_an_answer(ask):
    assert ask("how do I sort?") == [
        "how do I sort?  (10 passages read, 12 ms)",
        " 1  call sort",
        "    Sorting a list is simple: call sort. It changes the list itself, and keeps",
        "    equal items in order.",
        "    notes/sorting.md  characters 126 to 135  probability 0.81",
        "",
    ]
    assert ask.err == ""
    assert ask.asked == [("how do I sort?", 10)]


def test_no_answer(ask):
    assert ask("why?", "-k", "3", answers=())[:2] == [
        "why?  (3 passages read, 12 ms)",
        "No answer: nothing that was read answers it.",
    ]
    assert json.loads("\n".join(ask("why?", "--json", answers=())))["answers"] == []


def test_without_a_reader_it_says_so(ask):
    lines = ask("how?", reader=False)
    assert ask.err.startswith("no reader was trained: ")
    assert "[finetune.reader]" in ask.err
    assert lines[1].startswith(" 1  Sorting a list")
    assert "probability" not in "\n".join(lines)
    document = json.loads("\n".join(ask("how?", "--json", reader=False)))
    assert document["reader"] is False
    assert "no reader was trained" in ask.err


def test_a_cut_question_is_told(ask):
    ask("how? " * 50, cut=True)
    assert "its end is not read" in ask.err


def test_questions_from_standard_input(ask, monkeypatch):
    data = types.SimpleNamespace(buffer=io.BytesIO("怎样？\n\n why? \n".encode()))
    monkeypatch.setattr(sys, "stdin", data)
    documents = [json.loads(line) for line in ask("-", "--json", "-k", "4", reader=False)]
    assert [document["question"] for document in documents] == ["怎样？", "why?"]
    assert ask.asked == [("怎样？", 4), ("why?", 4)]
    assert ask.err.count("no reader was trained") == 1


def test_standard_input_without_a_question(ask, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(b"\n")))
    assert invoke(["ask", "--index", str(tmp_path), "-"]) == 1
    assert capsys.readouterr().err == "error: standard input has no question. Give one question a line.\n"


@pytest.mark.parametrize("columns", [30, 80, 133])
@pytest.mark.parametrize("reader", [True, False])
def test_long_and_wide_texts_fit(ask, monkeypatch, columns, reader):
    monkeypatch.setenv("COLUMNS", str(columns))
    wide = "给列表排序很简单，调用一个方法就行。" * 30
    nasty = "b\x1b]0;c\x07.md" + "/long" * 40
    given = (answer(text=TEXT * 3, passage_text=TEXT * 9, document=nasty), answer(text=wide[40:90], passage_text=wide))
    lines = ask("question " * 30, answers=given, reader=reader)
    body = [line for line in lines if not line.startswith("question")][2:]
    assert all(cell_len(line) <= columns for line in body)
    assert not [mark for line in lines for mark in line if not mark.isprintable()]


def test_wrong_usage(tmp_path, capsys):
    assert invoke(["ask", "x", "--index", "a", "-p", "b"]) == 2
    assert invoke(["ask", "x", "-k", "0"]) == 2
    assert invoke(["ask", "x", "--index", str(tmp_path / "none")]) == 1
    assert "there is no index at" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom bertpipe.cli.main import invoke\ncode = invoke(['ask', '--help'])\n"
        "heavy = ('torch', 'numpy', 'onnxruntime', 'pydantic', 'faiss')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.splitlines()[-1] == "[]"
