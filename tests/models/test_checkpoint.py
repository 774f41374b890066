from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from bertpipe.errors import ArtefactError
from bertpipe.models.bert import Bert
from bertpipe.models.checkpoint import load_encoder, load_pretrained, save_model
from bertpipe.models.config import BertConfig
from bertpipe.models.encoder import TextEncoder
from bertpipe.models.heads import BertForPretraining

CONFIG = BertConfig(vocab_size=20, width=8, layers=1, heads=2, inner=16, max_length=12)


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
