import pytest
import torch

from bertpipe.nn.dropout import LEVELS, Dropout

SIZE = 200_000


def dropped(probability, x, seed=0):
    torch.manual_seed(seed)
    return Dropout(probability)(x)


@pytest.mark.parametrize("probability", [0.1, 0.25, 0.5, 0.9])
def test_share_of_zeros_and_expectation(probability):
    out = dropped(probability, torch.ones(SIZE))
    share = float((out == 0).float().mean())
    exact = round(probability * LEVELS) / LEVELS
    deviation = (exact * (1 - exact) / SIZE) ** 0.5
    assert abs(share - exact) < 5 * deviation
    assert abs(exact - probability) <= 1 / (2 * LEVELS)
    kept = out[out != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - exact)))
    assert float(out.mean()) == pytest.approx(1, abs=5 * deviation / (1 - exact))


def test_neighbours_are_dropped_independently():
    """Eight features share the bits of one number: no pair of places in it may depend on each other."""
    zeros = (dropped(0.5, torch.ones(SIZE)) == 0).view(-1, 8).double()
    together = torch.corrcoef(zeros.T) - torch.eye(8, dtype=torch.double)
    assert together.abs().max() < 5 / len(zeros) ** 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradient_is_dropped_and_scaled_alike(dtype):
    x = torch.randn(40, 33, dtype=dtype, requires_grad=True)  # no multiple of eight
    out = dropped(0.3, x)
    gradient = torch.randn_like(out)
    out.backward(gradient)
    mask = dropped(0.3, torch.ones(40, 33, dtype=dtype))
    assert out.dtype == dtype
    assert 0.2 < (mask == 0).double().mean() < 0.4
    torch.testing.assert_close(out, x.detach() * mask)
    torch.testing.assert_close(x.grad, gradient * mask)


def test_the_seed_decides():
    x = torch.randn(50, 7)
    assert torch.equal(dropped(0.5, x), dropped(0.5, x))
    assert not torch.equal(dropped(0.5, x), dropped(0.5, x, seed=1))


def test_two_calls_drop_different_features():
    torch.manual_seed(0)
    layer = Dropout(0.5)
    assert not torch.equal(layer(torch.ones(64)), layer(torch.ones(64)))


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 0, 2), (2, 3, 5)])
def test_any_shape(shape):
    assert dropped(0.5, torch.ones(shape)).shape == shape


def test_a_view_that_is_not_in_order():
    x = torch.arange(1.0, 25.0).view(4, 6).T
    out = dropped(0.5, x)
    kept = out != 0
    torch.testing.assert_close(out[kept], 2 * x[kept])


def test_nothing_is_dropped_at_0_or_outside_of_training():
    x = torch.randn(100)
    assert dropped(0.0, x) is x
    assert Dropout(0.5).eval()(x) is x


@pytest.mark.parametrize("probability", [-0.1, 1.0, 1.5, float("nan")])
def test_impossible_probabilities(probability):
    with pytest.raises(ValueError, match="is not from 0 to below 1"):
        Dropout(probability)


def test_a_probability_next_to_1_still_keeps_some():
    assert (dropped(0.9999, torch.ones(SIZE)) != 0).any()
