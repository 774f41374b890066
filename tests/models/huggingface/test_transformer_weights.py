"""Published encoder-decoders made by hand: the names are written out here, not taken from the code under test."""

import json

import pytest
import torch
from safetensors.torch import save_file

from bertpipe.errors import ConfigError, InputError
from bertpipe.models.decoding import Decoding
from bertpipe.models.huggingface.importing import read_model
from bertpipe.models.huggingface.transformer_exporting import generation_config, write_transformer
from bertpipe.models.huggingface.transformer_importing import is_transformer, read_transformer
from bertpipe.models.huggingface.transformer_weights import in_order
from bertpipe.models.transformer import Transformer
from bertpipe.models.transformer_config import TransformerConfig

V, D, INNER, P = 20, 8, 16, 12
CONFIG = {
    "model_type": "bart",
    "vocab_size": V,
    "d_model": D,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": INNER,
    "decoder_ffn_dim": INNER,
    "max_position_embeddings": P,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
    "forced_bos_token_id": 0,
}


def linear(name, rows, columns):
    return {f"{name}.weight": torch.randn(rows, columns), f"{name}.bias": torch.randn(rows)}


def norm(name):
    return {f"{name}.weight": torch.randn(D), f"{name}.bias": torch.randn(D)}


def attention(name):
    return {key: one for part in ("q", "k", "v", "out") for key, one in linear(f"{name}.{part}_proj", D, D).items()}


def layer(name, crossed):
    tensors = attention(f"{name}.self_attn") | norm(f"{name}.self_attn_layer_norm")
    if crossed:
        tensors |= attention(f"{name}.encoder_attn") | norm(f"{name}.encoder_attn_layer_norm")
    return (
        tensors | linear(f"{name}.fc1", INNER, D) | linear(f"{name}.fc2", D, INNER) | norm(f"{name}.final_layer_norm")
    )


def bart():
    """A BartForConditionalGeneration."""
    tensors = {"shared.weight": torch.randn(V, D)}
    for stack, layers in (("encoder", 1), ("decoder", 2)):
        tensors[f"{stack}.embed_positions.weight"] = torch.randn(P + 2, D)
        tensors |= norm(f"{stack}.layernorm_embedding")
        for number in range(layers):
            tensors |= layer(f"{stack}.layers.{number}", stack == "decoder")
    return {f"model.{name}": tensor for name, tensor in tensors.items()} | {"final_logits_bias": torch.zeros(1, V)}


def marian():
    """A MarianMTModel: no norm behind the embeddings, no stored positions."""
    left_out = ("embed_positions", "layernorm_embedding")
    return {name: tensor for name, tensor in bart().items() if not any(part in name for part in left_out)}


