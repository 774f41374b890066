import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.errors import InputError
from bertpipe.text.readers.labelled import LabelledReader, LabelledText


@pytest.fixture
def file(tmp_path):
    def write(name: str, content: str | bytes):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return path

    return write


def read(path, **options) -> list[LabelledText]:
    return list(LabelledReader(path, **({"text_field": "text", "label_field": "label"} | options)))


def error(path, **options) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    assert "--skip-bad" not in message
    assert "[corpus]" not in message
    return message


def test_a_table_with_names(file):
    path = file("a.csv", '\ufefftext,label\r\n"good, really",pos\r\n  bad  ,neg\r\n')
    assert read(path) == [
        LabelledText("a.csv#2", "good, really", "", ("pos",), path, 2),
        LabelledText("a.csv#3", "bad", "", ("neg",), path, 3),
    ]


def test_a_table_without_names(file):
    path = file("a.tsv", "good\t1\nbad\t0\n")
    assert [(item.text, item.labels) for item in read(path, text_field="1", label_field="2")] == [
        ("good", ("1",)),
        ("bad", ("0",)),
    ]


def test_json_lines_with_pairs_and_ids(file):
    path = file(
        "a.jsonl",
        '{"id": 7, "text": "a", "b": ["x", "y"], "label": true}\n\n{"id": "k", "text": "c", "b": "d", "label": 3}\n',
    )
    assert read(path, pair_field="b", id_field="id") == [
        LabelledText("a.jsonl#7", "a", "x\ny", ("true",), path, 1),
        LabelledText("a.jsonl#k", "c", "d", ("3",), path, 3),
    ]


def test_several_labels(file):
    table = file("a.tsv", "text\tlabel\nx\tjoy; love;joy\ny\t\nz\tfear;\n")
    assert [item.labels for item in read(table, separator=";")] == [("joy", "love"), (), ("fear",)]
    lists = file("a.jsonl", '{"text": "x", "label": ["b", "a", "b"]}\n{"text": "y", "label": []}\n')
    assert [item.labels for item in read(lists)] == [("b", "a"), ()]
    # Without a separator, what looks like several labels is the name of one.
    assert read(file("b.tsv", "text\tlabel\nx\tjoy; love\n"))[0].labels == ("joy; love",)


def test_texts_without_labels(file):
    assert read(file("a.csv", "text,label\nx,\n"), label_field="")[0].labels == ()


def test_a_folder(tmp_path, file):
    (tmp_path / "b").mkdir()
    file("b/one.csv", "text,label\nx,1\n")
    file("a.jsonl", '{"text": "y", "label": "2"}')
    file("notes.txt", "not read")
    reader = LabelledReader(tmp_path, text_field="text", label_field="label")
    assert [item.id for item in reader] == ["a.jsonl#1", "b/one.csv#2"]
    assert (reader.report.documents, reader.report.ignored) == (2, {".txt": 1})


def test_an_empty_text_is_counted_or_refused(file):
    path = file("a.csv", "text,other,label\nx,u,1\n \u3000,v,0\ny,\ufeff,0\n")
    reader = LabelledReader(path, text_field="text", pair_field="other", label_field="label")
    assert [item.text for item in reader] == ["x"]
    assert (reader.report.documents, reader.report.skipped) == (1, 2)
    assert f"{path}:3: the field 'text' is empty" in reader.report.problems[0]
    assert f"{path}:4: the field 'other' is empty" in reader.report.problems[1]
    assert error(path, strict=True).startswith(f"{path}:3: the field 'text' is empty")
    nothing = file("b.csv", "text,label\n,1\n,0\n")
    assert "there is no record to read (2 skipped; the first: " in error(nothing)


