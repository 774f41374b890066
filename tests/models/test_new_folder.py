from pathlib import Path

import pytest

from bertpipe.errors import ConfigError
from bertpipe.models.new_folder import new_folder


def test_the_folder_appears_at_the_end(tmp_path):
    place = tmp_path / "models" / "one"
    with new_folder(place, marks=("config.json",)) as folder:
        (folder / "config.json").write_text("{}")
        assert not place.exists()
    assert [path.name for path in place.iterdir()] == ["config.json"]
    assert [path.name for path in place.parent.iterdir()] == ["one"]


def test_what_a_kill_put_aside_comes_back(tmp_path):
    place, old = tmp_path / "one", tmp_path / ".old-one"
    old.mkdir()
    (old / "config.json").write_text("old")
    with pytest.raises(ConfigError, match="is there already"), new_folder(place, marks=("config.json",)):
        pass
    assert (place / "config.json").read_text() == "old"


def test_the_folder_that_one_is_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in (Path(), tmp_path, tmp_path.parent):
        with pytest.raises(ConfigError, match="the folder that you are in"), new_folder(place, marks=()):
            pass
    with new_folder(Path("two/../one"), marks=()) as folder:
        (folder / "x").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_nothing_has_changed(tmp_path, error):
    place = tmp_path / "one"
    place.mkdir()
    (place / "config.json").write_text("old")

    def interrupted():
        with new_folder(place, marks=("config.json",), force=True) as folder:
            (folder / "config.json").write_text("new")
            raise error

    with pytest.raises(error):
        interrupted()
    assert (place / "config.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_what_is_there_is_replaced_only_when_asked(tmp_path):
    place = tmp_path / "one"
    place.mkdir()
    with new_folder(place, marks=("config.json",)) as folder:
        (folder / "config.json").write_text("old")
    with (
        pytest.raises(ConfigError, match=r"is there already. --force replaces it"),
        new_folder(place, marks=("config.json",)),
    ):
        pass
    with new_folder(place, marks=("config.json",), force=True) as folder:
        (folder / "config.json").write_text("new")
    assert (place / "config.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_folder_of_something_else_is_never_removed(tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds no model"), new_folder(tmp_path, marks=("config.json",), force=True):
        pass
    with (
        pytest.raises(ConfigError, match="it is no folder"),
        new_folder(tmp_path / "diary.txt", marks=("config.json",), force=True),
    ):
        pass
    assert (tmp_path / "diary.txt").read_text() == "mine"


def test_what_a_kill_left_is_removed(tmp_path):
    (tmp_path / ".partial-one").mkdir()
    (tmp_path / ".partial-one" / "half").touch()
    with new_folder(tmp_path / "one", marks=()) as folder:
        assert not list(folder.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