class Published:
    """A published model's folder."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, tensors=None, generation=None, **changes):
        values = {key: value for key, value in (CONFIG | changes).items() if value is not None}
        (self.folder / "config.json").write_text(json.dumps(values))
        if generation is not None:
            (self.folder / "generation_config.json").write_text(json.dumps(generation))
        if tensors is not None:
            save_file(tensors, self.folder / "model.safetensors")
        return self.folder


@pytest.fixture
def published(tmp_path):
    torch.manual_seed(0)
    return Published(tmp_path)


def test_every_tensor_finds_its_place(published):
    tensors = bart()
    read = read_transformer(published.write(tensors))
    Transformer(read.config).load_state_dict(read.tensors)
    assert torch.equal(read.tensors["token_embedding.weight"], tensors["model.shared.weight"])
    # Two rows stand for no position.
    positions = tensors["model.decoder.embed_positions.weight"]
    assert torch.equal(read.tensors["decoder.position_embedding.weight"], positions[2:])
    for ours, theirs in (
        ("encoder.embedding_norm.weight", "model.encoder.layernorm_embedding.weight"),
        ("encoder.layers.0.attention.query.bias", "model.encoder.layers.0.self_attn.q_proj.bias"),
        ("decoder.layers.1.attention.output.weight", "model.decoder.layers.1.self_attn.out_proj.weight"),
        ("decoder.layers.1.cross_attention.value.weight", "model.decoder.layers.1.encoder_attn.v_proj.weight"),
        ("decoder.layers.0.cross_attention_norm.bias", "model.decoder.layers.0.encoder_attn_layer_norm.bias"),
        ("decoder.layers.0.feed_forward.inner.weight", "model.decoder.layers.0.fc1.weight"),
        ("decoder.layers.0.feed_forward_norm.weight", "model.decoder.layers.0.final_layer_norm.weight"),
    ):
        assert torch.equal(read.tensors[ours], tensors[theirs])
    config = read.config
    assert (config.start_id, config.end_id, config.pad_id, config.first_id) == (2, 2, 1, 0)
    assert (config.encoder_layers, config.decoder_layers, config.output_bias) == (1, 2, False)


def test_a_bias_of_the_output_is_read(published):
    bias = torch.randn(1, V)
    read = read_transformer(published.write(bart() | {"final_logits_bias": bias}))
    assert read.config.output_bias
    assert torch.equal(read.tensors["output_bias"], bias[0])


def test_settings_for_writing(published):
    generation = {
        "decoder_start_token_id": 5,
        "eos_token_id": [3],
        "max_length": 9,
        "bad_words_ids": [[7], [4, 4], [1]],
        "suppress_tokens": [9],
        "length_penalty": 2.0,
        "min_length": 0,
        "num_beams": 4,
        "no_repeat_ngram_size": 3,
    }
    read = read_transformer(published.write(bart(), generation))
    assert (read.config.start_id, read.config.end_id, read.config.first_id) == (5, 3, None)
    assert read.config.forbidden_ids == (1, 7, 9)
    assert read.max_target == 8
    assert read.wishes == {"length_penalty": 2.0, "no_repeat_ngram_size": 3, "bad_words_ids": [[4, 4]]}


@pytest.mark.parametrize("length", [None, 400, 1, "long", True])
def test_a_target_is_no_longer_than_the_positions(published, length):
    assert read_transformer(published.write(bart(), {"max_length": length})).max_target == P


def test_both_names_of_tied_tensors(published):
    tensors = bart()
    shared = tensors.pop("model.shared.weight")
    copies = ("lm_head.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight")
    read = read_transformer(published.write(tensors | {copy: shared.clone() for copy in copies}))
    assert torch.equal(read.tensors["token_embedding.weight"], shared)
    other = {"model.shared.weight": shared, "lm_head.weight": shared + 1}
    with pytest.raises(InputError, match=r"lm_head.weight differs from shared.weight .*one tensor"):
        read_transformer(published.write(tensors | other))


def test_missing_and_extra_tensors(published):
    tensors = bart()
    del tensors["model.decoder.layers.1.encoder_attn.k_proj.bias"]
    with pytest.raises(
        InputError, match=r"1 tensor is missing of the \d+ .*\(decoder.layers.1.encoder_attn.k_proj.bias\)"
    ):
        read_transformer(published.write(tensors))
    with pytest.raises(InputError, match=r"2 tensors are not part of such a model \(adapter.0, adapter.1\)"):
        read_transformer(published.write(bart() | {f"adapter.{number}": torch.zeros(1) for number in range(2)}))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("model.shared.weight", (V + 1, D)),
        ("model.encoder.embed_positions.weight", (P, D)),
        ("final_logits_bias", (V,)),
        ("model.decoder.layers.0.fc1.weight", (D, INNER)),
    ],
)
def test_wrong_shapes(published, name, shape):
    with pytest.raises(InputError, match=r"has the shape \(.*by config.json it should be"):
        read_transformer(published.write(bart() | {name: torch.zeros(shape)}))


def test_a_pickle_is_refused(published):
    folder = published.write()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02.")
    with pytest.raises(InputError, match=r"no model.safetensors beside it .*a pickle, and loading a pickle runs"):
        read_transformer(folder)


def test_damaged_weights(published):
    folder = published.write(bart())
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="damaged, or not safetensors"):
        read_transformer(folder)


def test_stored_sinusoids_have_to_be_sinusoids(published):
    changes = {"model_type": "marian", "decoder_start_token_id": 1}
    plain = read_transformer(published.write(marian(), **changes))
    angle = torch.arange(P)[:, None] / 10000 ** (torch.arange(0, D, 2) / D)
    table = torch.cat([angle.sin(), angle.cos()], dim=1)
    names = [f"model.{stack}.embed_positions.weight" for stack in ("encoder", "decoder")]
    stored = read_transformer(published.write(marian() | {name: table.clone() for name in names}, **changes))
    assert stored.tensors.keys() == plain.tensors.keys()
    learned = {name: table + number for number, name in enumerate(names, start=1)}
    with pytest.raises(InputError, match=r"embed_positions.weight is no table of sinusoids"):
        read_transformer(published.write(marian() | learned, **changes))


def test_the_order_of_the_features_changes_nothing_but_the_positions():
    torch.manual_seed(0)
    config = TransformerConfig(V, D, 2, 2, 2, INNER, max_length=P, positions="rotary", embedding_norm=True)
    model = Transformer(config).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    source, target = torch.randint(0, V, (2, 3, 7))
    expected = model(source, target)
    order = torch.randperm(D)
    model.load_state_dict(in_order(model.state_dict(), order))
    torch.testing.assert_close(model(source, target), expected)
    changed = in_order({"encoder.final_norm.weight": torch.arange(8)}, order)
    assert changed["encoder.final_norm.weight"].tolist() == order.tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": None}, "d_model is missing"),
        ({"encoder_layers": "six"}, r"encoder_layers = 'six' is not possible"),
        ({"dropout": 1.5}, "dropout = 1.5 is not possible"),
        ({"d_model": 9}, "heads must share the width evenly"),
        ({"decoder_ffn_dim": 32}, r"encoder_ffn_dim = 16 with decoder_ffn_dim = 32 cannot be read"),
        ({"decoder_attention_heads": 4}, r"encoder_attention_heads = 2 with decoder_attention_heads = 4"),
        ({"activation_function": "tanh"}, r"activation_function = 'tanh' cannot be read.*gelu_new"),
        ({"tie_word_embeddings": False}, r"tie_word_embeddings = false cannot be read .*one embedding"),
        ({"share_encoder_decoder_embeddings": False}, "share_encoder_decoder_embeddings = false cannot be read"),
        ({"decoder_vocab_size": 30}, "two vocabularies cannot be read"),
        ({"quantization_config": {"bits": 4}}, "a quantised model cannot be read"),
        ({"decoder_start_token_id": 99}, r"start_id = 99 is not in a vocabulary of 20"),
        ({"decoder_start_token_id": "</s>"}, r"decoder_start_token_id = '</s>' is not one piece"),
        ({"eos_token_id": [2, 3]}, r"eos_token_id = \[2, 3\] is not one piece"),
        ({"bad_words_ids": [["a"]]}, "bad_words_ids or suppress_tokens is not possible"),
        ({"model_type": "mbart", "decoder_start_token_id": None}, r"decoder_start_token_id is missing.*the language"),
    ],
)
def test_what_cannot_be_read_is_refused(published, changes, message):
    with pytest.raises(InputError, match=rf"config.json: .*{message}"):
        read_transformer(published.write(bart(), **changes))


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("t5", "positions as biases of the attention scores, norms without mean"),
        ("mt5", "norms without mean"),
        ("pegasus_x", "attention within blocks"),
        ("led", "attention within windows"),
        ("longformer", "attention within windows"),
        ("m2m_100", "sinusoidal positions of other frequencies"),
    ],
)
def test_families_without_a_counterpart_are_refused_with_the_reason(published, kind, part):
    folder = published.write(bart(), model_type=kind)
    assert not is_transformer(folder)
    with pytest.raises(InputError, match=rf"family '{kind}' cannot be read .*no counterpart of .*{part}.*bert.*bart"):
        read_model(folder)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"positions": "rotary"}, "no rotary positions"),
        ({"activation": "geglu"}, r"no gated feed-forward networks \(geglu\)"),
        ({"norm_eps": 1e-6}, "no norm_eps = 1e-06"),
        ({"positions": "rotary", "activation": "geglu"}, "no rotary positions and no gated"),
        (
            {"positions": "learned", "norm_first": False},
            "no post-norm layers and learned positions without a norm behind",
        ),
        ({"embedding_norm": True}, "no pre-norm layers and sinusoidal positions with a norm behind the embeddings"),
    ],
)
def test_models_without_a_counterpart_are_not_exported(tmp_path, changes, part):
    model = Transformer(TransformerConfig(V, D, 1, 1, 2, INNER, max_length=P, **changes))
    with pytest.raises(ConfigError, match=rf"no class of transformers computes .*its encoder-decoders have {part}"):
        write_transformer(model.config, model.state_dict(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_generate_is_told():
    config = TransformerConfig(V, D, first_id=6, forbidden_ids=(0, 2))
    values = generation_config(config, Decoding(beams=5, length_penalty=0.8, early_stopping="likely"), 40)
    assert (values["max_length"], values["num_beams"], values["length_penalty"]) == (41, 5, 0.8)
    assert values["early_stopping"] is False
    assert (values["decoder_start_token_id"], values["eos_token_id"], values["forced_bos_token_id"]) == (2, 3, 6)
    assert values["bad_words_ids"] == [[0], [2]]
    assert "do_sample" not in values
    drawn = generation_config(config, Decoding(temperature=0.5, top_k=3, top_p=0.9), 40)
    assert (drawn["do_sample"], drawn["temperature"], drawn["top_k"], drawn["top_p"]) == (True, 0.5, 3, 0.9)
