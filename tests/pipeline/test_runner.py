import errno
import json

import pytest

from bertpipe.errors import BertpipeError, ConfigError, InputError, InterruptedRun, StorageError
from bertpipe.pipeline.artefact import Artefact, Manifest

ALL = ["corpus", "snapshot", "learn", "index"]


def test_everything_runs_once_and_then_nothing(project):
    assert project.run() == ALL
    assert project.notes.lines[0] == "corpus: never run"
    before = project.files()
    assert project.run() == []
    assert project.notes.lines == []
    assert project.files() == before
    assert not [name for name in before if name.startswith(".")]


def test_a_comment_reruns_nothing(project):
    project.run()
    project.write("# a comment\n[learn]  # another\nlr = 1e-1  # the default, written differently\n")
    assert project.run() == []


def test_a_neutral_field_reruns_nothing(project):
    project.run()
    assert project.run("learn.threads=8") == []


def test_a_changed_value_reruns_what_depends_on_it_and_says_why(project):
    project.run()
    assert project.status("learn.lr=0.5") == {
        "corpus": ("fresh", []),
        "snapshot": ("fresh", []),
        "learn": ("stale", ["lr 0.1 -> 0.5"]),
        "index": ("waiting", ["waits for learn"]),
    }
    assert project.run("learn.lr=0.5") == ["learn", "index"]
    assert project.notes.lines == ["learn: lr 0.1 -> 0.5", "index: learn changed"]


def test_a_target_brings_only_what_it_needs(project):
    assert project.run(targets=["learn"]) == ["corpus", "snapshot", "learn"]
    assert project.status()["index"] == ("stale", ["never run"])


def test_early_cutoff(project):
    """A step that ran and came out the same makes nothing after it stale."""
    project.run("learn.first_only=true")
    project.words("RED GREEN BLUE")
    project.run("learn.first_only=true", "corpus.upper=true", retrain=True)
    project.words("red green blue")
    # The source changed, the corpus step runs, and publishes the very same capitals.
    assert project.run("learn.first_only=true", "corpus.upper=true") == ["corpus"]


def test_changed_content_of_a_pinned_input_retrains_nothing_but_is_told(project):
    project.run()
    project.words("red green yellow")
    assert project.status()["index"] == ("waiting", ["waits for corpus"])
    results = {item.step: item for item in project.runner().run()}
    assert [name for name, item in results.items() if item.ran] == ["corpus", "index"]
    assert results["snapshot"].drift == {"corpus": {"new": 1, "removed": 1}}
    assert (project.runs / "snapshot" / "words.txt").read_text() == "red green blue"
    rows = {row.step: row for row in project.runner().status()}
    assert rows["snapshot"].state == "fresh"
    assert rows["snapshot"].drift == {"corpus": {"new": 1, "removed": 1}}


def test_retrain_makes_the_pinned_content_count(project):
    project.run()
    project.words("red green yellow")
    assert project.run(retrain=True) == ALL
    assert "snapshot: corpus changed (--retrain)" in project.notes.lines
    assert project.run(retrain=True) == []
    assert project.run() == []
    assert {row.step: row.drift for row in project.runner().status()}["snapshot"] == {}


def test_retrain_reruns_nothing_where_nothing_changed(project):
    project.run()
    assert project.run(retrain=True) == []


def test_changed_declaration_of_a_pinned_input_counts(project):
    project.run()
    assert project.status("corpus.upper=true")["snapshot"] == ("stale", ["corpus.upper false -> true"])
    assert project.run("corpus.upper=true") == ALL
    version = {"corpus": {"version": 2}}
    reason = "bertpipe's stage corpus changed (version 1 -> 2)"
    assert project.status("corpus.upper=true", **version)["snapshot"] == ("stale", [reason])


def test_a_new_version_of_a_stage_reruns_it(project):
    project.run()
    changed = {"learn": {"version": 2}}
    reason = "bertpipe's stage learn changed (version 1 -> 2)"
    assert project.status(**changed)["learn"] == ("stale", [reason])
    assert project.run(**changed) == ["learn"]  # it came out the same: early cutoff
    assert project.run(**changed) == []


