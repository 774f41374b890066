import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from bertpipe.errors import ArtefactError
from bertpipe.models.bert import Bert
from bertpipe.models.checkpoint import save_model
from bertpipe.models.config import BertConfig
from bertpipe.models.heads import BertForPretraining
from bertpipe.models.imported import ImportedPooling, imported_pooling, load_imported

CONFIG = BertConfig(vocab_size=20, width=8, layers=1, heads=2, inner=16, max_length=12, activation="relu")


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_model(BertForPretraining(Bert(CONFIG)), tmp_path)
    return tmp_path


def without(folder, *parts):
    """The weights on disk without those that begin with a part."""
    tensors = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(parts)}
    save_file(kept, folder / "model.safetensors")
    return kept


@pytest.mark.parametrize(
    ("parts", "missing"),
    [
        ((), set()),
        (("masked_language.",), {"masked_language"}),
        (("next_sentence.",), {"next_sentence"}),
        (("next_sentence.classifier.",), {"next_sentence"}),
        (("next_sentence.", "masked_language."), {"next_sentence", "masked_language"}),
    ],
)
def test_heads_that_are_missing_are_new_and_named(folder, parts, missing):
    kept = without(folder, *parts) if parts else load_file(folder / "model.safetensors")
    model, new = load_imported(folder)
    assert new == missing
    assert model.bert.config == CONFIG
    state = model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in kept.items())


def test_new_heads_follow_the_seed(folder):
    without(folder, "masked_language.", "next_sentence.")
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(load_imported(folder)[0].masked_language.transform.weight)
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize("part", ["bert.embedding_norm.bias", "masked_language.bias", "next_sentence.pooler.bias"])
def test_a_hole_is_an_error(folder, part):
    without(folder, part)
    with pytest.raises(ArtefactError, match=rf"of another model .*lacks {part}.*bertpipe import"):
        load_imported(folder)


def test_extra_and_misshapen_tensors(folder):
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors | {"more": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(ArtefactError, match="has more too much"):
        load_imported(folder)
    save_file(tensors | {"masked_language.bias": torch.zeros(21)}, folder / "model.safetensors")
    with pytest.raises(ArtefactError, match=r"masked_language.bias is \(21,\) instead of \(20,\)"):
        load_imported(folder)


def test_missing_and_damaged_files(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtefactError, match="is damaged"):
        load_imported(folder)
    path.unlink()
    with pytest.raises(ArtefactError, match="is missing"):
        load_imported(folder)
    (folder / "config.json").unlink()
    with pytest.raises(ArtefactError, match="is not an imported model"):
        load_imported(folder)


def test_a_published_folder_is_not_an_imported_one(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": 8}))
    with pytest.raises(ArtefactError, match="not the configuration of a BERT of ours"):
        load_imported(folder)


def test_pooling(folder):
    assert imported_pooling(folder) == "mean"
    ImportedPooling("cls", False, 9).save(folder)
    assert imported_pooling(folder) == "cls"
    assert ImportedPooling.load(folder) == ImportedPooling("cls", False, 9)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pooling": "max", "normalize": true, "longest_text": 5}'])
def test_damaged_pooling(folder, text):
    (folder / "pooling.json").write_text(text)
    with pytest.raises(ArtefactError, match=r"pooling\.json is damaged"):
        imported_pooling(folder)
