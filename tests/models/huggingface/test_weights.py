import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from bertpipe.errors import InputError
from bertpipe.models.bert import Bert
from bertpipe.models.heads import BertForPretraining
from bertpipe.models.huggingface.importing import read_model


def test_every_tensor_finds_its_place(published):
    tensors = published.whole()
    model = read_model(published.write(tensors))
    ours = BertForPretraining(Bert(model.config))
    assert model.tensors.keys() == ours.state_dict().keys()
    ours.load_state_dict(model.tensors)
    query = "bert.encoder.layer.1.attention.self.query.weight"
    assert torch.equal(ours.bert.layers[1].attention.query.weight, tensors[query])
    assert torch.equal(ours.next_sentence.pooler.weight, tensors["bert.pooler.dense.weight"])


def test_class_0_of_theirs_says_that_the_sentence_follows_and_class_1_of_ours(published):
    tensors = published.whole()
    model = read_model(published.write(tensors))
    theirs = tensors["cls.seq_relationship.weight"]
    assert torch.equal(model.tensors["next_sentence.classifier.weight"], theirs[[1, 0]])
    assert torch.equal(model.tensors["next_sentence.classifier.bias"], tensors["cls.seq_relationship.bias"][[1, 0]])


def test_heads_may_be_missing(published):
    bare = published.body()
    assert not any(
        name.startswith(("masked", "next_sentence.classifier")) for name in read_model(published.write(bare)).tensors
    )
    del bare["pooler.dense.weight"], bare["pooler.dense.bias"]
    assert all(name.startswith("bert.") for name in read_model(published.write(bare)).tensors)


def test_several_files(published):
    tensors = published.whole()
    folder = published.write()
    names = sorted(tensors)
    files = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in files.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    index = {"metadata": {}, "weight_map": {name: file for file, part in files.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    sharded = read_model(folder).tensors
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(InputError, match=r"model-00002-of-00002.safetensors: there is no such file .*index.json lists"):
        read_model(folder)
    assert all(torch.equal(sharded[name], one) for name, one in read_model(published.write(tensors)).tensors.items())


def test_an_index_cannot_lead_out_of_the_folder(published):
    folder = published.write()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../../secret"}}))
    with pytest.raises(InputError, match="outside of its folder"):
        read_model(folder)
    (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(InputError, match="weight_map is missing"):
        read_model(folder)


def test_old_names_and_buffers(published):
    tensors = published.body()
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): tensor for name, tensor in tensors.items()}
    old = {name.replace("LayerNorm.bias", "LayerNorm.beta"): tensor for name, tensor in old.items()}
    old["embeddings.position_ids"] = torch.arange(12)[None]
    expected = read_model(published.write(tensors)).tensors
    got = read_model(published.write(old)).tensors
    assert expected.keys() == got.keys()
    assert all(torch.equal(got[name], tensor) for name, tensor in expected.items())


def test_half_precision_is_read_as_float32(published):
    half = {name: tensor.half() for name, tensor in published.body().items()}
    tensors = read_model(published.write(half)).tensors
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}


def test_missing_tensors(published):
    tensors = published.whole()
    del tensors["bert.encoder.layer.1.output.dense.bias"]
    message = r"1 tensor is missing of the \d+ .*\(encoder.layer.1.output.dense.bias\)"
    with pytest.raises(InputError, match=message):
        read_model(published.write(tensors))
    for name in [name for name in tensors if "layer.0.attention" in name]:
        del tensors[name]
    with pytest.raises(InputError, match=r"11 tensors are missing .* \.\.\.\)"):
        read_model(published.write(tensors))


def test_half_a_head_is_missing_the_other_half(published):
    tensors = published.whole()
    del tensors["cls.predictions.bias"]
    with pytest.raises(InputError, match=r"1 tensor is missing .*cls.predictions.bias"):
        read_model(published.write(tensors))
    tensors = published.whole()
    del tensors["bert.pooler.dense.weight"], tensors["bert.pooler.dense.bias"]
    with pytest.raises(InputError, match=r"2 tensors are missing .*pooler.dense.bias, pooler.dense.weight"):
        read_model(published.write(tensors))


def test_extra_tensors(published):
    extra = {"classifier.weight": torch.zeros(3, 8), "classifier.bias": torch.zeros(3)}
    with pytest.raises(
        InputError, match=r"2 tensors are not part .*classifier.bias, classifier.weight.*head for another task"
    ):
        read_model(published.write(published.body() | extra))
    many = {f"adapter.{number}": torch.zeros(1) for number in range(9)}
    with pytest.raises(InputError, match=r"9 tensors are not part of such a model \(adapter.0, .*adapter.2 \.\.\.\)"):
        read_model(published.write(published.body() | many))


