import pytest
import torch
from torch import nn

from bertpipe.nn.layers import EncoderLayer


def copy_layer(ours: EncoderLayer, theirs: nn.TransformerEncoderLayer) -> None:
    attention = ours.attention
    with torch.no_grad():
        parts = (attention.query, attention.key, attention.value)
        theirs.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        pairs = (
            (theirs.self_attn.out_proj, attention.output),
            (theirs.linear1, ours.feed_forward.inner),
            (theirs.linear2, ours.feed_forward.output),
            (theirs.norm1, ours.attention_norm),
            (theirs.norm2, ours.feed_forward_norm),
        )
        for target, source in pairs:
            target.weight.copy_(source.weight)
            target.bias.copy_(source.bias)


@pytest.mark.parametrize("norm_first", [False, True])
def test_encoder_layer_agrees_with_pytorch(norm_first):
    torch.manual_seed(0)
    ours = EncoderLayer(32, 4, 64, dropout=0.1, norm_first=norm_first, norm_eps=1e-5).eval()
    for norm in (ours.attention_norm, ours.feed_forward_norm):
        nn.init.normal_(norm.weight, mean=1.0, std=0.1)
        nn.init.normal_(norm.bias, std=0.1)
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
