from __future__ import annotations

import json

import pytest

from bertpipe.errors import InputError
from bertpipe.text.readers.inspection import inspect_source


def write_records(path, records):
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")


def test_files_are_counted_and_measured(tmp_path):
    (tmp_path / "a.txt").write_text("plain text")
    (tmp_path / "b.md").write_text("# markdown")
    (tmp_path / "c.md").write_text("more")
    (tmp_path / "d.pdf").write_text("x")
    seen = inspect_source(tmp_path)
    assert seen.endings == {".md": 2, ".txt": 1}
    assert seen.ignored == {".pdf": 1}
    assert seen.bytes == 24
    assert seen.cjk_share == 0
    assert (seen.text_field, seen.title_field, seen.id_field) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "low", "high"), [("这是中文文本。" * 50, 0.99, 1), ("half of it 中文中文中文中文", 0.4, 0.6)]
)
def test_the_share_of_chinese(tmp_path, text, low, high):
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    assert low <= inspect_source(tmp_path).cjk_share <= high


@pytest.mark.parametrize(
    ("text", "both"),
    [
        ("龙头还在滴水，先关总阀。" * 9 + "龍頭還在滴水，先關總閥。" * 9, True),
        ("龙头还在滴水，先关总阀。" * 9, False),
        ("龍頭還在滴水，先關總閥。" * 9, False),
        ("龙头还在滴水，先关总阀。" * 99 + "龍頭", False),  # a name
        ("図書館で会議を開き、国際関係を学ぶ。" * 9, False),  # Japanese
        ("plain text", False),
    ],
)
def test_both_chinese_scripts_are_noticed(tmp_path, text, both):
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    assert inspect_source(tmp_path).both_scripts == both


def test_fields_are_guessed_by_name(tmp_path):
    records = [{"id": n, "title": f"t {n}", "text": "words " * n, "url": "http://x.y/" * 9} for n in range(5, 30)]
    write_records(tmp_path / "r.jsonl", records)
    seen = inspect_source(tmp_path)
    assert (seen.text_field, seen.title_field, seen.id_field) == ("text", "title", "id")
    assert list(seen.fields) == ["id", "title", "text", "url"]


def test_a_list_of_strings_may_be_the_text(tmp_path):
    records = [{"title": f"t {n}", "source": ["A sentence."] * 9, "labels": [0] * 9} for n in range(20)]
    write_records(tmp_path / "r.jsonl", records)
    seen = inspect_source(tmp_path)
    assert (seen.text_field, seen.title_field) == ("source", "title")


def test_fields_are_guessed_by_length_where_names_do_not_help(tmp_path):
    records = [{"kind": "k", "question": f"what is {n}?", "reply": "long words " * 20, "nr_id": n} for n in range(20)]
    write_records(tmp_path / "r.jsonl", records)
    seen = inspect_source(tmp_path)
    assert (seen.text_field, seen.title_field, seen.id_field) == ("reply", "question", "nr_id")


def test_an_id_that_repeats_is_none(tmp_path):
    write_records(tmp_path / "r.jsonl", [{"id": n // 2, "text": "words here"} for n in range(20)])
    assert inspect_source(tmp_path).id_field is None


def test_tables_with_and_without_names(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("cat,label,review\nbooks,1,a long review of a book\nbooks,0,another long review\n")
    seen = inspect_source(tmp_path)
    assert list(seen.fields) == ["cat", "label", "review"]
    assert seen.text_field == "review"
    table.write_text(
        "about.po,About this,关于本文档的很长的文字和更多的文字\nabout.po,Another,另一段很长很长的文字文字文字\n"
    )
    assert list(inspect_source(tmp_path).fields) == ["1", "2", "3"]
    assert inspect_source(tmp_path).text_field == "3"


def test_broken_things_are_noted_and_do_not_stop_it(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\x00\x01\x02")
    (tmp_path / "b.jsonl").write_text('{"text": "good"}\n[1]\n{"text"\n')
    seen = inspect_source(tmp_path)
    assert seen.text_field == "text"
    assert len(seen.problems) == 3
    assert "b.jsonl:3" in seen.problems[2]


def test_only_the_beginning_is_read(tmp_path):
    with (tmp_path / "r.jsonl").open("w") as file:
        for _ in range(300):
            file.write('{"text": "words"}\n')
        file.write("broken\n")
    assert inspect_source(tmp_path).problems == []


def test_a_missing_path_is_an_error(tmp_path):
    with pytest.raises(InputError, match="there is no such file or folder"):
        inspect_source(tmp_path / "nope")
