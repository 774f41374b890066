import pytest
import torch
from torch import nn

from bertpipe.training.weight_history import WeightHistory


def module(value):
    made = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    for place, parameter in enumerate(made.parameters()):
        nn.init.constant_(parameter, value + place)
    return made


def means(made):
    return [float(parameter.detach().mean()) for parameter in made.parameters()]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_mean_of_the_last(tmp_path):
    history = WeightHistory(tmp_path / "weights", 3)
    for step, value in ((5, 100.0), (10, 1.0), (15, 2.0), (20, 6.0)):
        history.add(step, module(value))
    target = module(0.0)
    target[1].running_mean.fill_(7.0)
    history.load_mean(target)
    assert means(target) == pytest.approx([3.0, 4.0, 5.0, 6.0])
    assert target[1].running_mean.tolist() == [7.0] * 3  # a state that is no weight stays
    assert names(tmp_path / "weights") == [f"{step:09d}.safetensors" for step in (10, 15, 20)]


def test_fewer_than_asked_for(tmp_path):
    history = WeightHistory(tmp_path, 5)
    history.add(1, module(1.0))
    history.add(2, module(2.0))
    target = module(0.0)
    history.load_mean(target)
    assert means(target) == pytest.approx([1.5, 2.5, 3.5, 4.5])


def test_a_step_that_comes_again_is_replaced(tmp_path):
    """As after a kill between the weights and the checkpoint."""
    history = WeightHistory(tmp_path, 2)
    for step, value in ((5, 1.0), (10, 2.0), (10, 4.0)):
        history.add(step, module(value))
    target = module(0.0)
    WeightHistory(tmp_path, 2).load_mean(target)  # by another process, too
    assert means(target)[0] == pytest.approx(2.5)


def test_steps_are_ordered_as_numbers(tmp_path):
    history = WeightHistory(tmp_path, 1)
    history.add(999_999, module(1.0))
    history.add(1_000_000, module(2.0))
    target = module(0.0)
    history.load_mean(target)
    assert means(target)[0] == pytest.approx(2.0)


def test_what_a_kill_left_half_written_does_not_count(tmp_path):
    history = WeightHistory(tmp_path, 2)
    history.add(5, module(1.0))
    (tmp_path / "000000010.new").write_bytes(b"half")
    target = module(0.0)
    history.load_mean(target)
    assert means(target)[0] == pytest.approx(1.0)


def test_small_numbers_do_not_get_lost_beside_large_ones(tmp_path):
    """In single precision 2^24 + 1 is 2^24."""
    history = WeightHistory(tmp_path, 8)
    made = nn.Linear(1, 1, bias=False)
    for step, value in enumerate((2.0**24, *[1.0] * 7)):
        nn.init.constant_(made.weight, value)
        history.add(step, made)
    history.load_mean(made)
    assert made.weight.item() == torch.tensor(2.0**21 + 0.875).item() != 2.0**21
    assert made.weight.dtype == torch.float32