def test_force(project):
    project.run()
    seen = []

    def spy(run):
        seen.append(run.previous)
        return run_nothing(run)

    assert project.run(force=["corpus"]) == ["corpus"]
    project.run(targets=["learn"], force=["learn"], learn={"run": spy})
    assert seen == [None]
    with pytest.raises(ConfigError, match="Did you mean learn"):
        project.run(force=["lern"])


def test_plan_changes_nothing(project):
    project.run()
    project.words("other")
    before = project.files()
    states = {step.step: step.state for step in project.runner("learn.lr=0.7").plan(force=["index"])}
    assert states == {"corpus": "stale", "snapshot": "fresh", "learn": "stale", "index": "stale"}
    assert project.files() == before


def test_a_stage_sees_what_was_published_before(project):
    project.run()
    project.words("red")
    seen = {}

    def spy(run):
        seen.update(vars(run))
        (run.out / "index.txt").write_text("x")
        return {}

    first = Artefact.open(project.runs / "corpus").digest
    project.run(index={"run": spy})
    assert seen["previous"] == project.runs / "index"
    assert seen["previous_inputs"]["corpus"] == first != seen["input_digests"]["corpus"]
    assert seen["input_digests"]["learn"] == seen["previous_inputs"]["learn"]
    assert seen["previous_config"] == {"fields": {}}
    assert seen["base"] == project.folder


@pytest.mark.parametrize("harm", ["truncate", "remove", "flip", "manifest", "no manifest"])
def test_a_damaged_artefact_is_told_and_made_again(project, harm):
    project.run()
    before = project.files()
    model = project.runs / "learn" / "weights" / "model.txt"
    manifest = project.runs / "learn" / "manifest.json"
    content = model.read_text()
    if harm == "truncate":
        model.write_text(content[:7])
        expected = f"file weights/model.txt is damaged: 7 bytes, {len(content):,} expected"
    elif harm == "remove":
        model.unlink()
        expected = "file weights/model.txt is missing"
    elif harm == "flip":
        model.write_text("#" + content[1:])
        expected = "file weights/model.txt is damaged: its content is not what was published"
    elif harm == "manifest":
        manifest.write_text(manifest.read_text()[:50])
        expected = f"{manifest} is damaged"
    else:
        manifest.unlink()
        expected = f"{manifest.parent} has no manifest"
    state, reasons = project.status(verify=True)["learn"]
    assert (state, reasons) == ("stale", [expected])
    if harm == "flip":  # sizes are right, so only --verify sees it; --force mends it
        assert project.run() == []
        assert project.run(force=["learn"]) == ["learn"]
    else:
        assert project.run() == ["learn"]
    assert project.files() == before


def test_the_manifest(project):
    project.run("learn.threads=3")
    manifest = Manifest.read(project.runs / "learn")
    assert manifest.config == {"lr": 0.1, "first_only": False, "threads": 3}
    assert manifest.inputs == {"snapshot": Artefact.open(project.runs / "snapshot").digest}
    assert list(manifest.outputs) == ["weights/model.txt"]
    assert manifest.metrics == {"loss": 0.5, "words": 3}
    assert manifest.packages["numpy"]
    assert json.loads((project.runs / "snapshot" / "manifest.json").read_text())["pinned"]["corpus"] == {
        "stage": "corpus",
        "version": 1,
        "config": {"path": "words.txt", "upper": False},
        "inputs": {},
    }


def test_metrics_that_json_cannot_hold(project):
    def odd(run):
        run_nothing(run)
        return {"loss": float("nan"), "path": project.folder, "curve": ({"step": 1},)}

    project.run(learn={"run": odd})
    metrics = Manifest.read(project.runs / "learn").metrics
    assert metrics == {"loss": None, "path": str(project.folder), "curve": [{"step": 1}]}


def test_a_missing_source_is_an_error_to_run_and_a_row_of_status(project):
    def missing(config, base):
        raise InputError("no such folder", path=base / config.path)

    broken = {"corpus": {"source": missing}}
    assert project.status(**broken)["corpus"][1] == [f"{project.folder / 'words.txt'}: no such folder"]
    with pytest.raises(InputError, match="no such folder"):
        project.run(**broken)


def run_nothing(run):
    (run.out / "weights").mkdir(exist_ok=True)
    (run.out / "weights" / "model.txt").write_text("nothing")
    return {}


def raising(error):
    def run(run):
        (run.resume / "kept").write_text("x")
        raise error

    return {"learn": {"run": run}}


