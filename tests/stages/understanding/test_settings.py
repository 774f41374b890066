"""Defaults that hang on the model."""

from types import SimpleNamespace

import pytest

from bertpipe.stages.understanding.settings import HeadConfig, learning_rate


def base(width, *, imported=True, task=""):
    return SimpleNamespace(bert=SimpleNamespace(config=SimpleNamespace(width=width)), imported=imported, task=task)


@pytest.mark.parametrize(("width", "rate"), [(1024, 2.8e-5), (768, 5e-5), (512, 1.1e-4), (384, 2e-4), (128, 3e-4)])
def test_the_narrower_an_imported_model_the_larger_its_steps(width, rate):
    assert learning_rate(HeadConfig(), base(width)) == pytest.approx(rate, rel=0.03)


def test_other_models_and_a_rate_of_ones_own():
    assert learning_rate(HeadConfig(), base(384, imported=False)) == 3e-4
    assert learning_rate(HeadConfig(), base(384, task="tagging")) == 5e-5
    assert learning_rate(HeadConfig(lr=1e-3), base(384)) == 1e-3
