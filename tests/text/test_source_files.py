from __future__ import annotations

import os

import pytest

from bertpipe.errors import InputError
from bertpipe.text.readers.source_files import find_files, source_digest


@pytest.fixture
def source(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("text of a")
    (tmp_path / "sub" / "b.md").write_text("text of b")
    return tmp_path


def test_digest_is_the_same_for_the_same(source, tmp_path_factory):
    first = source_digest(source)
    os.utime(source / "a.txt", (1, 1))
    assert source_digest(source) == first
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    (elsewhere / "sub").mkdir(parents=True)
    (elsewhere / "sub" / "b.md").write_text("text of b")
    (elsewhere / "a.txt").write_text("text of a")
    assert source_digest(elsewhere) == first


def change_a_character(source):
    (source / "a.txt").write_text("text of A")


def rename(source):
    (source / "a.txt").rename(source / "c.txt")


def move(source):
    (source / "a.txt").rename(source / "sub" / "a.txt")


def add(source):
    (source / "c.txt").write_text("")


def remove(source):
    (source / "a.txt").unlink()


def swap(source):
    (source / "a.txt").write_text("text of b")
    (source / "sub" / "b.md").write_text("text of a")


@pytest.mark.parametrize("change", [change_a_character, rename, move, add, remove, swap])
def test_digest_changes(source, change):
    before = source_digest(source)
    change(source)
    assert source_digest(source) != before


def test_digest_does_not_see_what_is_not_read(source):
    before = source_digest(source)
    (source / "picture.png").write_bytes(b"\x00")
    (source / ".hidden.txt").write_text("x")
    (source / "bertpipe.toml").write_text("x")
    assert source_digest(source) == before


def test_digest_of_one_file_has_its_name(source):
    before = source_digest(source / "a.txt")
    rename(source)
    assert source_digest(source / "c.txt") != before


def test_digest_tells_how_far_it_is(source):
    pieces = []
    source_digest(source, advance=pieces.append)
    assert sum(pieces) == len("text of a") * 2


def test_digest_of_nothing_is_an_error(tmp_path):
    with pytest.raises(InputError, match="there is no such file or folder"):
        source_digest(tmp_path / "nope")


def test_files_are_sorted_by_their_relative_path(tmp_path):
    names = ["a/b.txt", "a.txt", "a-b.txt", "B.txt", "a/a/z.txt", "中.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = find_files(tmp_path)
    assert [file.relative for file in found.files] == sorted(names)
    assert not found.problems