def sqlite_full():
    error = RuntimeError("database or disk is full")
    error.sqlite_errorname = "SQLITE_FULL"
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "f.bin"), "no space left for f.bin"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no space left for"),
        (OSError(errno.EFBIG, "File too large"), "no space left for"),
        (OSError(errno.EROFS, "Read-only file system"), "is read-only"),
        (PermissionError(errno.EACCES, "Permission denied", "f"), "f may not be written"),
        (FileNotFoundError(errno.ENOENT, "No such file", "gone"), "gone is missing"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "no space left"),
        (sqlite_full(), "no space left"),
    ],
)
def test_the_disk_refuses(project, error, words):
    with pytest.raises(StorageError, match=words) as caught:
        project.run(**raising(error))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("learn: ")
    assert project.status()["learn"] == ("interrupted", ["never run"])  # the partial folder is kept
    assert project.run() == ["learn", "index"]


def test_any_error_on_a_full_disk_is_about_the_disk(project, monkeypatch):
    monkeypatch.setattr("bertpipe.pipeline.failure._free", lambda folder: 999_999)
    with pytest.raises(StorageError, match="is full"):
        project.run(**raising(ValueError("could not write footer")))


def test_other_errors_are_left_alone(project):
    with pytest.raises(ValueError, match="a bug"):
        project.run(**raising(ValueError("a bug")))

    def handled(run):
        try:
            (run.out / "gone").read_text()
        except FileNotFoundError:
            raise ValueError("while handling") from None

    def in_passing(run):
        try:
            (run.out / "gone").read_text()
        except FileNotFoundError:
            raise ValueError("while handling")  # noqa: B904

    for run in (handled, in_passing):
        with pytest.raises(ValueError, match="while handling"):
            project.run(learn={"run": run})


def test_out_of_memory(project):
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 7 bytes")):
        with pytest.raises(BertpipeError, match="learn: out of memory"):
            project.run(**raising(error))


def test_interrupt(project):
    lightning_like = SystemExit(1)
    lightning_like.__context__ = KeyboardInterrupt()
    for error in (KeyboardInterrupt(), lightning_like):
        with pytest.raises(InterruptedRun, match=r"interrupted during learn\. What is done is kept"):
            project.run(**raising(error))
    assert project.status()["learn"][0] == "interrupted"
    assert project.run() == ["learn", "index"]
    assert not list(project.runs.glob(".partial*"))


def test_a_stage_goes_on_from_its_checkpoint(project):
    def half(run):
        (run.resume / "state.json").write_text('["first from before", "second from before"]')
        raise KeyboardInterrupt

    with pytest.raises(InterruptedRun):
        project.run(learn={"run": half})
    project.run()
    assert "learn: never run (goes on from where it was interrupted)" in project.notes.lines
    model = (project.runs / "learn" / "weights" / "model.txt").read_text()
    assert model.startswith("first from before\nsecond from before\n")
    assert not (project.runs / "learn" / ".resume").exists()


def test_other_settings_and_force_begin_anew(project):
    def half(run):
        (run.resume / "state.json").write_text('["from before"]')
        raise KeyboardInterrupt

    for arguments in (("learn.lr=0.9",), ()):
        with pytest.raises(InterruptedRun):
            project.run(*arguments, learn={"run": half})
    project.run(force=["learn"])
    assert "from before" not in (project.runs / "learn" / "weights" / "model.txt").read_text()
    assert not list(project.runs.glob(".partial*"))  # those of other settings go too


def test_pinned_work_is_not_gone_on_with_for_other_content(project):
    def half(run):
        (run.out / "words.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(InterruptedRun):
        project.run(snapshot={"run": half})
    project.words("new words")
    assert project.status()["corpus"] == ("stale", ["the files it reads changed"])
    project.run()
    assert (project.runs / "snapshot" / "words.txt").read_text() == "new words"


def test_a_file_where_the_run_folder_goes(project):
    (project.folder / "runs").write_text("in the way")
    with pytest.raises(StorageError, match="stands where"):
        project.run()


def test_nothing_is_written_where_everything_is_fresh(project, monkeypatch):
    project.run()

    def refuse(*arguments, **keywords):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    assert project.run() == []
    with pytest.raises(StorageError, match="read-only"):
        project.run("learn.lr=0.3")
