import pytest
import torch
from torch import nn

from bertpipe.nn.attention import MultiHeadAttention, reference_attention


def copy_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
        theirs.out_proj.weight.copy_(ours.output.weight)
        theirs.out_proj.bias.copy_(ours.output.bias)


@pytest.fixture
def attention() -> MultiHeadAttention:
    torch.manual_seed(0)
    return MultiHeadAttention(32, 4).eval()


def test_self_attention_agrees_with_pytorch(attention):
    theirs = nn.MultiheadAttention(32, 4, batch_first=True).eval()
    copy_attention(attention, theirs)
    x = torch.randn(3, 7, 32)
    seen = torch.ones(3, 7, dtype=torch.bool)
    seen[1, 4:] = False
    expected, _ = theirs(x, x, x, key_padding_mask=~seen)
    torch.testing.assert_close(attention(x, mask=seen[:, None, None, :]), expected, atol=1e-5, rtol=0)


def test_cross_attention_agrees_with_pytorch(attention):
    theirs = nn.MultiheadAttention(32, 4, batch_first=True).eval()
    copy_attention(attention, theirs)
    x, memory = torch.randn(2, 5, 32), torch.randn(2, 9, 32)
    expected, _ = theirs(x, memory, memory)
    torch.testing.assert_close(attention(x, memory), expected, atol=1e-5, rtol=0)


def test_fused_attention_agrees_with_the_formula():
    torch.manual_seed(1)
    query, key, value = torch.randn(2, 4, 5, 8), torch.randn(2, 4, 6, 8), torch.randn(2, 4, 6, 8)
    mask = torch.rand(2, 1, 5, 6) > 0.3
    mask[..., 0] = True
    fused = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    torch.testing.assert_close(reference_attention(query, key, value, mask), fused, atol=1e-5, rtol=0)


def test_a_masked_key_has_no_influence(attention):
    x = torch.randn(1, 4, 32)
    mask = torch.tensor([True, True, True, False])[None, None, None]
    changed = x.clone()
    changed[0, 3] += 100.0
    torch.testing.assert_close(attention(x, mask=mask)[:, :3], attention(changed, mask=mask)[:, :3])


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="5 heads do not divide a width of 32"):
        MultiHeadAttention(32, 5)
