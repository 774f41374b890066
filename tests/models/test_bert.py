import pytest
import torch
from torch import nn

from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.models.encoder import TextEncoder
from bertpipe.models.heads import BertForPretraining
from bertpipe.nn.packing import attention_mask_of, position_ids_of

CONFIG = BertConfig(vocab_size=50, width=32, layers=3, heads=4, inner=64, max_length=16, norm_eps=1e-5)


def small(**changes) -> BertConfig:
    return BertConfig(**{**CONFIG.__dict__, **changes})


@pytest.fixture
def bert() -> Bert:
    torch.manual_seed(0)
    return Bert(CONFIG).eval()


class PlainBert(nn.Module):
    """BERT from PyTorch's own parts."""

    def __init__(self, bert: Bert) -> None:
        super().__init__()
        config = bert.config
        layer = nn.TransformerEncoderLayer(
            config.width,
            config.heads,
            config.inner,
            activation="gelu",
            batch_first=True,
            layer_norm_eps=config.norm_eps,
        )
        self.stack = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.bert = bert
        renamed = {
            "attention.output": "self_attn.out_proj",
            "feed_forward.inner": "linear1",
            "feed_forward.output": "linear2",
            "attention_norm": "norm1",
            "feed_forward_norm": "norm2",
        }
        state = {}
        for number, ours in enumerate(bert.layers):
            parts = (ours.attention.query, ours.attention.key, ours.attention.value)
            state[f"layers.{number}.self_attn.in_proj_weight"] = torch.cat([part.weight for part in parts])
            state[f"layers.{number}.self_attn.in_proj_bias"] = torch.cat([part.bias for part in parts])
            for name, tensor in ours.state_dict().items():
                for old, new in renamed.items():
                    if name.rpartition(".")[0] == old:
                        state[f"layers.{number}.{new}.{name.rpartition('.')[2]}"] = tensor
        self.stack.load_state_dict(state)

    def forward(self, input_ids, token_type_ids, seen):
        positions = torch.arange(input_ids.size(1))
        x = self.bert.token_embedding.weight[input_ids]
        x = x + self.bert.segment_embedding.weight[token_type_ids] + self.bert.position_embedding.weight[positions]
        norm = self.bert.embedding_norm
        x = nn.functional.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
        return self.stack(x, src_key_padding_mask=~seen)


def test_bert_agrees_with_pytorchs_modules(bert):
    plain = PlainBert(bert).eval()
    ids, types = torch.randint(5, 50, (3, 9)), torch.randint(0, 2, (3, 9))
    seen = torch.ones(3, 9, dtype=torch.bool)
    seen[1, 6:] = False
    torch.testing.assert_close(bert(ids, seen.long(), types)[seen], plain(ids, types, seen)[seen], atol=1e-5, rtol=0)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
@pytest.mark.parametrize("norm_first", [False, True])
def test_packed_texts_come_out_as_if_alone(positions, norm_first):
    torch.manual_seed(0)
    bert = Bert(small(positions=positions, norm_first=norm_first)).eval()
    first, second = torch.randint(5, 50, (1, 5)), torch.randint(5, 50, (1, 7))
    packed = torch.cat([first, second, torch.zeros(1, 4, dtype=torch.long)], dim=1)
    sequence_ids = torch.tensor([[1] * 5 + [2] * 7 + [0] * 4])
    hidden = bert(packed, attention_mask_of(sequence_ids), position_ids=position_ids_of(sequence_ids))
    assert torch.isfinite(hidden).all()
    torch.testing.assert_close(hidden[:, :5], bert(first), atol=1e-5, rtol=0)
    torch.testing.assert_close(hidden[:, 5:12], bert(second), atol=1e-5, rtol=0)


def test_positions_matter(bert):
    ids = torch.tensor([[7, 8, 9]])
    assert not torch.allclose(bert(ids)[0, 0], bert(ids.flip(1))[0, 2])


