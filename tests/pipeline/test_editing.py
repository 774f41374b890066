"""An artefact that is changed by hand: valid, and stale to its pipeline."""

import os
import shutil

import pytest

from bertpipe.errors import ArtefactError, LockedError, StorageError
from bertpipe.pipeline import publish
from bertpipe.pipeline.artefact import Artefact
from bertpipe.pipeline.editing import EDITED, edit_artefact
from bertpipe.pipeline.lock import run_lock


def edit(folder, text="by hand", metrics=None):
    def write(out):
        (out / "index.txt").write_text(text)
        return {"words": 1} if metrics is None else metrics

    edit_artefact(folder, write, stage="index")


def hidden(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith((".partial", ".old", ".trash"))]


@pytest.mark.parametrize("exchange", [True, False])
def test_the_pipeline_takes_it_back(project, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(publish, "exchange", lambda first, second: False)
    project.run()
    before = project.files()
    edit(project.runs / "index")
    assert project.status()["index"] == ("stale", [EDITED])
    assert project.status(verify=True)["learn"] == ("fresh", [])
    artefact = Artefact.open(project.runs / "index", verify=True)
    assert artefact.manifest.metrics == {"words": 1}
    assert (project.runs / "index" / "index.txt").read_text() == "by hand"
    assert project.run() == ["index"]
    assert project.files() == before
    assert project.status()["index"] == ("fresh", [])


def test_nothing_to_change(project):
    project.run()
    before = project.files()
    edit_artefact(project.runs / "index", lambda out: None, stage="index")
    assert project.files() == before
    assert project.run() == []
    assert hidden(project.runs) == []


def test_a_folder_of_its_own(tmp_path):
    edit(tmp_path / "deep" / "one")
    assert Artefact.open(tmp_path / "deep" / "one", verify=True).manifest.stage == "index"
    edit(tmp_path / "deep" / "one", "again")
    assert (tmp_path / "deep" / "one" / "index.txt").read_text() == "again"
    assert hidden(tmp_path / "deep") == []


def test_a_name_that_is_a_pattern(tmp_path):
    edit(tmp_path / "notes [1]")
    edit(tmp_path / "notes [1]", "again")
    assert hidden(tmp_path) == []


def test_only_trash_of_its_own_is_emptied(tmp_path):
    edit(tmp_path / "one")
    mine = tmp_path / ".trash-mine"
    mine.mkdir()
    (mine / "diary.txt").write_text("dear diary")
    (tmp_path / ".trash-file").touch()
    cut_off = tmp_path / f".trash-{publish.partial_folder(tmp_path, 'one', 'edit-by-hand').name}"
    (cut_off / "half").mkdir(parents=True)
    assert publish.needs_repair(tmp_path, ["one"])
    edit(tmp_path / "one", "again")
    assert (mine / "diary.txt").read_text() == "dear diary"
    assert sorted(hidden(tmp_path)) == [".trash-file", ".trash-mine"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(publish, "exchange", lambda first, second: False)
    edit(tmp_path / "disk" / "one", "there")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "one").symlink_to(tmp_path / "disk" / "one", target_is_directory=True)
    for text in ("first", "second"):
        edit(tmp_path / "here" / "one", text)
        assert (tmp_path / "here" / "one" / "index.txt").read_text() == text
        assert hidden(tmp_path / "here") == []
    assert (tmp_path / "disk" / "one" / "index.txt").read_text() == "there"


def test_what_is_no_artefact_is_left_alone(tmp_path):
    (tmp_path / "one").mkdir()
    with pytest.raises(ArtefactError, match="has no manifest"):
        edit(tmp_path / "one")


def test_one_writer(project):
    project.run()
    with run_lock(project.runs), pytest.raises(LockedError):
        edit(project.runs / "index")


def test_a_failure_leaves_the_old_state_and_nothing_else(project):
    project.run()
    before = (project.runs / "index" / "index.txt").read_text()

    def write(out):
        (out / "half").write_text("x")
        raise OSError(28, "No space left on device", str(out / "half"))

    with pytest.raises(StorageError, match="no space left"):
        edit_artefact(project.runs / "index", write, stage="index")
    assert (project.runs / "index" / "index.txt").read_text() == before
    assert hidden(project.runs) == []


def test_what_an_exchange_left_in_the_partial_folder_is_not_taken_for_new(project):
    """As a kill right after the exchange leaves it."""
    project.run()
    old = shutil.copytree(project.runs / "learn", project.folder / "old")
    project.run("learn.lr=0.5")
    place = publish.partial_folder(project.runs, "learn", Artefact.open(project.runs / "learn").manifest.fingerprint)
    old.rename(place)
    assert publish.needs_repair(project.runs, ["learn"])
    assert project.run("learn.lr=0.5") == []
    assert hidden(project.runs) == []
    assert project.status("learn.lr=0.5")["learn"] == ("fresh", [])


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="only Linux exchanges folders")
def test_exchange(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert publish.exchange(tmp_path / "a", tmp_path / "b")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
    assert not publish.exchange(tmp_path / "a", tmp_path / "c")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
