"""A tiny pipeline of fake stages: what a step writes shows everything that it was given."""

import hashlib
import json
import os
import traceback
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from bertpipe.pipeline.override import parse_setting
from bertpipe.pipeline.pipeline import load_pipeline
from bertpipe.pipeline.runner import Runner
from bertpipe.pipeline.stage import NEUTRAL, Input, Stage


class CorpusConfig(BaseModel, extra="forbid"):
    path: str = Field("words.txt", description="The words.")
    upper: bool = Field(False, description="In capitals.")


class SnapshotConfig(BaseModel, extra="forbid"):
    pass


class LearnConfig(BaseModel, extra="forbid"):
    lr: float = Field(0.1, gt=0, description="Step length.")
    first_only: bool = Field(False, description="Look at the first word only.")
    threads: Annotated[int, NEUTRAL] = Field(1, description="Threads.")


class IndexConfig(BaseModel, extra="forbid"):
    fields: dict[str, str] = Field(default_factory=dict, description="Names.")


def run_corpus(run):
    words = run.path(run.config.path).read_text()
    (run.out / "words.txt").write_text(words.upper() if run.config.upper else words)
    return {"words": len(words.split())}


def run_snapshot(run):
    (run.out / "words.txt").write_text((run.inputs["corpus"] / "words.txt").read_text())
    return {}


def run_learn(run):
    """Learns in three stages with a checkpoint after each; `steps_done` counts the work of all runs."""
    words = (run.inputs["snapshot"] / "words.txt").read_text().split()
    checkpoint = run.resume / "state.json"
    state = json.loads(checkpoint.read_text()) if checkpoint.exists() else []
    while len(state) < 3:
        state.append(f"{run.config.lr} {words[:1] if run.config.first_only else words} {len(state)}")
        new = checkpoint.with_suffix(".new")
        new.write_text(json.dumps(state))
        new.replace(checkpoint)
    (run.out / "weights").mkdir(exist_ok=True)
    (run.out / "weights" / "model.txt").write_text("\n".join(state))
    return {"loss": 0.5, "words": len(words)}


def run_index(run):
    model = (run.inputs["learn"] / "weights" / "model.txt").read_bytes()
    words = (run.inputs["corpus"] / "words.txt").read_bytes()
    (run.out / "index.txt").write_text(hashlib.sha256(model + words).hexdigest())
    return {}


def drift(snapshot, corpus):
    taken, present = (set((folder / "words.txt").read_text().split()) for folder in (snapshot, corpus))
    return {"new": len(present - taken), "removed": len(taken - present)}


def source(config, base):
    return hashlib.sha256((base / config.path).read_bytes()).hexdigest()


def make_stages(**changed):
    """The fake stages; `changed` replaces attributes: ``learn={"version": 2}``."""
    declared = {
        "corpus": {"config": CorpusConfig, "inputs": (), "run": run_corpus, "source": source},
        "snapshot": {
            "config": SnapshotConfig,
            "inputs": (Input("corpus", pinned=True),),
            "run": run_snapshot,
            "drift": drift,
            "hidden": True,
        },
        "learn": {"config": LearnConfig, "inputs": (Input("snapshot"),), "run": run_learn},
        "index": {"config": IndexConfig, "inputs": (Input("corpus"), Input("learn")), "run": run_index},
    }
    return tuple(
        Stage(
            **{
                "name": name,
                "version": 1,
                "summary": "",
                "example": "",
                **attributes,
                **changed.get(name, {}),
            }
        )
        for name, attributes in declared.items()
    )


class Notes:
    """Progress that remembers its notes."""

    def __init__(self):
        self.lines = []

    def start(self, label, total=None, unit=""):
        pass

    def advance(self, amount=1, **figures):
        pass

    def finish(self):
        pass

    def note(self, text):
        self.lines.append(text)


class Project:
    """A folder with a pipeline file and its words."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.file = folder / "bertpipe.toml"
        self.runs = folder / "runs" / "tiny"
        self.notes = Notes()
        self.write("")
        self.words("red green blue")

    def write(self, text):
        self.file.write_text('name = "tiny"\n' + text)

    def words(self, text):
        (self.folder / "words.txt").write_text(text)

    def runner(self, *settings, **changed):
        stages = make_stages(**changed)
        pipeline = load_pipeline(self.file, stages, [parse_setting(setting) for setting in settings])
        self.notes = Notes()
        return Runner(stages, pipeline, self.notes)

    def run(self, *settings, targets=None, force=(), retrain=False, **changed):
        """Runs, and returns the names of the steps that ran."""
        results = self.runner(*settings, **changed).run(targets, force=force, retrain=retrain)
        return [result.step for result in results if result.ran]

    def status(self, *settings, verify=False, **changed):
        rows = self.runner(*settings, **changed).status(verify=verify)
        return {row.step: (row.state, row.reasons) for row in rows}

    def files(self):
        """Content of all published files but the manifests; hidden leftovers are listed too."""
        return {
            path.relative_to(self.runs).as_posix(): path.read_bytes()
            for path in sorted(self.runs.rglob("*"))
            if path.is_file() and path.name not in ("manifest.json", ".lock", ".lock-holder")
        }


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture
def project_in():
    return Project


@pytest.fixture
def in_child():
    """Runs a function in a forked process: returns how it ended (negative: by a signal) and its text."""

    def run(function):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            code, text = 0, ""
            try:
                text = str(function() or "")
            except BaseException as error:
                code, text = 1, f"{type(error).__name__}: {error}"
                if "unexpected" in text:
                    traceback.print_exc()
            os.write(writer, text.encode())
            os._exit(code)
        os.close(writer)
        with os.fdopen(reader) as file:
            text = file.read()
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), text

    return run