def test_the_activation_is_that_of_the_config():
    outputs = []
    for activation in ("gelu", "gelu_tanh", "relu"):
        torch.manual_seed(0)
        model = BertForPretraining(Bert(small(activation=activation))).eval()
        assert type(model.masked_language.activation) is type(model.bert.layers[0].feed_forward.activation)
        outputs.append(model.bert(torch.tensor([[7, 8, 9]])))
    assert not torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_layers_start_by_doing_nothing(bert):
    vectors = torch.randn(50, 32)
    bert.start_from(vectors)
    ids = torch.randint(5, 50, (2, 6))
    whole = vectors[ids] + bert.segment_embedding.weight[0] + bert.position_embedding.weight[:6]
    torch.testing.assert_close(bert(ids), nn.functional.layer_norm(whole, (32,)), atol=1e-3, rtol=0)
    assert not bert.token_embedding.weight[0].any()


def test_sizes_of_the_presets():
    # Devlin et al. 2019, section 3: 110 and 340 million parameters with 30,522 pieces, 512 positions and a pooler.
    for name, millions in (("base", 110), ("large", 340)):
        with torch.device("meta"):
            model = BertForPretraining(Bert(BertConfig.preset(name, 30_522, max_length=512)))
        count = sum(parameter.numel() for parameter in model.parameters())
        assert count / 1e6 == pytest.approx(millions, rel=0.03)


def test_heads_are_computed_where_asked(bert):
    model = BertForPretraining(bert).eval()
    ids = torch.randint(5, 50, (2, 8))
    rows = torch.ones(2, 8, dtype=torch.long)
    masked, starts = torch.tensor([1, 9, 14]), torch.tensor([0, 8])
    mlm, nsp = model(ids, attention_mask_of(rows), torch.zeros_like(ids), position_ids_of(rows), masked, starts)
    assert mlm.shape == (3, 50)
    assert nsp.shape == (2, 2)
    alone, nothing = model(ids, attention_mask_of(rows), torch.zeros_like(ids), position_ids_of(rows), masked)
    assert torch.equal(alone, mlm)
    assert nothing is None
    hidden = bert(ids).flatten(0, 1)
    torch.testing.assert_close(mlm, model.masked_language(hidden[masked], bert.token_embedding.weight))


def test_output_embedding_is_tied(bert):
    model = BertForPretraining(bert)
    names = [name for name, parameter in model.named_parameters() if parameter.shape == (50, 32)]
    assert names == ["bert.token_embedding.weight"]


@pytest.mark.parametrize("pooling", ["weighted", "cls"])
def test_packed_encoding_is_the_same(pooling):
    torch.manual_seed(0)
    encoder = TextEncoder(Bert(small(pooling=pooling))).eval()
    texts = [torch.randint(5, 50, (1, length)) for length in (5, 7)]
    packed = torch.cat([*texts, torch.zeros(1, 4, dtype=torch.long)], dim=1)
    sequence_ids = torch.tensor([[1] * 5 + [2] * 7 + [0] * 4])
    text_index = torch.tensor([[0] * 5 + [1] * 7 + [2] * 4])
    alone = torch.cat([encoder(text, torch.ones_like(text)) for text in texts])
    torch.testing.assert_close(encoder.encode_packed(packed, sequence_ids, text_index, 2), alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("pooling", ["weighted", "cls"])
def test_encoder_gives_unit_vectors_and_ignores_padding(pooling):
    torch.manual_seed(0)
    encoder = TextEncoder(Bert(small(pooling=pooling))).eval()
    ids = torch.randint(5, 50, (1, 6))
    padded = torch.cat([ids, torch.zeros(1, 3, dtype=torch.long)], dim=1)
    mask = torch.tensor([[1] * 6 + [0] * 3])
    alone, beside = encoder(ids, torch.ones(1, 6)), encoder(padded, mask)
    torch.testing.assert_close(alone.norm(dim=-1), torch.ones(1))
    torch.testing.assert_close(alone, beside, atol=1e-5, rtol=0)
