import math

import pytest
import torch

from bertpipe.nn.positions import Rotary, sinusoidal_positions


@pytest.mark.parametrize("width", [8, 7])
def test_sinusoidal_positions_are_the_papers(width):
    table = sinusoidal_positions(2000, width)
    for position in (0, 1, 17, 49, 1999):
        for feature in range(width):
            angle = position / 10000 ** (2 * (feature // 2) / width)
            expected = math.cos(angle) if feature % 2 else math.sin(angle)
            assert table[position, feature].item() == pytest.approx(expected, abs=1e-7)


def test_rotary_dot_products_depend_on_the_distance_alone():
    torch.manual_seed(0)
    rotary = Rotary(16, 64)
    query, key = torch.randn(1, 1, 1, 16), torch.randn(1, 1, 1, 16)

    def score(query_at: int, key_at: int) -> float:
        turned = rotary(query, torch.tensor([[query_at]])), rotary(key, torch.tensor([[key_at]]))
        return (turned[0] * turned[1]).sum().item()

    assert score(3, 10) == pytest.approx(score(40, 47), abs=1e-4)
    assert abs(score(3, 10) - score(3, 30)) > 1e-3
    assert score(5, 5) == pytest.approx((query * key).sum().item(), abs=1e-4)


def test_rotary_needs_an_even_head_size():
    with pytest.raises(ValueError, match="even head size"):
        Rotary(7, 10)
