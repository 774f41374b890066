import pytest
import pytorch_lightning as pl
import torch

from bertpipe.errors import ArtefactError
from bertpipe.training.budget import Plan, make_plan, measure_throughput


def plan(path, **changes):
    settings = {
        "steps": None,
        "tokens": None,
        "budget": "100s",
        "tokens_per_step": lambda: 500.0,
        "measure": lambda: (2.0, 1000.0),
    }
    return make_plan(path, **{**settings, **changes})


def test_kinds_of_budgets(tmp_path):
    assert plan(tmp_path / "a", steps=300) == Plan(steps=300, leg=30)
    assert plan(tmp_path / "b", tokens=50_000).steps == 100
    timed = plan(tmp_path / "c")
    assert 150 <= timed.steps <= 200
    assert timed.tokens_per_second == 1000.0
    assert plan(tmp_path / "d", steps=3) == Plan(steps=3, leg=5)


def test_a_resumed_run_follows_the_written_plan(tmp_path):
    first = plan(tmp_path / "plan.json")
    assert plan(tmp_path / "plan.json", measure=lambda: (99.0, 1.0)) == first
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(ArtefactError, match="--force"):
        plan(tmp_path / "plan.json")


def test_legs_cover_all_steps():
    whole = Plan(steps=23, leg=5)
    assert [whole.bounds(leg) for leg in range(whole.legs)] == [(0, 5), (5, 10), (10, 15), (15, 20), (20, 23)]


class Tiny(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        return self.layer(batch.x).pow(2).mean()


class TinyBatch:
    num_tokens = 8
    x = torch.ones(4, 2)

    def to(self, device):
        return self


class TinyBatches:
    def batch(self, step):
        return TinyBatch()


def test_measuring_leaves_the_module_alone():
    module = Tiny()
    before = module.layer.weight.clone()
    steps, tokens = measure_throughput(module, TinyBatches(), "cpu")
    assert tokens == pytest.approx(8 * steps)
    assert torch.equal(module.layer.weight, before)
    assert module.layer.weight.grad is None
