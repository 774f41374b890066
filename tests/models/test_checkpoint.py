from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from bertpipe.errors import ArtefactError
from bertpipe.models.bert import Bert
from bertpipe.models.checkpoint import load_encoder, load_pretrained, load_transformer, save_model
from bertpipe.models.config import BertConfig
from bertpipe.models.encoder import TextEncoder
from bertpipe.models.heads import BertForPretraining
from bertpipe.models.transformer import Transformer
from bertpipe.models.transformer_config import TransformerConfig

CONFIG = BertConfig(vocab_size=20, width=8, layers=1, heads=2, inner=16, max_length=12)
SHAPE = TransformerConfig(
    vocab_size=20, width=8, encoder_layers=1, decoder_layers=1, heads=2, inner=16, max_length=12, positions="learned"
)


@pytest.fixture
def folder(tmp_path):
    save_model(BertForPretraining(Bert(CONFIG)), tmp_path)
    return tmp_path


@pytest.mark.parametrize("pooling", ["weighted", "cls"])
def test_round_trip(tmp_path, pooling):
    config = replace(CONFIG, pooling=pooling)
    encoder = TextEncoder(Bert(config))
    save_model(encoder, tmp_path)
    loaded = load_encoder(tmp_path)
    assert loaded.state_dict().keys() == encoder.state_dict().keys()
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert loaded.bert.config == config
    assert type(loaded.pooling) is type(encoder.pooling)


def test_another_model_is_refused(folder):
    with pytest.raises(ArtefactError, match=r"of another model.*lacks pooling\.log_weight"):
        load_encoder(folder)


def test_wrong_shape_is_refused(folder):
    weights = load_file(folder / "model.safetensors")
    weights["masked_language.bias"] = torch.zeros(21)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ArtefactError, match=r"masked_language.bias is \(21,\) instead of \(20,\)"):
        load_pretrained(folder)


def test_damaged_and_missing_files_are_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ArtefactError, match="is damaged"):
        load_pretrained(folder)
    path.unlink()
    with pytest.raises(ArtefactError, match="is missing"):
        load_pretrained(folder)


@pytest.fixture
def transformer(tmp_path):
    save_model(Transformer(SHAPE), tmp_path)
    return tmp_path


def change(folder, **tensors):
    """Writes some tensors over a model's; None removes one."""
    weights = load_file(folder / "model.safetensors") | tensors
    save_file({name: value for name, value in weights.items() if value is not None}, folder / "model.safetensors")


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_a_transformer_comes_back_as_it_was(tmp_path, norm_first, positions):
    model = Transformer(
        TransformerConfig(**{**SHAPE.__dict__, "norm_first": norm_first, "positions": positions, "output_bias": True})
    ).eval()
    save_model(model, tmp_path)
    loaded = load_transformer(tmp_path).eval()
    assert loaded.config == model.config
    ids = torch.randint(5, 20, (2, 7))
    assert torch.equal(loaded(ids, ids), model(ids, ids))
    # The embedding is the output matrix: it is on disk once, and tables that follow from the shape are not.
    names = load_file(tmp_path / "model.safetensors").keys()
    assert names == {name for name, _ in model.named_parameters()}


def test_a_transformer_that_lacks_a_tensor(transformer):
    change(transformer, **{"decoder.layers.0.cross_attention.key.weight": None})
    with pytest.raises(
        ArtefactError, match=r"of another model.*lacks decoder\.layers\.0\.cross_attention\.key\.weight"
    ):
        load_transformer(transformer)


def test_a_transformer_with_a_tensor_too_much(transformer):
    change(transformer, output_bias=torch.zeros(20))
    with pytest.raises(ArtefactError, match=r"of another model.*has output_bias too much"):
        load_transformer(transformer)


def test_a_transformer_of_another_shape(transformer):
    change(transformer, **{"token_embedding.weight": torch.zeros(21, 8)})
    with pytest.raises(ArtefactError, match=r"token_embedding.weight is \(21, 8\) instead of \(20, 8\)"):
        load_transformer(transformer)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_transformer_that_is_cut_off(transformer, kept):
    path = transformer / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ArtefactError, match=r"model\.safetensors is damaged"):
        load_transformer(transformer)


def test_a_bert_is_no_transformer_and_the_other_way_round(folder, transformer, tmp_path_factory):
    bert = tmp_path_factory.mktemp("bert")
    save_model(BertForPretraining(Bert(CONFIG)), bert)
    with pytest.raises(ArtefactError, match="is not the configuration of a Transformer"):
        load_transformer(bert)
    with pytest.raises(ArtefactError, match="is not the configuration of a BERT"):
        load_pretrained(transformer)


def test_a_pickle_is_never_loaded(transformer):
    """Files of torch.save are refused as what they are not."""
    torch.save(Transformer(SHAPE).state_dict(), transformer / "model.safetensors")
    with pytest.raises(ArtefactError, match="is damaged"):
        load_transformer(transformer)
