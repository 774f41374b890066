from __future__ import annotations

import json

import pytest

from bertpipe.errors import InputError
from bertpipe.text.readers.examples import Example, ExampleReader
from bertpipe.text.readers.folder import FolderReader

GOOD = {"text": "t", "title": "r"}


def put(folder, name, *records):
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return folder / name


def test_several_references(tmp_path):
    path = put(tmp_path, "d.jsonl", {"source": ["One.", "Two."], "target": ["a\nb", " ", "c "]}, GOOD)
    reader = ExampleReader(path, text_field="source", title_field="target", skip_bad=True)
    assert list(reader) == [Example("d.jsonl#1", "One.\nTwo.", ["a b", "c"])]
    assert reader.report.skipped == 1
    # What is learned from is the first of what is measured with.
    document = next(iter(FolderReader(path, text_field="source", title_field="target", skip_bad=True)))
    assert (document.text, document.title) == ("One.\nTwo.", "a b")


def test_tables(tmp_path):
    put(tmp_path, "d.tsv", "1\ta b\tx", "2\tc d\ty")
    (tmp_path / "README.md").write_text("# About")
    reader = ExampleReader(tmp_path, text_field="2", title_field="3")
    assert list(reader) == [Example("d.tsv#1", "a b", ["x"]), Example("d.tsv#2", "c d", ["y"])]
    assert reader.report.ignored == {".md": 1}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"text": "t"}, "the record has no field 'title'. Set title_field to one of: text"),
        ({"titel": "r", "text": "t"}, 'Set title_field = "titel", if that is meant'),
        ({"title": "r"}, "the record has no field 'text'"),
        ({"text": "t", "title": []}, "the field 'title' is empty"),
        ({"text": "t", "title": [" ", ""]}, "the field 'title' is empty"),
        ({"text": " ", "title": "r"}, "the field 'text' is empty"),
        ({"text": "t", "title": None}, "the field 'title' is not text (it is null)"),
        ({"text": "t", "title": ["r", 1]}, "(it is a list with a number in it)"),
        ({"text": "t", "title": ["r", "\ud800"]}, "a lone surrogate in the title"),
        ("{", "broken JSON"),
    ],
)
def test_a_broken_record_names_its_line_or_is_counted(tmp_path, bad, words):
    path = put(tmp_path, "d.jsonl", GOOD, bad, GOOD)
    with pytest.raises(InputError) as caught:
        list(ExampleReader(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert words in str(caught.value)
    reader = ExampleReader(path, skip_bad=True)
    assert [example.id for example in reader] == ["d.jsonl#1", "d.jsonl#3"]
    assert reader.report.skipped == 1


def test_nothing_to_read(tmp_path):
    with pytest.raises(InputError, match="there is no example to read"):
        list(ExampleReader(tmp_path))
    put(tmp_path, "d.jsonl", "{")
    with pytest.raises(InputError, match=r"no example to read \(1 skipped; the first: .*broken JSON"):
        list(ExampleReader(tmp_path, skip_bad=True))
