import math

import pytest
from torch import nn

from bertpipe.training.optimizer import adamw_with_warmup


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.token_embedding = nn.Embedding(9, 4)
        self.log_weight = nn.Embedding(9, 1)


def configured(**changes):
    model = Model()
    settings = {"lr": 1.0, "weight_decay": 0.1, "warmup": 0.1, "steps": 100, **changes}
    return model, adamw_with_warmup(model, **settings)


def groups_of(model, configuration):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: (group["initial_lr"], group["weight_decay"])
        for group in configuration["optimizer"].param_groups
        for parameter in group["params"]
    }


def test_only_matrices_are_decayed():
    found = groups_of(*configured())
    assert found["body.weight"] == found["token_embedding.weight"] == (1.0, 0.1)
    assert found["body.bias"] == found["norm.weight"] == (1.0, 0.0)


def test_parts_have_rates_of_their_own_and_zero_freezes():
    found = groups_of(*configured(lr_scales={"log_weight": 10.0, "token_embedding": 0.0}))
    assert found["log_weight.weight"] == (10.0, 0.0)
    assert "token_embedding.weight" not in found
    assert found["body.weight"] == (1.0, 0.1)


def test_layers_have_rates_of_their_own_and_are_decayed():
    found = groups_of(*configured(layer_scales={"body.": 0.5, "log_weight.": 3.0}, lr_scales={"log_weight": 10.0}))
    assert found["body.weight"] == (0.5, 0.1)
    assert found["body.bias"] == (0.5, 0.0)
    assert found["log_weight.weight"] == (10.0, 0.0)
    assert found["norm.weight"] == (1.0, 0.0)


def rates_of(configuration, steps=100):
    scheduler = configuration["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        configuration["optimizer"].step()
        scheduler.step()
    return rates


def test_the_rate_rises_then_falls_to_zero():
    rates = rates_of(configured()[1])
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == pytest.approx(1.0)
    assert rates[54] == pytest.approx(0.511, abs=0.01)
    assert 0 < rates[-1] < 0.02


def test_the_rate_falls_with_the_root_of_the_steps():
    """Vaswani et al. 2017, equation 3: proportional to min(step^-0.5, step * warmup^-1.5), steps counted from 1."""
    rates = rates_of(configured(schedule="inverse-sqrt", lr=3.0)[1])
    formula = [min(step**-0.5, step * 10**-1.5) for step in range(1, 101)]
    assert rates == pytest.approx([3.0 * one * math.sqrt(10) for one in formula])


@pytest.mark.parametrize("schedule", ["linear", "inverse-sqrt"])
@pytest.mark.parametrize("warmup", [0.0, 0.5, 1.0])
def test_any_warmup(schedule, warmup):
    rates = rates_of(configured(schedule=schedule, warmup=warmup)[1])
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) == max(0, round(100 * warmup) - 1)
    assert all(0 < rate <= 1 for rate in rates)


def test_betas_and_the_kernel_are_as_asked_for():
    _, configuration = configured(betas=(0.9, 0.98), fused=False)
    assert configuration["optimizer"].defaults["betas"] == (0.9, 0.98)
    assert not configuration["optimizer"].defaults["fused"]
    assert configured()[1]["optimizer"].defaults["betas"] == (0.9, 0.999)
