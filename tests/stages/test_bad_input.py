"""Everything that goes wrong is one line on standard error and exit status 1, and loses nothing."""

import os
import signal
import subprocess
import time

import pytest

GOOD = '{"text": "A line that can be read. It has two sentences.", "title": "Good"}\n'

BROKEN = {  # name, content, what the error says
    "empty file": ("empty.txt", b"", ["empty.txt", "empty"]),
    "white space": ("blank.md", b" \n\n", ["blank.md", "empty"]),
    "binary file": ("picture.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 9, ["picture.txt", "binary"]),
    "broken UTF-8": ("latin.txt", "first line\nCaf\xe9 au lait\n".encode("latin-1"), ["latin.txt:2", "UTF-8"]),
    "UTF-16": ("wide.txt", "hello".encode("utf-16"), ["wide.txt", "UTF-16"]),
    "broken JSON": (
        "records.jsonl",
        (GOOD * 6 + '{"text": "cut\n' + GOOD).encode(),
        ["records.jsonl:7", "broken JSON"],
    ),
    "missing field": ("records.jsonl", (GOOD + '{"body": "x"}\n').encode(), ["records.jsonl:2", "no field 'text'"]),
    "wrong type": ("records.jsonl", (GOOD + '{"text": 3}\n').encode(), ["records.jsonl:2", "is not text"]),
    "lone surrogate": ("records.jsonl", (GOOD + '{"text": "\\ud800"}\n').encode(), ["records.jsonl:2", "surrogate"]),
}


@pytest.fixture
def kept(project):
    """A project with a complete run, which has to be as it was when the test is over."""
    before, hits = project.digests(), project.hits("clean the grinder", "hybrid")
    yield project
    assert project.digests() == before
    assert project.hits("clean the grinder", "hybrid") == hits


@pytest.mark.parametrize("case", BROKEN)
def test_broken_documents(kept, case):
    name, content, words = BROKEN[case]
    (kept.docs / name).write_bytes(content)
    error = kept("run").error
    assert all(word in error for word in words), error
    assert "--skip-bad" in error


@pytest.mark.parametrize("case", BROKEN)
def test_broken_documents_can_be_skipped(project, case):
    name, content, words = BROKEN[case]
    (project.docs / name).write_bytes(content)
    done = project("corpus", "--skip-bad")
    assert done.code == 0
    assert f"skipped {project.docs / words[0]}" in done.err
    metrics = project.run("--dry-run", "--skip-bad")["corpus"]["metrics"]
    assert metrics["skipped"] == 1
    good = content.count(GOOD.encode())
    assert metrics["documents"] == 48 + good


def test_an_empty_folder(kept):
    for file in kept.docs.iterdir():
        file.unlink()
    assert "the folder is empty" in kept("run").error
    assert kept("run", "--skip-bad").code == 1


def test_nothing_but_broken_documents(kept):
    for file in kept.docs.iterdir():
        file.write_bytes(b"\x00")
    error = kept("run", "--skip-bad").error
    assert "no document could be read" in error
    assert "25 skipped" in error


def test_a_missing_folder(kept):
    kept.docs.rename(kept.folder / "aside")
    assert kept("run").error.startswith(f"{kept.docs}: there is no such file or folder")
    assert kept("search", "water").code == 0


def test_a_missing_pipeline_file(kept):
    text = kept.file.read_text()
    kept.file.unlink()
    for command in (["run"], ["status"], ["search", "water"], ["embed"]):
        assert f"there is no pipeline file {kept.file}" in kept(*command).error
    kept.file.write_text(text)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("vocab_size = 1300", "vocab_sise = 1300", "[tokenize] has no key 'vocab_sise'. Did you mean vocab_size?"),
        ("[tokenize]", "[tokenise]", "unknown table [tokenise]. Did you mean tokenize?"),
        ("[tokenize]", '[tokenize]\ncase = "exact"\nchinese = "simplified"', 'chinese = "simplified" does not'),
        ("vocab_size = 1300", 'vocab_size = "1300"', '[tokenize] vocab_size = "1300" is not usable'),
        ("layers = 1", "layers = 1.5", "[pretrain] layers = 1.5 is not usable"),
        ("heads = 2", "heads = 3", "heads = 3"),
        ("vocab_size = 1300", "vocab_size = 300", "vocab_size = 300 is too small for this corpus"),
        (
            "passage_tokens = 48",
            "passage_tokens = 480",
            "finetune.passage_tokens = 480 is more than the model can read",
        ),
        ("steps = 6", "steps = 6\ntokens = 9", "steps and tokens are both given"),
        ("[corpus]", "[corpus", "is not valid TOML"),
    ],
)
def test_mistakes_in_the_pipeline_file(kept, before, after, message):
    text = kept.file.read_text()
    assert before in text
    kept.file.write_text(text.replace(before, after, 1))
    assert message in kept("run").error
    kept.file.write_text(text)