def test_too_many_layers_are_extra_tensors(published):
    with pytest.raises(InputError, match=r"16 tensors are not part .*encoder.layer.1.attention"):
        read_model(published.write(published.body(), num_hidden_layers=1))


def test_wrong_shapes_name_both(published):
    with pytest.raises(
        InputError, match=r"embeddings.word_embeddings.weight has the shape \(20, 8\) .*should be \(21, 8\)"
    ):
        read_model(published.write(published.body(), vocab_size=21))


def test_the_output_matrix_is_the_embedding(published):
    tensors = published.whole()
    expected = read_model(published.write(tensors)).tensors
    tied = tensors | {
        "cls.predictions.decoder.weight": tensors["bert.embeddings.word_embeddings.weight"].clone(),
        "cls.predictions.decoder.bias": tensors["cls.predictions.bias"].clone(),
    }
    assert read_model(published.write(tied)).tensors.keys() == expected.keys()
    # Which of two shared tensors was kept is not said anywhere.
    del tied["cls.predictions.bias"]
    assert torch.equal(
        read_model(published.write(tied)).tensors["masked_language.bias"], expected["masked_language.bias"]
    )
    tied["cls.predictions.decoder.weight"] = torch.randn(20, 8)
    with pytest.raises(InputError, match=r"decoder.weight differs from embeddings.word_embeddings.weight"):
        read_model(published.write(tied))


def test_a_pickle_is_refused_and_not_opened(published):
    folder = published.write()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04not opened")
    with pytest.raises(InputError, match=r"pytorch_model.bin: .*pickle.*runs whatever code.*save_pretrained"):
        read_model(folder)


def test_other_weights_and_none(published):
    folder = published.write()
    with pytest.raises(InputError, match="there are no weights"):
        read_model(folder)
    (folder / "tf_model.h5").touch()
    with pytest.raises(InputError, match="of another format"):
        read_model(folder)


def test_damaged_weights(published):
    folder = published.write(published.body())
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    for kept in (0, 5, 100, len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(InputError, match=r"model.safetensors: damaged, or not safetensors"):
            read_model(folder)


def test_quantised_weights(published):
    tensors = published.body()
    tensors["pooler.dense.weight"] = torch.zeros(8, 8, dtype=torch.int8)
    with pytest.raises(InputError, match=r"tensor pooler.dense.weight is of int8"):
        read_model(published.write(tensors))


def test_roberta_counts_positions_from_behind_padding(published):
    tensors = published.body(positions=14, types=1)
    model = read_model(
        published.write(tensors, model_type="roberta", max_position_embeddings=14, type_vocab_size=1, pad_token_id=1)
    )
    assert model.config.max_length == 12
    assert model.config.pad_id == 1
    assert torch.equal(
        model.tensors["bert.position_embedding.weight"], tensors["embeddings.position_embeddings.weight"][2:]
    )
    segments = model.tensors["bert.segment_embedding.weight"]
    assert torch.equal(segments, tensors["embeddings.token_type_embeddings.weight"].repeat(2, 1))


def test_distilbert_has_no_segments(published):
    renamed = {
        "encoder.layer": "transformer.layer",
        "attention.self.query": "attention.q_lin",
        "attention.self.key": "attention.k_lin",
        "attention.self.value": "attention.v_lin",
        "attention.output.dense": "attention.out_lin",
        "attention.output.LayerNorm": "sa_layer_norm",
        "intermediate.dense": "ffn.lin1",
        "output.dense": "ffn.lin2",
        "output.LayerNorm": "output_layer_norm",
    }
    tensors = {}
    for name, tensor in published.body().items():
        if not name.startswith(("pooler", "embeddings.token_type")):
            for old, new in renamed.items():
                name = name.replace(old, new)
            tensors[f"distilbert.{name}"] = tensor
    published.config = {
        "model_type": "distilbert",
        "vocab_size": 20,
        "dim": 8,
        "n_layers": 2,
        "n_heads": 2,
        "hidden_dim": 16,
        "max_position_embeddings": 12,
        "activation": "gelu",
    }
    model = read_model(published.write(tensors))
    assert torch.equal(model.tensors["bert.segment_embedding.weight"], torch.zeros(2, 8))
    second = "transformer.layer.1.ffn.lin2.weight"
    assert torch.equal(model.tensors["bert.layers.1.feed_forward.output.weight"], tensors[f"distilbert.{second}"])


def test_the_same_file_gives_the_same_bytes(published, tmp_path):
    from bertpipe.models.huggingface.exporting import write_model

    model = read_model(published.write(published.whole()))
    again = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_model(model.config, model.tensors, tmp_path / name)
        again.append((tmp_path / name / "model.safetensors").read_bytes())
    assert again[0] == again[1]
    written = load_file(tmp_path / "first" / "model.safetensors")
    given = load_file(published.folder / "model.safetensors")
    assert written.keys() == given.keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in given.items())
