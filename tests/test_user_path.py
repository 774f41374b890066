from pathlib import Path

from bertpipe.user_path import user_path


def test_home_and_names_that_only_look_like_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/notes") == tmp_path / "notes"
    assert user_path("~$notes.txt") == Path("~$notes.txt")
    assert user_path(Path("a/~b")) == Path("a/~b")
