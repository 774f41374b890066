import os

import pytest

from bertpipe.pipeline.sharing import share_file


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "source"
    file.write_bytes(b"new")
    return file


def test_what_stood_there_is_replaced_and_not_written_through(source, tmp_path):
    (tmp_path / "other").write_bytes(b"old")
    os.link(tmp_path / "other", tmp_path / "target")
    share_file(source, tmp_path / "target")
    assert (tmp_path / "target").samefile(source)
    assert (tmp_path / "other").read_bytes() == b"old"
    share_file(source, tmp_path / "target")
    assert (tmp_path / "target").samefile(source)


def test_a_link_in_the_source_is_followed(source, tmp_path):
    (tmp_path / "link").symlink_to(source)
    share_file(tmp_path / "link", tmp_path / "target")
    assert not (tmp_path / "target").is_symlink()
    assert (tmp_path / "target").samefile(source)


def test_it_is_copied_where_there_are_no_links(source, tmp_path, monkeypatch):
    def refuse(*names):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    share_file(source, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"new"
    assert not (tmp_path / "target").samefile(source)


def test_a_missing_source_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        share_file(tmp_path / "nowhere", tmp_path / "target")
