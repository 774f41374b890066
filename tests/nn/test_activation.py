import math

import pytest
import torch

from bertpipe.nn.activation import activation_module


def test_activations_are_what_their_papers_say():
    x = torch.linspace(-4, 4, 101, dtype=torch.float64)
    exact = x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    tanh = 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    torch.testing.assert_close(activation_module("gelu")(x), exact)
    torch.testing.assert_close(activation_module("gelu_tanh")(x), tanh)
    torch.testing.assert_close(activation_module("relu")(x), x.clamp(min=0))
    torch.testing.assert_close(activation_module("silu")(x), x / (1 + (-x).exp()))
    assert (exact - tanh).abs().max() > 1e-4


def test_others_are_refused():
    with pytest.raises(ValueError, match="no activation 'tanh'"):
        activation_module("tanh")
