import json

import pytest

from bertpipe.errors import InputError
from bertpipe.models.huggingface.importing import read_model


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("gelu", "gelu"), ("gelu_new", "gelu_tanh"), ("gelu_pytorch_tanh", "gelu_tanh"), ("relu", "relu")],
)
def test_activations(published, theirs, ours):
    assert read_model(published.write(published.body(), hidden_act=theirs)).config.activation == ours


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt2"}, r"family 'gpt2' cannot be read.*What can be read: bert, roberta, .*distilbert"),
        ({"model_type": None}, r"there is no model_type"),
        ({"position_embedding_type": "relative_key"}, r"position_embedding_type = 'relative_key'"),
        ({"hidden_act": "silu"}, r"hidden_act = 'silu' cannot be read.*gelu_new"),
        ({"hidden_size": None}, r"hidden_size is missing"),
        ({"hidden_size": "8"}, r"hidden_size = '8' is not possible"),
        ({"hidden_size": 8.5}, r"hidden_size = 8.5 is not possible"),
        ({"hidden_size": -8}, r"hidden_size = -8 is not possible"),
        ({"vocab_size": True}, r"vocab_size = True is not possible"),
        ({"layer_norm_eps": "tiny"}, r"layer_norm_eps = 'tiny'"),
        ({"hidden_dropout_prob": 1.5}, r"hidden_dropout_prob = 1.5"),
        ({"num_attention_heads": 3}, r"heads must share the width"),
        ({"num_attention_heads": 0}, r"heads = 0"),
        ({"type_vocab_size": 3}, r"type_vocab_size = 3 cannot be read .*two segments"),
        ({"type_vocab_size": "x"}, r"type_vocab_size = x"),
        ({"is_decoder": True}, r"a decoder cannot be read"),
        ({"quantization_config": {"bits": 4}}, r"a quantised model"),
        ({"model_type": "roberta", "hidden_act": "relu"}, r"hidden_act = 'relu' cannot be read"),
    ],
)
def test_other_models_are_refused(published, changes, message):
    with pytest.raises(InputError, match=message):
        read_model(published.write(published.body(), **changes))


def test_defaults(published):
    model = read_model(
        published.write(published.body(), hidden_act=None, layer_norm_eps=None, pad_token_id=None, type_vocab_size=None)
    )
    assert (model.config.activation, model.config.norm_eps, model.config.pad_id) == ("gelu", 1e-12, 0)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff\xfe", "[" * 100_000])
def test_a_broken_config(published, text):
    (published.folder / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"config.json"):
        read_model(published.folder)


def test_no_config(tmp_path):
    with pytest.raises(InputError, match=r"not a model in the layout of Hugging Face \(there is no config.json\)"):
        read_model(tmp_path)
    with pytest.raises(InputError, match="there is no such folder"):
        read_model(tmp_path / "nowhere")


def test_a_config_of_ours_is_not_one_of_theirs(published):
    (published.folder / "config.json").write_text(json.dumps({"vocab_size": 5, "width": 8}))
    with pytest.raises(InputError, match="there is no model_type"):
        read_model(published.folder)
