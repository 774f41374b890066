"""Kill -9 at every point where the engine touches the disk, and a second process on the same run."""

import os
import resource
import shutil
import signal
import sys
import time

import pytest

from bertpipe.errors import LockedError
from bertpipe.pipeline.artefact import Artefact, published_folder
from bertpipe.pipeline.lock import run_lock, writer

STEPS = ["corpus", "snapshot", "learn", "index"]
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}


def kill_at(number, folder):
    """Lets the process die at the n-th event on a folder."""
    left = number

    def hook(event, arguments):
        nonlocal left
        if event in EVENTS and str(folder) in str(arguments[0]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


@pytest.mark.parametrize("first", [True, False], ids=["first run", "rerun"])
def test_killed_anywhere_the_next_run_ends_the_same(project_in, tmp_path, in_child, first, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # a killed process, unlike a power cut, loses nothing
    changed = ("corpus.upper=true", "learn.lr=0.25")
    begin = tmp_path / "begin"
    begin.mkdir()
    origin = project_in(begin)
    if not first:
        origin.run()
    shutil.copytree(begin, tmp_path / "whole")
    whole = project_in(tmp_path / "whole")
    whole.run(*changed)
    expected = whole.files()

    points = 0
    for number in range(1, 1000):
        folder = tmp_path / f"killed_{number}"
        shutil.copytree(begin, folder)
        killed = project_in(folder)

        def die(project=killed, number=number):
            kill_at(number, project.runs)
            project.run(*changed)

        code, text = in_child(die)
        if not first:  # at any time something whole is there to be searched
            for step in STEPS:
                Artefact.open(published_folder(killed.runs, step), verify=True)
        if code == 0:
            break
        assert code == -signal.SIGKILL, text
        points += 1
        killed.status()
        killed.run(*changed)
        assert killed.files() == expected, f"killed at event {number}"
        assert killed.run(*changed) == []
    assert points > 40


def test_what_was_complete_is_published_without_running_again(project, in_child, monkeypatch):
    def die(*arguments):
        os.kill(os.getpid(), signal.SIGKILL)

    def killed():
        monkeypatch.setattr("bertpipe.pipeline.runner.publish", die)
        project.run(targets=["corpus"])

    assert in_child(killed)[0] == -signal.SIGKILL

    def fail(run):
        raise AssertionError("ran again")

    assert project.status()["corpus"][0] == "interrupted"
    project.run(targets=["corpus"], corpus={"run": fail})
    assert project.notes.lines == ["corpus: done before, only to be put in place"]


def test_a_complete_partial_that_was_damaged_is_not_published(project, in_child, monkeypatch):
    def die(partial, *arguments):
        (partial / "words.txt").write_text("other words")
        os.kill(os.getpid(), signal.SIGKILL)

    def killed():
        monkeypatch.setattr("bertpipe.pipeline.runner.publish", die)
        project.run(targets=["corpus"])

    in_child(killed)
    project.run(targets=["corpus"])
    assert (project.runs / "corpus" / "words.txt").read_text() == "red green blue"


def test_a_second_process_is_told_at_once(project):
    project.run()
    ready, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        with run_lock(project.runs):
            os.write(go, b"x")
            time.sleep(60)
        os._exit(0)
    try:
        os.read(ready, 1)
        assert project.run() == []  # nothing to do needs no lock
        assert project.status("learn.lr=0.5")["learn"][0] == "stale"  # nor does looking
        assert writer(project.runs) == pid
        began = time.monotonic()
        with pytest.raises(LockedError, match=f"in use by process {pid}"):
            project.run("learn.lr=0.5")
        assert time.monotonic() - began < 2
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert writer(project.runs) is None
    assert project.run("learn.lr=0.5") == ["learn", "index"]  # a dead holder does not block


def test_helpers_of_a_killed_run_are_waited_for(project, in_child):
    """A forked data loader keeps its dead parent's lock for a moment."""
    project.run()

    def killed():
        with run_lock(project.runs):
            if os.fork() == 0:
                time.sleep(1.0)
                os._exit(0)
            os.close(1)
            os.kill(os.getpid(), signal.SIGKILL)

    pid = os.fork()
    if pid == 0:
        killed()
    os.waitpid(pid, 0)
    assert project.run("learn.lr=0.5") == ["learn", "index"]


def test_a_full_disk_is_one_line_and_what_is_done_is_kept(project, in_child):
    def large(run):
        (run.out / "weights").mkdir(exist_ok=True)
        (run.out / "weights" / "model.txt").write_bytes(b"x" * 300_000)
        return {}

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        project.run(learn={"run": large})

    code, text = in_child(limited)
    assert code == 1
    assert text.startswith("StorageError: learn: no space left for ")
    assert "\n" not in text
    assert [name for name, (state, _) in project.status().items() if state == "fresh"] == [
        "corpus",
        "snapshot",
    ]
    assert project.run(learn={"run": large}) == ["learn", "index"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(project):
    from bertpipe.errors import StorageError

    project.run()
    project.runs.chmod(0o555)
    try:
        with pytest.raises(StorageError, match="may not be written"):
            project.run("learn.lr=0.5")
    finally:
        project.runs.chmod(0o755)