BAD = {
    "empty file": ("a.csv", "", "", "the file is empty. Remove it."),
    "names alone": ("a.csv", "text,label\n", "", "the file has no records"),
    "no text column": (
        "a.csv",
        "texts,label\nx,1\n",
        ":1",
        "the table has no column 'text'. Set text_field = \"texts\"",
    ),
    "no label column": (
        "a.csv",
        "text,category\nx,1\n",
        ":2",
        "no field 'label'. Set label_field to one of: text, category",
    ),
    "empty label": ("a.csv", "text,label\nx,1\ny, \n", ":3", "the label in the field 'label' is empty. Fill it in"),
    "no label": ("a.jsonl", '{"text": "x"}', ":1", "the record has no field 'label'"),
    "null label": ("a.jsonl", '{"text": "x", "label": null}', ":1", "'label' is no label (it is null)"),
    "score as label": ("a.jsonl", '{"text": "x", "label": 0.5}', ":1", "no label (it is a number with a fraction)"),
    "empty label in a list": ("a.jsonl", '{"text": "x", "label": ["a", ""]}', ":1", "is empty"),
    "lists of lists": ("a.jsonl", '{"text": "x", "label": [["a"]]}', ":1", "no label (it is a list)"),
    "half a character": ("a.jsonl", '{"text": "x", "label": "\\ud800"}', ":1", "a lone surrogate in the label"),
    "half a character in the text": (
        "a.jsonl",
        '{"text": "\\ud800", "label": "x"}',
        ":1",
        "a lone surrogate in the text",
    ),
    "number as text": ("a.jsonl", '{"text": 1, "label": "x"}', ":1", "the field 'text' is not text (it is a number)"),
    "broken JSON": ("a.jsonl", '{"text": "x", "label": "a"}\n{"text": \n', ":2", "broken JSON"),
    "no object": ("a.jsonl", "[1]\n", ":1", "the line is not a JSON object"),
    "columns": ("a.tsv", "text\tlabel\nx\t1\ty\n", ":2", "3 columns instead of 2"),
    "open quote": ("a.csv", 'text,label\n"x,1\ny,2\n', ":2", "a quoted field is not closed"),
    "not UTF-8": ("a.csv", "text,label\ncaf\xe9,1\n".encode("latin-1"), ":2", "broken UTF-8 at byte 4"),
    "UTF-16": ("a.csv", "text,label\nx,1\n".encode("utf-16"), "", "the file is UTF-16"),
    "too long": ("a.jsonl", b'{"text": "' + b"x" * 2**24 + b'"}', ":1", "larger than 16 MB. Split it."),
    "another format": (
        "a.json",
        "[]",
        "",
        "cannot read labelled records from .json. Endings that can hold them: .jsonl",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_names_its_place_and_what_to_do(file, case):
    name, content, place, words = BAD[case]
    path = file(name, content)
    message = error(path)
    assert message.startswith(f"{path}{place}: ")
    assert words in message


def test_ids(file):
    path = file("a.jsonl", '{"id": "k", "text": "x", "label": 1}\n{"id": "k", "text": "y", "label": 1}\n')
    message = error(path, id_field="id")
    assert message.startswith(f"{path}:2: the id 'a.jsonl#k' is also at {path}:1.")
    assert "Set id_field" in error(path, id_field="ids")
    for bad in ('""', "null", "1.5", "true", "[]"):
        assert "is no id" in error(file("b.jsonl", f'{{"id": {bad}, "text": "x", "label": 1}}'), id_field="id")


def test_nothing_there(tmp_path):
    assert "there is no such file or folder" in error(tmp_path / "nothing.csv")
    assert "there is no record to read" in error(tmp_path)


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"), min_size=1).filter(
    str.strip
)


@given(records=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=20))
def test_what_is_written_as_a_table_is_read(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("labelled") / "a.csv"
    rows = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [("text", "label"), *records]]
    path.write_text("\n".join(rows), encoding="utf-8", newline="\n")
    read_back = [(item.text, item.labels) for item in read(path)]
    assert read_back == [(text.strip(), (" ".join(label.split()),)) for text, label in records]
