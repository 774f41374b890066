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


def test_causal_attention_agrees_with_a_mask(attention):
    x = torch.randn(2, 6, 32)
    mask = torch.ones(6, 6, dtype=torch.bool).tril()
    torch.testing.assert_close(attention(x, causal=True), attention(x, mask=mask), atol=1e-6, rtol=0)


def test_keys_and_values_computed_before_come_to_the_same(attention):
    x, memory = torch.randn(2, 5, 32), torch.randn(2, 9, 32)
    key, value = attention.keys_values(memory)
    assert key.shape == value.shape == (2, 4, 9, 8)
    torch.testing.assert_close(attention.attend(x, key, value), attention(x, memory))


@pytest.mark.parametrize(("causal", "padded"), [(False, False), (False, True), (True, False)])
def test_training_in_bfloat16_is_near_full_precision(attention, causal, padded):
    """With gradients a CPU takes another path, of the formula instead of the fused kernel."""
    x = torch.randn(2, 6, 32)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])[:, None, None, :] if padded else None

    def outcome(enabled):
        attention.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            out = attention(x, mask=mask, causal=causal)
        out.float().square().sum().backward()
        return out.detach(), attention.key.weight.grad.clone(), attention.value.weight.grad.clone()

    attention.train()  # with no dropout that changes nothing but the path
    full, narrow = outcome(False), outcome(True)
    assert narrow[0].dtype == torch.bfloat16
    for expected, got in zip(full, narrow, strict=True):
        assert (got.float() - expected).norm() < 0.02 * expected.norm()


def test_the_path_in_bfloat16_is_the_fused_kernel_again_without_gradients(attention, monkeypatch):
    def forbidden(*arguments):
        raise AssertionError("the formula was used")

    monkeypatch.setattr("bertpipe.nn.attention.reference_attention", forbidden)
    x = torch.randn(2, 6, 32)
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            attention(x, causal=True)
        with pytest.raises(AssertionError, match="the formula was used"):
            attention(x, causal=True)
