from dataclasses import replace

import pytest
from pydantic import BaseModel, Field

from bertpipe.errors import ConfigError
from bertpipe.pipeline.override import parse_setting
from bertpipe.pipeline.pipeline import load_pipeline
from bertpipe.pipeline.stage import Input, Stage


class OuterConfig(BaseModel, extra="forbid"):
    lr: float = Field(0.1, description="Rate.")


class InnerConfig(BaseModel, extra="forbid"):
    lr: float = Field(0.2, description="Rate.")
    data: str = Field(description="File to learn from.")


OUTER = Stage("finetune", 1, OuterConfig, (), lambda run: {}, "Train.", "bertpipe finetune")
INNER = Stage("reader", 1, InnerConfig, (Input("finetune"),), lambda run: {}, "Read.", "", table="finetune.reader")


@pytest.fixture
def load(tmp_path):
    def loaded(text, *settings, stages=(OUTER, INNER)):
        path = tmp_path / "p.toml"
        path.write_text(text)
        return load_pipeline(path, stages, [parse_setting(one) for one in settings]).configs

    return loaded


def test_a_step_whose_table_is_inside_of_anothers(load):
    configs = load('[finetune]\nlr = 0.5\n[finetune.reader]\ndata = "q.json"\n')
    assert configs["finetune"] == OuterConfig(lr=0.5)
    assert configs["reader"] == InnerConfig(data="q.json")
    assert load('[finetune.reader]\ndata = "q.json"\n')["finetune"] == OuterConfig()
    assert load('finetune.reader.data = "q.json"\n')["reader"].data == "q.json"


def test_settings_reach_it_by_its_table_and_by_its_name(load):
    text = '[finetune.reader]\ndata = "q.json"\n'
    assert load(text, "finetune.reader.lr=0.7")["reader"].lr == 0.7
    assert load(text, "reader.lr=0.7")["reader"].lr == 0.7
    assert load(text, "finetune.lr=0.7")["finetune"].lr == 0.7


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ('[finetune.reader]\ndata = "q"\nlrr = 1\n', [], r"p.toml:3: \[finetune.reader\] has no key 'lrr'.*lr"),
        ("[finetune.reader]\n", [], r"p.toml:1: \[finetune.reader\] data is missing"),
        ("[finetune]\nreader = true\n", [], r"p.toml:2: finetune.reader is a step"),
        ('[reader]\ndata = "q"\n', [], r"p.toml:1: unknown table \[reader\].*finetune.reader"),
        ('[finetune.reader]\ndata = "q"\n', ["finetune.reader.lrr=1"], r"--set finetune.reader.lrr=1: .*'lrr'"),
        ('[finetune.reranker]\ndata = "q"\n[finetune.reader]\ndata = "q"', [], r"has no key 'reranker'"),
    ],
)
def test_errors_name_the_table(load, text, settings, message):
    with pytest.raises(ConfigError, match=message):
        load(text, *settings)


def test_pipelines_without_such_a_step_refuse_the_table(load):
    with pytest.raises(ConfigError, match="has no key 'reader'"):
        load('[finetune.reader]\ndata = "q"\n', stages=(OUTER,))
    with pytest.raises(ConfigError, match="has no key 'reader'"):
        load("", "finetune.reader.lr=1", stages=(OUTER,))


def test_a_stage_has_its_keys_in_the_table_of_its_name_if_nothing_else_is_said():
    assert (OUTER.keys, INNER.keys) == ("finetune", "finetune.reader")
    assert replace(INNER, table="").keys == "reader"
