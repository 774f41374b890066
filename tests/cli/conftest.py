"""A project folder with fake stages under the names of the real ones."""

import json
import sys
import types
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, model_validator

from bertpipe.cli.main import invoke
from bertpipe.errors import InputError
from bertpipe.pipeline.stage import NEUTRAL, Input, Stage


class CorpusConfig(BaseModel, extra="forbid"):
    path: str = Field("words.txt", description="The words.")
    skip_bad: Annotated[bool, NEUTRAL] = Field(False, description="Skip what is broken.")


class TokenizeConfig(BaseModel, extra="forbid"):
    vocab_size: int = Field(8000, ge=300, description="Pieces.")
    lr: float = Field(0.1, description="Step length.")
    case: Literal["fold", "keep"] = Field("fold", description="Case.")
    layers: int | None = Field(None, description="Layers.")
    share: bool = Field(False, description="Share.")
    names: tuple[str, ...] = Field((), description="Names.")
    weights: dict[str, float] = Field(default_factory=dict, description="Weights.")
    length: int | Literal["auto"] = Field("auto", description="Length.")

    @model_validator(mode="after")
    def _check(self):
        if self.layers == 13:
            raise ValueError("13 layers are unlucky")
        return self


def run_corpus(run):
    words = run.path(run.config.path).read_text().split()
    print("a library prints")
    if "bad" in words and not run.config.skip_bad:
        raise InputError("a bad word", path=run.config.path, line=1, hint="Mend it, or use --skip-bad")
    if "bug" in words:
        raise ZeroDivisionError("a\nbug")
    if "interrupt" in words:
        raise KeyboardInterrupt
    run.progress.start("reading", unit="words")
    run.progress.advance(len(words))
    run.progress.finish()
    (run.out / "words.txt").write_text(" ".join(words))
    return {"words": len(words)}


def run_tokenize(run):
    config = run.config.model_dump(mode="json")
    (run.out / "config.json").write_text(json.dumps(config))
    return {"loss": 0.512345, "config": config}


STAGES = (
    Stage(
        "corpus",
        1,
        CorpusConfig,
        (),
        run_corpus,
        "Read the documents.",
        "bertpipe corpus",
        source=lambda config, base: (base / config.path).read_text(),
    ),
    Stage(
        "tokenize",
        1,
        TokenizeConfig,
        (Input("corpus"),),
        run_tokenize,
        "Train the tokenizer.",
        "bertpipe tokenize --vocab-size 9000",
    ),
)


class CommandLine:
    """Runs `bertpipe` in this process; keeps what it wrote."""

    def __init__(self, capsys):
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *arguments):
        self._capsys.readouterr()
        code = invoke(arguments)
        self.out, self.err = self._capsys.readouterr()
        return code

    def json(self, *arguments):
        assert self(*arguments, "--json") == 0, self.err
        return json.loads(self.out)

    def config(self):
        """The config that the tokenize step got."""
        return json.loads(Path("runs/tiny/tokenize/config.json").read_text())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    fake = types.ModuleType("bertpipe.stages")
    fake.STAGES = STAGES
    fake.stages_of = lambda path: STAGES
    monkeypatch.setitem(sys.modules, "bertpipe.stages", fake)
    monkeypatch.delenv("BERTPIPE_PIPELINE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").write_text("red green blue")
    (tmp_path / "bertpipe.toml").write_text('name = "tiny"\n')
    return tmp_path


@pytest.fixture
def bertpipe(folder, capsys):
    return CommandLine(capsys)
