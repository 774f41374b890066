"""The code in docs/python.md runs and prints what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import bertpipe
from bertpipe.models.bert import Bert
from bertpipe.models.checkpoint import save_model
from bertpipe.models.config import BertConfig
from bertpipe.models.heads import BertForPretraining
from bertpipe.text.tokenizer import Tokenizer, train_tokenizer

PAGE = (Path(__file__).parents[1] / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```(?:\n\n```\n(.*?)```)?", PAGE, re.DOTALL)


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    """A folder with what two steps published."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "quickstart"
    (run / "tokenize").mkdir(parents=True)
    lines = ["Attention is all you need.", "A model needs no more than attention.", "You read, I listen."] * 5
    train_tokenizer(lines, run / "tokenize" / "tokenizer.model", 320)
    vocab_size = Tokenizer(run / "tokenize").vocab_size
    save_model(BertForPretraining(Bert(BertConfig.preset("tiny", vocab_size))), run / "pretrain")
    return run


@pytest.mark.parametrize("code", [code for code, output in BLOCKS if output])
def test_the_page_prints_what_it_says(code, pipeline, capsys):
    expected = next(output for block, output in BLOCKS if block == code)
    torch.manual_seed(0)
    exec(compile(code, "docs/python.md", "exec"), {})
    assert capsys.readouterr().out == expected


def test_two_pages_print():
    assert sum(bool(output) for _, output in BLOCKS) == 2


@pytest.mark.parametrize("code", [code for code, output in BLOCKS if not output])
def test_the_other_code_names_what_is_there(code):
    for names in re.findall(r"^from bertpipe import (.*)$", code, re.MULTILINE):
        for name in names.split(", "):
            assert getattr(bertpipe, name).__name__ == name


def test_every_name_is_there():
    assert sorted(bertpipe.__all__) == sorted(dir(bertpipe))
    for name in bertpipe.__all__:
        assert getattr(bertpipe, name).__name__ == name


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'Transfomer'"):
        _ = bertpipe.Transfomer
