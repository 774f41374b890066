import math

import pytest
import torch
from torch import nn

from bertpipe.nn.cache import LayerCache
from bertpipe.nn.layers import DecoderLayer, EncoderLayer, FeedForward
from bertpipe.nn.positions import Rotary


def copy_attention(ours: nn.Module, theirs: nn.MultiheadAttention) -> None:
    parts = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
    theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    copy(ours.output, theirs.out_proj)


def copy(ours: nn.Module, theirs: nn.Module) -> None:
    theirs.weight.copy_(ours.weight)
    theirs.bias.copy_(ours.bias)


@torch.no_grad()
def copy_layer(
    ours: EncoderLayer | DecoderLayer, theirs: nn.TransformerEncoderLayer | nn.TransformerDecoderLayer
) -> None:
    copy_attention(ours.attention, theirs.self_attn)
    copy(ours.feed_forward.inner, theirs.linear1)
    copy(ours.feed_forward.output, theirs.linear2)
    norms = [ours.attention_norm, ours.feed_forward_norm]
    if isinstance(ours, DecoderLayer):
        copy_attention(ours.cross_attention, theirs.multihead_attn)
        norms.insert(1, ours.cross_attention_norm)
        copy(norms[2], theirs.norm3)
    copy(norms[0], theirs.norm1)
    copy(norms[1], theirs.norm2)


def shake_norms(module: nn.Module) -> None:
    """Norms that do nothing would not show when they are mixed up."""
    for part in module.modules():
        if isinstance(part, nn.LayerNorm):
            nn.init.normal_(part.weight, mean=1.0, std=0.1)
            nn.init.normal_(part.bias, std=0.1)


@pytest.mark.parametrize("norm_first", [False, True])
def test_encoder_layer_agrees_with_pytorch(norm_first):
    torch.manual_seed(0)
    ours = EncoderLayer(32, 4, 64, dropout=0.1, norm_first=norm_first, norm_eps=1e-5).eval()
    shake_norms(ours)
    theirs = nn.TransformerEncoderLayer(
        32, 4, 64, activation="gelu", batch_first=True, norm_first=norm_first, layer_norm_eps=1e-5
    ).eval()
    copy_layer(ours, theirs)
    x = torch.randn(3, 7, 32)
    seen = torch.ones(3, 7, dtype=torch.bool)
    seen[2, 5:] = False
    expected = theirs(x, src_key_padding_mask=~seen)
    got = ours(x, mask=seen[:, None, None, :])
    torch.testing.assert_close(got[seen], expected[seen], atol=1e-5, rtol=0)


def test_dropout_only_in_training():
    torch.manual_seed(0)
    layer = EncoderLayer(16, 2, 32, dropout=0.5)
    x = torch.randn(1, 5, 16)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_decoder_layer_agrees_with_pytorch(norm_first, activation):
    torch.manual_seed(0)
    shape = {"norm_first": norm_first, "activation": activation}
    ours = DecoderLayer(32, 4, 64, dropout=0.1, norm_eps=1e-5, **shape).eval()
    shake_norms(ours)
    theirs = nn.TransformerDecoderLayer(32, 4, 64, batch_first=True, layer_norm_eps=1e-5, **shape).eval()
    copy_layer(ours, theirs)
    x, memory = torch.randn(3, 7, 32), torch.randn(3, 5, 32)
    seen = torch.ones(3, 5, dtype=torch.bool)
    seen[1, 2:] = False
    later = nn.Transformer.generate_square_subsequent_mask(7)
    expected = theirs(x, memory, tgt_mask=later, memory_key_padding_mask=~seen, tgt_is_causal=True)
    got = ours(x, memory, seen[:, None, None, :])
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_a_decoder_position_does_not_see_what_comes_later():
    torch.manual_seed(0)
    layer = DecoderLayer(16, 2, 32).eval()
    x, memory = torch.randn(1, 6, 16), torch.randn(1, 4, 16)
    changed = x.clone()
    changed[0, 4:] += 100.0
    before, after = layer(x, memory), layer(changed, memory)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])
    changed = x.clone()
    changed[0, 1] += 1.0
    assert not torch.allclose(before[:, 3], layer(changed, memory)[:, 3])  # but what came before


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("rotary", [None, Rotary(8, 64)])
@pytest.mark.parametrize("beams", [1, 3])
def test_steps_come_to_the_same_as_all_positions_at_once(norm_first, rotary, beams):
    """Three sequences a source, of different pieces; the source is padded."""
    torch.manual_seed(0)
    layer = DecoderLayer(32, 4, 48, norm_first=norm_first, norm_eps=1e-5, activation="geglu").eval()
    shake_norms(layer)
    x, memory = torch.randn(2 * beams, 40, 32), torch.randn(2, 5, 32)
    seen = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])[:, None, None, :]
    positions = torch.arange(40).expand(2 * beams, -1)
    whole = layer(x, memory.repeat_interleave(beams, 0), seen.repeat_interleave(beams, 0), rotary, positions)
    cache = LayerCache(*layer.cross_attention.keys_values(memory))
    for place in range(40):
        got = layer.step(x[:, place : place + 1], cache, seen, rotary, positions[:, place : place + 1])
        torch.testing.assert_close(got, whole[:, place : place + 1], atol=1e-5, rtol=0)
    assert cache.length == 40


def test_geglu_is_its_formula():
    """Shazeer 2020, equation 6: (GELU(x W) * x V) W2, with the biases that the paper leaves out."""
    torch.manual_seed(0)
    layer = FeedForward(6, 10, activation="geglu")
    x = torch.randn(2, 3, 6)
    linear, gate = (layer.inner.weight[:10], layer.inner.bias[:10]), (layer.inner.weight[10:], layer.inner.bias[10:])
    gated = x @ gate[0].T + gate[1]
    gated = gated * 0.5 * (1 + torch.erf(gated / math.sqrt(2)))
    expected = (gated * (x @ linear[0].T + linear[1])) @ layer.output.weight.T + layer.output.bias
    torch.testing.assert_close(layer(x), expected, atol=1e-6, rtol=0)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="no activation 'swish'; there are gelu, gelu_tanh, relu, silu, geglu"):
        FeedForward(4, 8, activation="swish")


@pytest.mark.parametrize("layer", [EncoderLayer, DecoderLayer])
def test_each_kind_of_dropout_has_its_probability(layer):
    made = layer(16, 2, 32, 0.3)
    assert (made.attention.dropout, made.feed_forward.dropout.probability, made.dropout.probability) == (0.3, 0.3, 0.3)
    made = layer(16, 2, 32, 0.3, attention_dropout=0.0, inner_dropout=0.1)
    assert (made.attention.dropout, made.feed_forward.dropout.probability, made.dropout.probability) == (0.0, 0.1, 0.3)