@pytest.mark.parametrize("step", ["pretrain", "finetune"])
def test_a_loss_that_is_not_finite_publishes_nothing(kept, step):
    error = kept("run", "--set", f"{step}.lr=1e38").error
    assert "not finite" in error or "the loss became" in error
    assert "no model was published" in error
    assert kept.ran() == []


def test_a_second_process_on_the_same_run(kept):
    slow = "import bertpipe.stages.corpus as corpus, time\ncorpus.write_documents = lambda *all: time.sleep(100)"
    first = kept.start("run", "--force", "corpus", before=slow)
    try:
        while not list(kept.runs.glob(".partial-corpus*")) and first.poll() is None:
            time.sleep(0.01)
        error = kept("run", "--force", "index").error
        assert f"is in use by process {first.pid}" in error
        assert kept("search", "water").code == 0  # searching goes on
        assert kept.run()["index"]["state"] == "fresh"  # and so does looking
    finally:
        first.kill()
        kept.finish(first)
    assert kept.ran("--force", "index") == ["index"]  # the lock went with its holder


FULL = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are asked for in POSIX's way")
@pytest.mark.parametrize(
    ("step", "limit"),
    [("corpus", 10_000), ("tokenize", 100_000), ("embed", 100_000), ("index", 100_000), ("pretrain", 200_000)],
)
def test_no_room_for_a_file(kept, step, limit):
    done = kept.finish(kept.start("run", "--force", step, before=FULL.format(limit)))
    assert "no space left" in done.error or "cannot be written" in done.error or "full" in done.error
    assert kept.ran() == []


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_run_folder_that_may_not_be_written(kept, as_root):
    if as_root:
        pytest.skip("permissions do not stop root")
    kept.runs.chmod(0o500)
    try:
        assert "may not be written" in kept("run", "--force", "index").error
        assert kept("run").code == 0  # nothing to do
    finally:
        kept.runs.chmod(0o700)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_in_training_is_resumed(fresh, built):
    for step, module, name in (
        ("pretrain", "bertpipe.training.sentence_pairs", "SentencePairs"),
        ("finetune", "bertpipe.training.pairs", "CorpusPairs"),
    ):
        interrupt = (
            f"import os, signal\nfrom {module} import {name} as target\noriginal = target.batch\n"
            "def batch(self, step):\n    if step == 5:\n        os.kill(os.getpid(), signal.SIGINT)\n"
            "    return original(self, step)\ntarget.batch = batch"
        )
        done = fresh.finish(fresh.start("run", before=interrupt))
        assert done.error.startswith(f"interrupted during {step}. What is done is kept")
    assert fresh.ran() == ["finetune", "embed", "index"]
    assert fresh.digests() == built.digests()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the memory of a process is asked for in POSIX's way")
@pytest.mark.parametrize("name", ["one.jsonl", "one.txt", "one.tsv", "one.html"])
def test_a_line_of_200_megabytes(fresh, name):
    with (fresh.docs / name).open("wb") as file:
        file.write(b"text\ttitle\n" if name == "one.tsv" else b"")
        for _ in range(200):
            file.write(b"word " * 200_000)
    for flags, code in (([], 1), (["--skip-bad"], 0)):
        process = fresh.start("corpus", *flags, stdout=subprocess.DEVNULL)
        err = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == code, err
        assert name in err
        assert "16 MB" in err
        assert usage.ru_maxrss < 200_000, usage.ru_maxrss  # kilobytes: less than the line
    (fresh.docs / name).unlink()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize("step", ["corpus", "tokenize", "embed", "index", "pretrain", "finetune"])
def test_a_disk_that_is_really_full(project, tmp_path, step):
    """Unlike a limit on files, a full disk also fails late: when pages of a mapped file are written back."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        project.runs.parent.rename(tmp_path / "aside")
        subprocess.run(["cp", "-r", str(tmp_path / "aside"), str(disk / "runs")], check=True)
        project.file.write_text(f'runs = "{disk / "runs"}"\n' + project.file.read_text())
        project.runs = disk / "runs" / "tiny"
        before = project.digests()
        # Copying has undone the links by which an index shares texts and vectors with embed.
        assert project.finish(project.start("run", "--force", "index")).code == 0
        statuses = [file.stat() for file in (project.runs / step).rglob("*")]
        size = sum(status.st_size for status in statuses if step != "index" or status.st_nlink == 1)
        for share in (0, 0.3, 0.6, 0.8, 0.9):
            for leftover in project.runs.glob(".partial-*"):
                subprocess.run(["rm", "-r", str(leftover)], check=True)
            stat = os.statvfs(disk)
            with (disk / "filler").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, stat.f_bavail * stat.f_frsize - int(share * size) // 4096 * 4096)
            done = project.finish(project.start("run", "--force", step))
            assert done.error, share
            (disk / "filler").unlink()
            assert project.ran() == []
            assert project.digests() == before
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_interrupted_while_nothing_is_done(fresh):
    process = fresh.start(
        "run", before="import bertpipe.stages.corpus as c, time\nc._reader = lambda *all: time.sleep(100)"
    )
    while not list(fresh.runs.glob(".partial-corpus*")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert fresh.finish(process).error.startswith("interrupted during corpus")
