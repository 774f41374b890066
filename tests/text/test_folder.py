from __future__ import annotations

import json
import os

import pytest

from bertpipe.errors import InputError
from bertpipe.text.readers.folder import FolderReader

SKIP = "or skip such records with --skip-bad."
GOOD = '{"id": "good", "text": "good text"}\n'


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def read(path, **options):
    return list(FolderReader(path, **options))


def error(path, **options):
    with pytest.raises(InputError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_format_gives_documents(tmp_path):
    put(tmp_path, "b.md", "# A *heading*\n\nSome **text**.\n")
    put(tmp_path, "a.txt", "﻿A title\r\n\r\nThe text\r\nof it.")
    put(tmp_path, "sub/deep/page.HTML", "<title>Page</title><p>Hello &amp; bye</p>")
    put(tmp_path, "my_old-notes.rst", "just one line without a title, which goes on and on.")
    put(tmp_path, "r.jsonl", '{"id": 7, "title": "T", "text": " x ", "n": 1.5, "b": true, "l": [1], "o": null}\n')
    put(tmp_path, "s.csv", 'text,id,lang\n"a ""quoted"", text\nof two lines",r1,en\n')
    put(tmp_path, "t.tsv", 'text\tid\n"raw" quotes\tr1\n')
    reader = FolderReader(tmp_path)
    found = {document.id: document for document in reader}
    assert list(found) == sorted(found)
    assert reader.report.documents == len(found) == 7
    assert (found["a.txt"].title, found["a.txt"].text) == ("A title", "The text\nof it.")
    assert (found["b.md"].title, found["b.md"].text) == ("A heading", "Some text.")
    assert found["b.md"].metadata == {"path": "b.md"}
    assert found["my_old-notes.rst"].title == "my old notes"
    page = found["sub/deep/page.HTML"]
    assert (page.title, page.text) == ("Page", "Hello & bye")
    record = found["r.jsonl#7"]
    assert (record.title, record.text) == ("T", "x")
    assert record.metadata == {"n": 1.5, "b": True, "o": None}
    assert found["s.csv#r1"].text == 'a "quoted", text\nof two lines'
    assert found["s.csv#r1"].metadata == {"lang": "en"}
    assert found["t.tsv#r1"].text == '"raw" quotes'


def test_one_file_may_be_named_instead_of_a_folder(tmp_path):
    path = put(tmp_path, "r.jsonl", GOOD)
    assert [document.id for document in read(path)] == ["r.jsonl#good"]
    assert [document.id for document in read(str(path))] == ["r.jsonl#good"]


def test_records_without_an_id_get_their_line(tmp_path):
    put(tmp_path, "r.jsonl", '{"text": "one"}\n\n   \n{"text": "two", "id": null}\n{"text": "three", "id": "x"}')
    assert [document.id for document in read(tmp_path)] == ["r.jsonl#1", "r.jsonl#4", "r.jsonl#x"]
    assert [document.id for document in read(tmp_path, id_field="")] == ["r.jsonl#1", "r.jsonl#4", "r.jsonl#5"]


def test_a_table_without_names_is_read_by_numbers(tmp_path):
    put(tmp_path, "t.tsv", "f.po\tan English text\t中文\nf.po\tanother\t另一个\n")
    first = read(tmp_path, text_field="3", title_field="2")[0]
    assert (first.id, first.title, first.text, first.metadata) == (
        "t.tsv#1",
        "an English text",
        "中文",
        {"1": "f.po"},
    )


def test_left_out_and_counted(tmp_path):
    put(tmp_path, "a.txt", "text")
    for name in (".hidden.txt", ".git/x.txt", "bertpipe.toml", "runs/p/corpus/documents.jsonl"):
        put(tmp_path, name, "nothing to read")
    put(tmp_path, "runs/p/corpus/manifest.json", '{"stage": "corpus"}')
    for name in ("a.pdf", "b.PDF", "c.docx", "Makefile"):
        put(tmp_path, name, "x")
    reader = FolderReader(tmp_path)
    assert [document.id for document in reader] == ["a.txt"]
    assert reader.report.ignored == {".pdf": 2, ".docx": 1, "(no ending)": 1}


def test_a_folder_of_the_users_that_is_called_runs_is_read(tmp_path):
    put(tmp_path, "runs/2024/berlin/marathon.txt", "I ran.")
    put(tmp_path, "runs/2024/berlin/manifest.json", "{}")
    assert [document.id for document in read(tmp_path)] == ["runs/2024/berlin/marathon.txt"]


def test_links_in_a_circle_end(tmp_path):
    put(tmp_path, "a/x.txt", "text")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "self.txt").symlink_to("self.txt")
    reader = FolderReader(tmp_path, skip_bad=True)
    assert [document.id for document in reader] == ["a/x.txt"]
    assert reader.report.skipped == 1


