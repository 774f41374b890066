import json

import pytest
import torch

from bertpipe.errors import InputError
from bertpipe.models.huggingface.importing import read_model
from bertpipe.models.huggingface.sentence_encoder import write_sentence_encoder
from bertpipe.models.imported import ImportedPooling


def test_a_plain_bert_is_no_text_encoder(published):
    assert read_model(published.write(published.body())).encoder is None


@pytest.mark.parametrize(
    ("pooling", "mode"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": ["mean"]}, "mean"),
        ({"word_embedding_dimension": 8}, "mean"),
    ],
)
def test_poolings(published, pooling, mode):
    published.write(published.body())
    model = read_model(published.sentence(pooling=pooling, max_seq_length=10))
    assert model.encoder is not None
    assert model.encoder.pooling == ImportedPooling(mode, True, 10)
    assert model.config.pooling == {"mean": "weighted", "cls": "cls"}[mode]


@pytest.mark.parametrize(
    ("pooling", "words"),
    [
        ({"pooling_mode_max_tokens": True}, "the pooling max"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, r"the pooling cls \+ mean"),
        ({"pooling_mode": "weightedmean"}, "the pooling weightedmean"),
        ({"pooling_mode": 3}, "the pooling 3"),
    ],
)
def test_other_poolings_are_refused(published, pooling, words):
    published.write(published.body())
    with pytest.raises(InputError, match=rf"{words} cannot be read .*mean of all token vectors"):
        read_model(published.sentence(pooling=pooling))


def test_without_normalize(published):
    published.write(published.body())
    encoder = read_model(published.sentence(("Transformer", "Pooling"))).encoder
    assert encoder is not None
    assert encoder.pooling == ImportedPooling("mean", False, 12)


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (("Transformer", "Pooling", "Dense"), "we have no Dense behind a BERT"),
        (("Transformer", "WordWeights", "Pooling"), "we have no WordWeights"),
        (("Transformer",), "the order is another"),
        (("Transformer", "Normalize", "Pooling"), "the order is another"),
    ],
)
def test_other_modules_are_refused(published, kinds, words):
    published.write(published.body())
    with pytest.raises(InputError, match=words):
        read_model(published.sentence(kinds))


def test_lengths_longer_than_the_model_are_cut(published):
    published.write(published.body())
    encoder = read_model(published.sentence(max_seq_length=512, do_lower_case=True)).encoder
    assert encoder is not None
    assert encoder.pooling.longest_text == 12
    assert encoder.lower_case
    (published.folder / "sentence_bert_config.json").write_text("{}")
    (published.folder / "tokenizer_config.json").write_text('{"model_max_length": 7}')
    encoder = read_model(published.folder).encoder
    assert encoder is not None
    assert encoder.pooling.longest_text == 7
    (published.folder / "sentence_bert_config.json").write_text('{"max_seq_length": "long"}')
    with pytest.raises(InputError, match="max_seq_length = 'long'"):
        read_model(published.folder)


def test_prompts_are_told(published):
    published.write(published.body())
    published.sentence()
    facts = {"prompts": {"query": "query: ", "document": ""}}
    (published.folder / "config_sentence_transformers.json").write_text(json.dumps(facts))
    encoder = read_model(published.folder).encoder
    assert encoder is not None
    assert encoder.prompts == {"query": "query: "}


def test_a_bert_in_a_folder_of_its_own(published):
    published.write(published.body())
    inner = published.folder / "0_Transformer"
    inner.mkdir()
    for name in ("config.json", "model.safetensors"):
        (published.folder / name).rename(inner / name)
    published.sentence()
    modules = json.loads((published.folder / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (published.folder / "modules.json").write_text(json.dumps(modules))
    assert read_model(published.folder).folder == inner
    modules[0]["path"] = "../elsewhere"
    (published.folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(InputError, match="outside of its folder"):
        read_model(published.folder)


@pytest.mark.parametrize("text", ["{}", "[1]", "", "null"])
def test_broken_modules(published, text):
    published.write(published.body())
    (published.folder / "modules.json").write_text(text)
    with pytest.raises(InputError, match=r"modules.json|the modules"):
        read_model(published.folder)


@pytest.mark.parametrize("pooling", [ImportedPooling("mean", True, 9), ImportedPooling("cls", False, 11)])
def test_what_is_written_is_read_again(published, pooling):
    folder = published.write(published.body())
    modules = write_sentence_encoder(folder, 8, pooling)
    assert modules == (("Transformer", "Pooling", "Normalize") if pooling.normalize else ("Transformer", "Pooling"))
    encoder = read_model(folder).encoder
    assert encoder is not None
    assert encoder.pooling == pooling


def test_piece_weights_are_a_module_of_their_own(published):
    folder = published.write(published.body())
    weights = torch.tensor([0.1, 2.0, 0.3])
    modules = write_sentence_encoder(folder, 8, ImportedPooling("mean", True, 9), ["a", "A", "[CLS]"], weights)
    assert modules == ("Transformer", "WordWeights", "Pooling", "Normalize")
    table = json.loads((folder / "1_WordWeights" / "config.json").read_text())
    assert torch.equal(torch.tensor([table["word_weights"][word] for word in table["vocab"]]), weights)
