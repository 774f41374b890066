import json

import pytest

from bertpipe.errors import InputError
from bertpipe.text.readers.queries import Query, read_queries


def read(tmp_path, text, name="queries.txt"):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return read_queries(path)


def error(tmp_path, text, name="queries.txt") -> str:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text, name)
    assert "--skip-bad" not in str(caught.value)
    return str(caught.value).removeprefix(str(tmp_path / name))


JSON_LINES = '{"_id": "a", "text": "x"}\n{"id": 7, "query": "y"}\n{"question": "z"}\n'
SMART = ".I 001\n.W\nwhat similarity laws\nof  aircraft .\n.I 004\n.T\na title\n.W\nheat in slabs\n"
TREC = """<top>
<num> Number: 301
<title> International
  Organized Crime
<desc> Description:
Which groups?
</top>
<top><num>302</num><title>Poliomyelitis</title></top>
"""


@pytest.mark.parametrize(
    ("text", "layout", "expected"),
    [
        ("q1\ta string\n\nq2\t怎样 备份\tand a tab\n", "tsv", [("q1", "a string"), ("q2", "怎样 备份\tand a tab")]),
        ("query_id\ttext\n7\tseven\n", "tsv", [("7", "seven")]),
        ("\ufeffone two\n\n  three \r\n", "lines", [("1", "one two"), ("3", "three")]),
        (SMART, "smart", [("001", "what similarity laws of aircraft ."), ("004", "heat in slabs")]),
        (TREC, "trec", [("301", "International Organized Crime"), ("302", "Poliomyelitis")]),
        (JSON_LINES, "jsonl", [("a", "x"), ("7", "y"), ("3", "z")]),
    ],
)
def test_layouts(tmp_path, text, layout, expected):
    found = read(tmp_path, text)
    assert found.layout == layout
    assert [(query.id, query.text) for query in found.queries] == expected


def test_squad(tmp_path):
    asked = [{"id": "s1", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}]}]
    text = json.dumps({"data": [{"title": "t", "paragraphs": [{"context": "Ann left.", "qas": asked}]}]})
    assert read(tmp_path, text, "dev.json").queries == [Query("s1", "Who?")]


def test_half_a_character_is_replaced(tmp_path):
    assert read(tmp_path, '{"_id": "\\ud83d\\ude00", "text": "a \\ud800"}\n').queries[0] == Query("😀", "a \ufffd", 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": the file is empty"),
        ("\n \n", ": there is no query in the file"),
        ("a\tx\nb\n", ":2: there is no tab in the line"),
        ("a\tx\n\ty\n", ":2: the query has no id"),
        ("a\tx\na\ty\n", ":2: the query id 'a' stands twice (also in line 1)"),
        ('{"_id": "a"}\n', ":1: the record has no query"),
        ('{"_id": [], "text": "x"}\n', ":1: the query's id is neither text nor a whole number"),
        ('{"_id": "a", "text": "x"}\n{"_id\n', ":2: broken JSON"),
        ("<top>\n<num> 3\n</top>\n", ": topic 1 has no number or no title"),
        (b"a\tx\n\xff\ty\n", ":2: broken UTF-8"),
    ],
)
def test_what_cannot_be_read(tmp_path, text, message):
    assert error(tmp_path, text).startswith(message)