def test_a_pipe_is_not_waited_for(tmp_path):
    put(tmp_path, "a.txt", "text")
    os.mkfifo(tmp_path / "pipe.txt")
    reader = FolderReader(tmp_path)
    assert len(list(reader)) == 1
    assert reader.report.ignored == {".txt (not a regular file)": 1}


def test_a_name_that_is_not_utf8_becomes_an_id_all_the_same(tmp_path):
    try:
        put(tmp_path, os.fsdecode(b"caf\xe9.txt"), "text")
    except OSError:
        pytest.skip("this file system refuses such names")
    assert [document.id for document in read(tmp_path)] == ["caf\\xe9.txt"]


def test_options_fields_are_used(tmp_path):
    put(tmp_path, "r.jsonl", '{"question": "q\\n?", "answer": "a", "key": "k", "text": "not this"}\n')
    document = read(tmp_path, text_field="answer", title_field="question", id_field="key")[0]
    assert (document.id, document.title, document.text) == ("r.jsonl#k", "q ?", "a")
    assert document.metadata == {"text": "not this"}


# --- what is wrong with a place


def test_missing_path(tmp_path):
    assert error(tmp_path / "nope").startswith(f"{tmp_path / 'nope'}: there is no such file or folder. ")


def test_empty_folder(tmp_path):
    message = error(tmp_path)
    assert message.startswith(f"{tmp_path}: no file that can be read (the folder is empty). ")
    assert ".jsonl" in message


def test_folder_with_other_files_only(tmp_path):
    put(tmp_path, "a.pdf", "x")
    put(tmp_path, "b.pdf", "x")
    assert "(there is only: 2 .pdf)" in error(tmp_path)
    assert "(there is only: 2 .pdf)" in error(tmp_path, skip_bad=True)


def test_a_file_of_another_kind(tmp_path):
    assert "cannot read .pdf. Endings that can be read: .txt" in error(put(tmp_path, "a.pdf", "x"))


# --- what is wrong with a file or a record: (name, content, where, words); all can be skipped

BAD_FILES = {
    "empty": ("x.txt", "", "x.txt", "the file is empty"),
    "only white space": ("x.txt", " \n\t\n", "x.txt", "the file is empty"),
    "only a byte order mark": ("x.txt", b"\xef\xbb\xbf", "x.txt", "the file is empty"),
    "only markup": ("x.html", "<script>var x = 1</script>", "x.html", "no text, only markup"),
    "empty records": ("x.jsonl", "", "x.jsonl", "the file is empty"),
    "blank records": ("x.jsonl", "\n\n", "x.jsonl", "the file has no records"),
    "header only": ("x.csv", "id,text\n", "x.csv", "the file has no records"),
    "binary": ("x.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x01\x02", "x.txt", "binary file, not text (it has NUL"),
    "binary records": ("x.jsonl", b"\x00\x01\x02\x03ab\x00\x00\x00", "x.jsonl", "binary file"),
    "NUL far inside": ("x.txt", b"line\n" * 2000 + b"a\x00b\n", "x.txt:2001", "a NUL character"),
    "UTF-16": ("x.txt", "text in UTF-16".encode("utf-16"), "x.txt", "the file is UTF-16, not UTF-8. Convert"),
    "UTF-16 big end": ("x.md", b"\xfe\xff" + "text".encode("utf-16-be"), "x.md", "the file is UTF-16"),
    "UTF-16 without mark": ("x.csv", "text,id\n".encode("utf-16-le") * 9, "x.csv", "the file is UTF-16"),
    "UTF-32": ("x.txt", "text".encode("utf-32"), "x.txt", "the file is UTF-32"),
    "broken UTF-8": ("x.txt", b"good\nba\xffd\n", "x.txt:2", "broken UTF-8 at byte 3 of the line (0xff: invalid"),
    "GBK": ("x.txt", "中文\n文本".encode("gb18030"), "x.txt:1", "broken UTF-8 at byte 1 of the line"),
    "cut UTF-8": ("x.txt", "好".encode()[:2], "x.txt:1", "broken UTF-8 at byte 1"),
    "too large": ("x.txt", "x" * 20_000, "x.txt", "the file is larger than 0.0"),
    "table without the column": ("x.csv", "id,txet\n1,a\n", "x.csv:1", "no column 'text'. Set text_field = \"txet\""),
    "table with other columns": ("x.tsv", "q\ta\n1\t2\n", "x.tsv:1", "Set text_field to one of: q, a"),
    "double column": ("x.csv", "text,id,text\n1,2,3\n", "x.csv:1", "the column name 'text' stands twice"),
}

