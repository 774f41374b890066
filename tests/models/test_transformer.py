import math

import numpy as np
import pytest
import torch
from torch import nn

from bertpipe.models.transformer import Transformer
from bertpipe.models.transformer_config import TransformerConfig

RENAMED = {
    "attention.output": "self_attn.out_proj",
    "cross_attention.output": "multihead_attn.out_proj",
    "feed_forward.inner": "linear1",
    "feed_forward.output": "linear2",
}
NORMS = {
    "encoder": {"attention_norm": "norm1", "feed_forward_norm": "norm2"},
    "decoder": {"attention_norm": "norm1", "cross_attention_norm": "norm2", "feed_forward_norm": "norm3"},
}


class PlainTransformer(nn.Module):
    """The Transformer from PyTorch's own parts: `torch.nn.Transformer` between an embedding and its transpose."""

    def __init__(self, ours: Transformer) -> None:
        super().__init__()
        config = ours.config
        layer = {
            "d_model": config.width,
            "nhead": config.heads,
            "dim_feedforward": config.inner,
            "activation": config.activation,
            "batch_first": True,
            "norm_first": config.norm_first,
            "layer_norm_eps": config.norm_eps,
        }
        stacks = {}
        if not config.norm_first:  # a post-norm stack of ours ends with its last layer's norm, PyTorch's has one more
            stacks = {
                "custom_encoder": nn.TransformerEncoder(
                    nn.TransformerEncoderLayer(**layer), config.encoder_layers, enable_nested_tensor=False
                ),
                "custom_decoder": nn.TransformerDecoder(nn.TransformerDecoderLayer(**layer), config.decoder_layers),
            }
        self.stacks = nn.Transformer(
            **layer, num_encoder_layers=config.encoder_layers, num_decoder_layers=config.decoder_layers, **stacks
        )
        self.stacks.load_state_dict(self.translated(ours))
        self.ours = ours

    @staticmethod
    def translated(ours: Transformer) -> dict[str, torch.Tensor]:
        state = {}
        for side in ("encoder", "decoder"):
            stack = getattr(ours, side)
            for number, layer in enumerate(stack.layers):
                place = f"{side}.layers.{number}"
                for name, tensor in layer.state_dict().items():
                    module, _, kind = name.rpartition(".")
                    new = {**RENAMED, **NORMS[side]}.get(module)
                    if new:
                        state[f"{place}.{new}.{kind}"] = tensor
                for mine, theirs in (("attention", "self_attn"), ("cross_attention", "multihead_attn")):
                    if hasattr(layer, mine):
                        parts = [getattr(getattr(layer, mine), part) for part in ("query", "key", "value")]
                        state[f"{place}.{theirs}.in_proj_weight"] = torch.cat([part.weight for part in parts])
                        state[f"{place}.{theirs}.in_proj_bias"] = torch.cat([part.bias for part in parts])
            for kind, tensor in stack.final_norm.state_dict().items():
                state[f"{side}.norm.{kind}"] = tensor
        return state

    def embed(self, ids: torch.Tensor, side: str) -> torch.Tensor:
        config, stack = self.ours.config, getattr(self.ours, side)
        x = self.ours.token_embedding.weight[ids]
        if config.scale_embedding:
            x = x * math.sqrt(config.width)
        if config.positions == "learned":
            x = x + stack.position_embedding.weight[: ids.size(1)]
        else:  # Vaswani et al. 2017, section 3.5, by the book
            place = np.arange(ids.size(1))[:, None]
            feature = np.arange(config.width)[None]
            angle = place / 10000 ** (2 * (feature // 2) / config.width)
            x = x + torch.tensor(np.where(feature % 2, np.cos(angle), np.sin(angle)), dtype=torch.float32)
        if config.embedding_norm:
            norm = stack.embedding_norm
            x = nn.functional.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
        return x

    def forward(self, src_ids, tgt_ids, seen):
        hidden = self.stacks(
            self.embed(src_ids, "encoder"),
            self.embed(tgt_ids, "decoder"),
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(tgt_ids.size(1)),
            src_key_padding_mask=~seen,
            memory_key_padding_mask=~seen,
            tgt_is_causal=True,
        )
        logits = hidden @ self.ours.token_embedding.weight.T
        return logits if self.ours.output_bias is None else logits + self.ours.output_bias


def padded_batch(model, sizes=(9, 4, 7), length=6):
    torch.manual_seed(1)
    src_ids = torch.randint(5, model.config.vocab_size, (len(sizes), max(sizes)))
    seen = torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]
    src_ids[~seen] = model.config.pad_id
    tgt_ids = torch.randint(5, model.config.vocab_size, (len(sizes), length))
    tgt_ids[:, 0] = model.config.start_id
    return src_ids, tgt_ids, seen


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"positions": "learned", "embedding_norm": True, "scale_embedding": False, "output_bias": True},
    ],
    ids=["vaswani", "bart"],
)
def test_the_transformer_agrees_with_pytorchs(make_transformer, norm_first, activation, more):
    model = make_transformer(norm_first=norm_first, activation=activation, **more)
    plain = PlainTransformer(model).eval()
    src_ids, tgt_ids, seen = padded_batch(model)
    expected = plain(src_ids, tgt_ids, seen)
    assert expected.std() > 0.2  # something to tell apart
    torch.testing.assert_close(model(src_ids, tgt_ids, seen), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(model(src_ids, tgt_ids, seen.long()), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("embedding_norm", [False, True])
def test_steps_with_a_cache_come_to_the_same(make_transformer, positions, norm_first, embedding_norm):
    """40 pieces, more than the caches grow by at once."""
    model = make_transformer(positions=positions, norm_first=norm_first, embedding_norm=embedding_norm)
    src_ids, tgt_ids, seen = padded_batch(model, length=40)
    with torch.no_grad():
        expected = model(src_ids, tgt_ids, seen)
        cache = model.start(*model.encode(src_ids, seen))
        for place in range(40):
            got = model.step(tgt_ids[:, place], cache)
            torch.testing.assert_close(got, expected[:, place], atol=2e-5, rtol=0)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_padding_of_the_source_changes_nothing(make_transformer, positions):
    model = make_transformer(positions=positions)
    src_ids, tgt_ids, seen = padded_batch(model)
    together = model(src_ids, tgt_ids, seen)
    for row, size in enumerate(seen.sum(1).tolist()):
        alone = model(src_ids[row : row + 1, :size], tgt_ids[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_the_order_of_a_source_matters(make_transformer, positions):
    model = make_transformer(positions=positions)
    src_ids, tgt_ids, _ = padded_batch(model)
    assert not torch.allclose(model(src_ids, tgt_ids), model(src_ids.flip(1), tgt_ids), atol=1e-3)


def test_a_target_does_not_see_what_comes_later(make_transformer):
    model = make_transformer()
    src_ids, tgt_ids, seen = padded_batch(model)
    changed = tgt_ids.clone()
    changed[:, 4] = (changed[:, 4] + 1) % model.config.vocab_size
    before, after = model(src_ids, tgt_ids, seen), model(src_ids, changed, seen)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_training_in_bfloat16_is_near_full_precision(make_transformer, positions):
    model = make_transformer(positions=positions, dropout=0.0).train()
    src_ids, tgt_ids, seen = padded_batch(model)

    def outcome(enabled):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            logits = model(src_ids, tgt_ids, seen).float()
        nn.functional.cross_entropy(logits.flatten(0, 1), tgt_ids.flatten()).backward()
        return logits.detach(), model.token_embedding.weight.grad.clone()

    for expected, got in zip(outcome(False), outcome(True), strict=True):
        assert not torch.equal(got, expected)
        assert (got - expected).norm() < 0.05 * expected.norm()


def test_the_embedding_is_the_output_matrix(make_transformer):
    model = make_transformer()
    shape = model.token_embedding.weight.shape
    assert [name for name, value in model.named_parameters() if value.shape == shape] == ["token_embedding.weight"]


def test_dropout_only_in_training(make_transformer):
    model = make_transformer(dropout=0.3)
    src_ids, tgt_ids, seen = padded_batch(model)
    assert torch.equal(model(src_ids, tgt_ids, seen), model(src_ids, tgt_ids, seen))
    model.train()
    assert not torch.equal(model(src_ids, tgt_ids, seen), model(src_ids, tgt_ids, seen))


def test_it_starts_with_vectors_of_a_sensible_size():
    """The scaled embedding has features of variance 1 beside positions of variance 1/2; logits start near 0."""
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(vocab_size=2000, width=64, encoder_layers=1, decoder_layers=1)).eval()
    ids = torch.randint(5, 2000, (4, 20))
    assert model.embed(ids).std().item() == pytest.approx(1, abs=0.05)
    assert not model.token_embedding.weight[model.config.pad_id].any()
    loss = nn.functional.cross_entropy(model(ids, ids).flatten(0, 1), torch.randint(5, 2000, (80,)))
    assert loss.item() < math.log(2000) + 1


def test_size_of_the_original():
    """Vaswani et al. 2017, table 3: the base model has 65 million parameters with 37,000 pieces."""
    shape = {"width": 512, "encoder_layers": 6, "decoder_layers": 6, "heads": 8, "inner": 2048}
    with torch.device("meta"):
        model = Transformer(TransformerConfig(vocab_size=37_000, **shape))
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(65, rel=0.04)
