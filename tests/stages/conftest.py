"""A tiny pipeline over the samples in data/, run once through the command line; tests work on copies of it."""

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from bertpipe.cli.main import invoke
from bertpipe.pipeline.artefact import Artefact
from bertpipe.text.document import is_held_out

DATA = Path(__file__).parents[2] / "data"
STEPS = ("corpus", "snapshot", "tokenize", "pretrain", "finetune", "embed", "index")
LEARNING = ("snapshot", "tokenize", "pretrain", "finetune")
TOML = """\
name = "tiny"

[corpus]
path = "docs"

[tokenize]
vocab_size = 1300

[pretrain]
preset = "tiny"
width = 32
layers = 1
heads = 2
max_length = 64
length = 32
rows = 4
steps = 6
accelerator = "cpu"

[finetune]
steps = 6
lr = 0.001
batch_size = 8
passage_tokens = 48
accelerator = "cpu"
"""
# Enough held-out questions for a report; a record's id decides whether it is held out.
QUESTIONS = "questions.jsonl"


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The error, which has to be one line on standard error, the last one."""
        assert self.code == 1, (self.code, self.err)
        assert "Traceback" not in self.err
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert lines == self.err.splitlines()[-1:], self.err
        assert "unexpected" not in lines[0]
        return lines[0].removeprefix("error: ")


class Project:
    """A folder with a pipeline file, documents and perhaps a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "bertpipe.toml"
        self.docs = folder / "docs"
        self.runs = folder / "runs" / "tiny"

    def __call__(self, command: str, *arguments: str, stdin: str | bytes = "", pipeline: bool = True) -> Done:
        """Runs `bertpipe` in this process, with or without the name of the pipeline."""
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        data = stdin.encode() if isinstance(stdin, str) else stdin
        before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(data))
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = invoke([command, *(("-p", str(self.file)) if pipeline else ()), *arguments])
        finally:
            sys.stdin = before
        texts = []
        for stream in (out, err):
            stream.flush()
            texts.append(stream.buffer.getvalue().decode())
        return Done(code, *texts)

    def start(self, command: str, *arguments: str, before: str = "", **more) -> subprocess.Popen:
        """Starts `python -m bertpipe` in a process of its own.

        Args:
            command: The subcommand.
            *arguments: Its arguments.
            before: Python to execute first, to make something go wrong at a certain point.
            **more: For Popen.
        """
        words = [command, "-p", str(self.file), *arguments]
        line = ["-m", "bertpipe"]
        if before:
            line = ["-c", f"{before}\nimport runpy\nrunpy.run_module('bertpipe', run_name='__main__', alter_sys=True)"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | more
        return subprocess.Popen([sys.executable, *line, *words], **pipes)

    def finish(self, process: subprocess.Popen, timeout: float = 120) -> Done:
        """Waits for a process of `start`."""
        out, err = process.communicate(timeout=timeout)
        return Done(process.returncode, out, err)

    def run(self, *arguments: str) -> dict[str, dict]:
        """Runs all that is stale; returns the steps of the JSON document by name."""
        done = self("run", "--json", *arguments)
        assert done.code == 0, done.err
        return {step["step"]: step for step in json.loads(done.out)["steps"]}

    def ran(self, *arguments: str) -> list[str]:
        """Runs all that is stale; returns the names of the steps that ran."""
        return [name for name, step in self.run(*arguments).items() if step["state"] == "ran"]

    def search(self, *arguments: str, stdin: str | bytes = "") -> dict:
        """One search, as JSON."""
        done = self("search", "--json", *arguments, stdin=stdin)
        assert done.code == 0, done.err
        return json.loads(done.out)

    def digests(self) -> dict[str, str]:
        """What every step published, down to the last byte."""
        return {step: Artefact.open(self.runs / step, verify=True).digest for step in STEPS}

    def hits(self, query: str, mode: str) -> list[dict]:
        """The hits of a search."""
        return self.search(query, "--mode", mode)["hits"]


def write_documents(folder: Path) -> None:
    """The samples, and 24 questions that are held out."""
    folder.mkdir(parents=True)
    for file in sorted(DATA.glob("sample_*/*")):
        shutil.copyfile(file, folder / file.name)
    names = [str(number) for number in range(1000) if is_held_out(f"{QUESTIONS}#{number}")][:24]
    with (folder / QUESTIONS).open("w", encoding="utf-8") as file:
        for place, name in enumerate(names):
            title = f"How do I mend part {place} of the machine"
            text = f"Part {place} is held by {place + 2} screws. Take them out and change the part for a new one."
            file.write(json.dumps({"id": name, "title": title, "text": text}) + "\n")


def new_project(folder: Path) -> Project:
    """A project that was never run."""
    project = Project(folder)
    write_documents(project.docs)
    project.file.write_text(TOML, encoding="utf-8")
    return project


@pytest.fixture(scope="session")
def make_project():
    """Makes a project that was never run, in a folder that is not there yet."""
    return new_project


@pytest.fixture(scope="session")
def open_project() -> type[Project]:
    """For pipelines with other steps; see the folders below."""
    return Project


@pytest.fixture
def fresh(tmp_path) -> Project:
    return new_project(tmp_path / "project")


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Project:
    """A project with a complete run. Look at it only; to change something take `project`."""
    project = new_project(tmp_path_factory.mktemp("built") / "project")
    assert project.ran() == list(STEPS)
    return project


@pytest.fixture
def project(built, tmp_path) -> Project:
    """A copy of the built project, at another place."""
    return Project(shutil.copytree(built.folder, tmp_path / "another place" / "project"))


@pytest.fixture(autouse=True)
def no_pipeline_from_outside(monkeypatch):
    monkeypatch.delenv("BERTPIPE_PIPELINE", raising=False)


@pytest.fixture
def as_root() -> bool:
    """Whether permissions do not stop us."""
    return os.name == "posix" and os.geteuid() == 0