BAD_RECORDS = {
    "broken JSON": ("x.jsonl", '{"text": "x", }', "broken JSON ("),
    "cut JSON": ("x.jsonl", '{"text": "x', "broken JSON (Unterminated string starting at at column 10)"),
    "NaN": ("x.jsonl", '{"text": "x", "n": NaN}', "broken JSON (NaN is not a JSON number)"),
    "endless number": ("x.jsonl", '{"text": "x", "n": ' + "1" * 5000 + "}", "broken JSON (Exceeds the limit"),
    "number beyond range": ("x.jsonl", '{"text": "x", "n": 1e999}', "the number in the field 'n' is beyond range"),
    "list": ("x.jsonl", "[1, 2]", "the line is not a JSON object (it is a list)"),
    "null": ("x.jsonl", "null", "the line is not a JSON object (it is null)"),
    "string": ("x.jsonl", '"text"', "the line is not a JSON object (it is a string)"),
    "missing field, near": ("x.jsonl", '{"txt": "x"}', "has no field 'text'. Set text_field = \"txt\""),
    "missing field": ("x.jsonl", '{"q": "x", "a": "y"}', "has no field 'text'. Set text_field to one of: q, a,"),
    "empty object": ("x.jsonl", "{}", "has no field 'text'. Give the record one"),
    "number as text": ("x.jsonl", '{"text": 5}', "the field 'text' is not text (it is a number)"),
    "null as text": ("x.jsonl", '{"text": null}', "the field 'text' is not text (it is null)"),
    "list of other things as text": (
        "x.jsonl",
        '{"text": ["a", 3]}',
        "the field 'text' is not text (it is a list with a number in it)",
    ),
    "nested list as text": ("x.jsonl", '{"text": [["a"]]}', "(it is a list with a list in it)"),
    "empty list as text": ("x.jsonl", '{"text": []}', "the field 'text' is empty"),
    "list of white space as text": ("x.jsonl", '{"text": [" ", "\\n"]}', "the field 'text' is empty"),
    "list of other things as title": (
        "x.jsonl",
        '{"text": "x", "title": ["a", null]}',
        "the field 'title' is not text (it is a list with null in it)",
    ),
    "empty text": ("x.jsonl", '{"text": " \\n"}', "the field 'text' is empty"),
    "object as title": ("x.jsonl", '{"text": "x", "title": {}}', "the field 'title' is not text (it is an object)"),
    "list as id": ("x.jsonl", '{"text": "x", "id": [1]}', "the field 'id' is no id (it is a list with a number in it)"),
    "empty id": ("x.jsonl", '{"text": "x", "id": ""}', "the field 'id' is no id (it is empty)"),
    "fraction as id": ("x.jsonl", '{"text": "x", "id": 1.5}', "the field 'id' is no id (it is a number)"),
    "double id": ("x.jsonl", '{"text": "x", "id": "good"}', "the id 'x.jsonl#good' is also at "),
    "surrogate in text": ("x.jsonl", '{"text": "a\\ud800"}', "a lone surrogate in the text (\\ud800 is half of"),
    "surrogate in title": ("x.jsonl", '{"text": "x", "title": "\\udfff"}', "a lone surrogate in the title"),
    "surrogate in id": ("x.jsonl", '{"text": "x", "id": "\\ud800"}', "a lone surrogate in the id"),
    "surrogate in field": ("x.jsonl", '{"text": "x", "f": "\\ud800"}', "a lone surrogate in the f"),
    "surrogate in name": ("x.jsonl", '{"text": "x", "\\ud800": 1}', "a lone surrogate in the name of a field"),
    "broken UTF-8": ("x.jsonl", b'{"text": "\xff"}', "broken UTF-8 at byte 11 of the line"),
    "long line": ("x.jsonl", '{"text": "' + "x" * 20_000 + '"}', "the line is larger than 0.0"),
    "narrow row": ("x.tsv", "only one cell", "1 column instead of 2"),
    "wide row": ("x.tsv", "a\tb\tc", "3 columns instead of 2"),
    "wide csv row": ("x.csv", "a,b,c", "3 columns instead of 2"),
    "broken UTF-8 in a row": ("x.csv", b"a,\xff", "broken UTF-8 at byte 3"),
    "empty cell": ("x.csv", "a,", "the field 'text' is empty"),
}
GOOD_ROWS = {
    "x.jsonl": ('{"id": "good", "text": "good text"}', '{"id": "last", "text": "last text"}', 1),
    "x.tsv": ("id\ttext\ngood\tgood text", "last\tlast text", 2),
    "x.csv": ('id,text\ngood,"good text"', "last,last text", 2),
}
SMALL = {"max_document_mb": 10_000 / 2**20}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file(tmp_path, case):
    name, content, place, words = BAD_FILES[case]
    put(tmp_path, name, content)
    options = SMALL if case == "too large" else {}
    message = error(tmp_path, **options)
    assert message.startswith(f"{tmp_path / place}: ")
    assert words in message
    assert message.endswith(SKIP)

    # Alone it is an error even if it may be skipped; beside a good file it is a count.
    assert "(1 skipped; the first: " in error(tmp_path, skip_bad=True, **options)
    put(tmp_path, "good.jsonl", GOOD)
    reader = FolderReader(tmp_path, skip_bad=True, **options)
    assert [document.id for document in reader] == ["good.jsonl#good"]
    assert reader.report.skipped == 1
    assert words[:20] in reader.report.problems[0]
    assert "--skip-bad" not in reader.report.problems[0]


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_bad_record(tmp_path, case):
    name, bad, words = BAD_RECORDS[case]
    before, after, lines = GOOD_ROWS[name]
    bad = bad if isinstance(bad, bytes) else bad.encode("utf-8")
    put(tmp_path, name, before.encode() + b"\n" + bad + b"\n" + after.encode() + b"\n")
    message = error(tmp_path, **SMALL)
    assert message.startswith(f"{tmp_path / name}:{lines + 1}: ")
    assert words in message
    assert message.endswith(SKIP)
    reader = FolderReader(tmp_path, skip_bad=True, **SMALL)
    assert [document.id for document in reader] == [f"{name}#good", f"{name}#last"]
    assert (reader.report.documents, reader.report.skipped) == (2, 1)
    assert f"{name}:{lines + 1}" in reader.report.problems[0]


