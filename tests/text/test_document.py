from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bertpipe.errors import ArtefactError, InputError
from bertpipe.text.document import (
    Document,
    document_record,
    is_held_out,
    read_documents,
    record_id,
    write_documents,
)

AWKWARD = Document("a/ü#1", "标题", "one\ntwo\r\u2028three\x85\x00 “四”", {"n": 1, "f": 0.5, "b": True, "none": None})


def test_documents_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "documents.jsonl"
    documents = [Document("1", "", "text"), AWKWARD]
    assert write_documents(path, documents) == 2
    assert list(read_documents(path)) == documents


def test_the_file_is_canonical(tmp_path):
    path = tmp_path / "documents.jsonl"
    write_documents(path, [Document("b", "t", "中", {"z": 1, "a": 2})])
    assert path.read_bytes() == '{"id":"b","metadata":{"a":2,"z":1},"text":"中","title":"t"}\n'.encode()


def test_digest_is_of_the_content_only():
    first = Document("1", "t", "x", {"a": 1, "b": 2})
    assert first.digest == Document("2", "t", "x", {"b": 2, "a": 1}).digest
    others = [Document("1", "t", "y", first.metadata), Document("1", "u", "x", first.metadata), Document("1", "t", "x")]
    assert len({first.digest, *(other.digest for other in others)}) == 4
    # The words may not move between the fields unseen.
    assert Document("1", "ab", "c").digest != Document("1", "a", "bc").digest


@pytest.mark.parametrize("bad", [Document("1", "", "\ud800"), Document("1", "", "x", {"n": float("nan")})])
def test_what_cannot_be_stored_is_refused(tmp_path, bad):
    with pytest.raises(InputError, match="document '1' cannot be stored"):
        write_documents(tmp_path / "documents.jsonl", [bad])


@pytest.mark.parametrize("line", ['{"id": "2"', "[]", "", '{"id": "2"}', "\xff", "[" * 100_000])
def test_a_damaged_file_names_the_line(tmp_path, line):
    path = tmp_path / "documents.jsonl"
    write_documents(path, [Document("1", "", "x")])
    with path.open("ab") as file:
        file.write(line.encode("latin-1") + b"\n")
    with pytest.raises(ArtefactError, match=r"documents\.jsonl:2 is not a document.*--force corpus"):
        list(read_documents(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ArtefactError, match=r"nothing\.jsonl cannot be read"):
        list(read_documents(tmp_path / "nothing.jsonl"))


def test_held_out_is_the_asked_share_and_grows_with_it():
    ids = [f"document {number}" for number in range(5000)]
    tenth = {id for id in ids if is_held_out(id)}
    fifth = {id for id in ids if is_held_out(id, 0.2)}
    assert 420 < len(tenth) < 580
    assert tenth < fifth
    assert not any(is_held_out(id, 0.0) for id in ids)
    assert all(is_held_out(id, 1.0) for id in ids)


def test_held_out_is_the_same_in_another_process():
    ids = [f"文档 {number}" for number in range(200)]
    script = (
        "import json, sys; from bertpipe.text.document import is_held_out;"
        "print(json.dumps([is_held_out(id) for id in json.loads(sys.argv[1])]))"
    )
    output = subprocess.run([sys.executable, "-c", script, json.dumps(ids)], capture_output=True, check=True).stdout
    assert json.loads(output) == [is_held_out(id) for id in ids]


def test_a_group_comes_back_and_is_written_only_where_there_is_one(tmp_path):
    path = tmp_path / "documents.jsonl"
    documents = [Document("a#1.2", "", "x", {}, "a#1"), Document("b", "", "y")]
    write_documents(path, documents)
    assert list(read_documents(path)) == documents
    first, second = map(json.loads, path.read_text().splitlines())
    assert first["group"] == "a#1"
    assert "group" not in second


@pytest.mark.parametrize("name", ["a", 'a","metadata":{"', "文档 \\", '{"id":"x"}', "\x00\x7f\u2028"])
@pytest.mark.parametrize("group", ["", "g", '","id":"other","metadata":'])
def test_the_id_in_a_record(name, group):
    document = Document(name, '"id":"no","metadata":', 'text ","id":"no"', {"id": "no", ',"metadata":': "no"}, group)
    assert record_id(document_record(document), "here") == name


@pytest.mark.parametrize(
    "record", [b"", b"[]", b'{"id":"a', b'{"metadata":{}}', b'{"group":"g","metadata":{}}', b"\xff"]
)
def test_a_record_without_an_id_is_an_artefact_error(record):
    with pytest.raises(ArtefactError, match="documents:7 is not a document"):
        record_id(record, "documents:7")


def test_documents_of_one_group_are_held_out_together():
    for group in (f"chat.txt#{number}" for number in range(300)):
        sides = {Document(f"{group}.{turn}", "", "x", {}, group).held_out for turn in range(2, 12)}
        assert sides == {is_held_out(group)}


def test_a_document_alone_is_held_out_by_its_id():
    for name in (f"notes/{number}.md" for number in range(300)):
        assert Document(name, "", "x").held_out == is_held_out(name)
