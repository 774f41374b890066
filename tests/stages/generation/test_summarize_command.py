import json

import pytest

TEXT = "The red dog sees the cat. The old bird likes the dog."
LONG = " ".join(["The old cat sees the big bird."] * 12)


@pytest.fixture
def files(tmp_path):
    for name, text in (("short.txt", TEXT), ("long.md", LONG), ("empty.txt", " \n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_file(summarization, files):
    done = summarization("summarize", str(files / "short.txt"))
    assert done.code == 0
    assert len(done.out.splitlines()) == 1
    assert done.err == ""
    document = json.loads(summarization("summarize", str(files / "short.txt"), "--json").out)
    assert list(document) == ["document", "summary", "score", "tokens", "tokens_read", "took_ms"]
    assert document["summary"] + "\n" == done.out
    assert document["document"] == str(files / "short.txt")
    assert 10 < document["tokens"] == document["tokens_read"] < 48


def test_a_long_file_is_read_as_far_as_was_learned(summarization, files):
    done = summarization("summarize", str(files / "long.md"))
    assert done.code == 0
    assert "long.md: read the first 47 of " in done.err
    # What stands behind that changes nothing.
    (files / "longer.md").write_text(LONG + " The red dog likes the cat.", encoding="utf-8")
    assert summarization("summarize", str(files / "longer.md")).out == done.out
    document = json.loads(summarization("summarize", str(files / "long.md"), "--json").out)
    assert document["tokens_read"] == 47 < 100 < document["tokens"]
    error = summarization("summarize", str(files / "long.md"), "--whole").error
    assert "long.md: the text has" in error
    assert "the model reads 47" in error
    assert summarization("summarize", str(files / "short.txt"), "--whole").code == 0


def test_several_files(summarization, files):
    paths = [str(files / "short.txt"), str(files / "long.md")]
    done = summarization("summarize", *paths)
    assert done.code == 0
    assert [line.startswith(f"{path}: ") for path, line in zip(paths, done.out.splitlines(), strict=True)] == [True] * 2
    documents = [json.loads(line) for line in summarization("summarize", *paths, "--json").out.splitlines()]
    assert [document["document"] for document in documents] == paths


def test_standard_input(summarization):
    done = summarization("summarize", "-", stdin=f"{TEXT}\n{LONG}\n")
    assert done.code == 0
    assert len(done.out.splitlines()) == 2
    assert "standard input:2: read the first 47 of" in done.err
    documents = [json.loads(line) for line in summarization("summarize", "-", "--json", stdin=TEXT).out.splitlines()]
    assert [document["document"] for document in documents] == ["standard input:1"]
    assert done.out.splitlines()[0] == documents[0]["summary"]


def test_bad_input(summarization, files):
    error = summarization("summarize", str(files / "empty.txt")).error
    assert error == f"{files / 'empty.txt'}: the file is empty"  # nothing about skipping it, which cannot be
    assert "standard input:2: there is nothing" in summarization("summarize", "-", stdin=f"{TEXT}\n\n").error
    assert "standard input is empty" in summarization("summarize", "-", stdin="").error
    assert "nowhere.txt" in summarization("summarize", str(files / "nowhere.txt")).error
    (files / "latin.txt").write_bytes(b"caf\xff\n")
    assert "latin.txt" in summarization("summarize", str(files / "latin.txt")).error
    assert str(files) in summarization("summarize", str(files)).error
    assert summarization("summarize").code == 2


def test_standard_input_beside_files_is_a_file_of_that_name(summarization, files):
    """Rather than reading half of what was meant."""
    assert "-" in summarization("summarize", "-", str(files / "short.txt")).error


def test_runs_of_pieces(summarization, files):
    """Three steps of training say the same thing again and again, unless they may not."""
    path = str(files / "short.txt")
    free = summarization("summarize", path, "--no-repeat", "0").out
    strict = summarization("summarize", path, "--no-repeat", "1").out
    assert free != strict


def test_wrong_task(translation, files):
    error = translation("summarize", str(files / "short.txt")).error
    assert 'is for translation. A pipeline with task = "summarization" is needed' in error