def test_broken_json_at_line_seven(tmp_path):
    lines = [f'{{"text": "{number}"}}' for number in range(10)]
    lines[6] = lines[6][:-1]
    put(tmp_path, "x.jsonl", "\n".join(lines))
    assert error(tmp_path).startswith(f"{tmp_path / 'x.jsonl'}:7: broken JSON (")


def test_json_nested_without_end(tmp_path):
    put(tmp_path, "x.jsonl", GOOD + "[" * 200_000 + "\n" + '{"a":' * 200_000)
    assert error(tmp_path).startswith(f"{tmp_path / 'x.jsonl'}:2: broken JSON (")
    assert len(read(tmp_path, skip_bad=True)) == 1


def test_double_ids_name_both_places(tmp_path):
    put(tmp_path, "x.jsonl", '{"text": "a", "id": 1}\n{"text": "b"}\n{"text": "c", "id": "1"}\n')
    path = tmp_path / "x.jsonl"
    assert error(path).startswith(f"{path}:3: the id 'x.jsonl#1' is also at {path}:1. ")


def test_a_quote_that_is_not_closed(tmp_path):
    put(tmp_path, "x.csv", 'id,text\n1,good\n2,"never closed\n3,lost\n')
    assert error(tmp_path).startswith(f"{tmp_path / 'x.csv'}:3: a quoted field is not closed. ")
    assert [document.text for document in read(tmp_path, skip_bad=True)] == ["good"]


