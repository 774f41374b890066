import pytest

from bertpipe.errors import InputError
from bertpipe.text.readers.qrels import read_qrels


def read(tmp_path, text):
    path = tmp_path / "qrels.tsv"
    path.write_text(text, encoding="utf-8")
    return read_qrels(path)


@pytest.mark.parametrize(
    "text",
    [
        "1 0 a.md 2\n1  0\tb.md -1\n\n2 0 a.md 0\n",
        "query-id\tcorpus-id\tscore\n1\ta.md\t2\n1\tb.md\t-1\n2\ta.md\t0.0\n",
        "1\t0\ta.md\t2\n1\t0\tb.md\t-1\n2\t0\ta.md\t0\n2\t0\ta.md\t0\n",
    ],
)
def test_layouts(tmp_path, text):
    assert read(tmp_path, text) == {"1": {"a.md": 2, "b.md": -1}, "2": {"a.md": 0}}


def test_ids_with_spaces_need_tabs(tmp_path):
    assert read(tmp_path, "query-id\tcorpus-id\tscore\n1\ta b.md\t1\n") == {"1": {"a b.md": 1}}
    assert read(tmp_path, "1\t0\ta b.md\t1\n") == {"1": {"a b.md": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("query-id\tcorpus-id\tscore\n", "there is no judgement in the file"),
        ("1 184 2\n", ":1: 3 columns"),
        ("1 0 a 1\n1 0 b\n", ":2: 3 columns"),
        ("1 0 a high\n", ":1: the grade 'high' is no whole number"),
        ("1 0 a 0.5\n", ":1: the grade '0.5' is no whole number"),
        ("1 0 a 1\n1 0 a 2\n", ":2: document 'a' is judged twice for query '1', differently"),
    ],
)
def test_what_cannot_be_read(tmp_path, text, message):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "--skip-bad" not in str(caught.value)