def test_a_row_of_endless_lines_is_bounded(tmp_path):
    put(tmp_path, "x.csv", 'id,text\n1,good\n2,"' + "line\n" * 5000)
    assert error(tmp_path, **SMALL).startswith(f"{tmp_path / 'x.csv'}:3: the row is larger than ")


def test_a_list_of_strings_is_a_text_of_lines_and_its_first_string_a_title(tmp_path):
    rows = [
        {"id": "a", "source": ["One  sentence. ", "", "Another."], "target": ["", " The first\nsummary. ", "Another."]},
        {"id": "b", "source": "Plain.", "target": []},
    ]
    put(tmp_path, "x.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    first, second = read(tmp_path, text_field="source", title_field="target")
    assert (first.text, first.title) == ("One  sentence. \n\nAnother.", "The first summary.")
    assert (second.text, second.title) == ("Plain.", "")
    assert first.metadata == {}


def test_the_title_of_a_record_is_kept_whole(tmp_path):
    """It may be a translation or a summary to learn from, and half of one would teach to stop."""
    title = "A summary in many words. " * 40
    put(tmp_path, "x.jsonl", json.dumps({"text": "x", "title": title}) + "\n")
    assert read(tmp_path)[0].title == title.strip()


def test_a_misspelt_title_field_is_named_at_the_end(tmp_path):
    put(tmp_path, "x.jsonl", '{"text": "a", "question": "q"}\n')
    assert "no record has the field 'qestion'. Set title_field = \"question\"" in error(tmp_path, title_field="qestion")
    put(tmp_path, "y.jsonl", '{"text": "b", "qestion": "q"}\n')
    assert [document.title for document in read(tmp_path, title_field="qestion")] == ["", "q"]


def test_only_the_first_problems_are_remembered(tmp_path):
    put(tmp_path, "x.jsonl", GOOD + "[]\n" * 1000)
    reader = FolderReader(tmp_path, skip_bad=True)
    assert len(list(reader)) == 1
    assert reader.report.skipped == 1000
    assert len(reader.report.problems) == 5


def test_a_huge_line_is_not_read_into_memory(tmp_path):
    import tracemalloc

    path = tmp_path / "x.jsonl"
    with path.open("wb") as file:
        file.write(GOOD.encode() + b'{"text": "')
        for _ in range(200):
            file.write(b"x" * 2**20)
        file.write(b'"}\n{"text": "last"}\n')
    tracemalloc.start()
    try:
        message = error(tmp_path, max_document_mb=1)
        documents = read(tmp_path, max_document_mb=1, skip_bad=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message.startswith(f"{path}:2: the line is larger than 1 MB. ")
    assert [document.text for document in documents] == ["good text", "last"]
    assert peak < 10 * 2**20


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    # The tests may run as root, who may read everything, so the refusal is played.
    put(tmp_path, "good.txt", "text")
    secrets = {put(tmp_path, "secret.txt", "text"), put(tmp_path, "secret.jsonl", GOOD)}
    real = type(tmp_path).open

    def refuse(self, *args, **kwargs):
        if self in secrets:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    assert error(tmp_path).startswith(f"{tmp_path / 'secret.jsonl'}: cannot be read (Permission denied). ")
    reader = FolderReader(tmp_path, skip_bad=True)
    assert [document.id for document in reader] == ["good.txt"]
    assert reader.report.skipped == 2


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    put(tmp_path, "good.txt", "text")
    put(tmp_path, "locked/x.txt", "text")
    real = os.scandir

    def refuse(folder):
        if str(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert error(tmp_path).startswith(f"{tmp_path / 'locked'}: cannot be read (Permission denied). ")
    assert [document.id for document in read(tmp_path, skip_bad=True)] == ["good.txt"]


def test_a_dead_link_is_named(tmp_path):
    (tmp_path / "dead.txt").symlink_to(tmp_path / "gone.txt")
    assert error(tmp_path).startswith(f"{tmp_path / 'dead.txt'}: a link that leads to no file. ")


def test_reading_twice_gives_the_same(tmp_path):
    for name in ("b.txt", "a/z.txt", "a.txt", "a-b.txt", "ä.txt", "中.txt"):
        put(tmp_path, name, f"text of {name}")
    put(tmp_path, "r.jsonl", "".join(json.dumps({"text": str(number)}) + "\n" for number in range(50)))
    reader = FolderReader(tmp_path)
    assert list(reader) == list(reader)
    assert reader.report.documents == 56
