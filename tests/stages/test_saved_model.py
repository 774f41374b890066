import json
import shutil

import numpy as np
import pytest
import torch

from bertpipe.cli.main import invoke
from bertpipe.errors import ArtefactError
from bertpipe.models.checkpoint import load_encoder, load_pretrained
from bertpipe.models.huggingface.importing import import_model, read_model
from bertpipe.pipeline.artefact import Artefact
from bertpipe.retrieval.encoder import Encoder
from bertpipe.stages.saved_model import SavedModel

TEXTS = ["clean the grinder", "怎样清洗加湿器", "bread 🍞 and\ttea", "a"]


def test_the_encoder_of_a_pipeline(built, tmp_path):
    done = built("export", "--to", "hf", str(tmp_path / "out"), "--json")
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert facts["architecture"] == "BertModel"
    assert facts["modules"] == ["Transformer", "WordWeights", "Pooling", "Normalize"]
    assert facts["left_out"] == []
    assert facts["model"] == str(built.runs / "finetune")
    length = json.loads((tmp_path / "out" / "sentence_bert_config.json").read_text())
    assert length["max_seq_length"] == 48
    ours = load_encoder(built.runs / "finetune").state_dict()
    table = json.loads((tmp_path / "out" / "1_WordWeights" / "config.json").read_text())
    weights = torch.tensor([table["word_weights"][piece] for piece in table["vocab"]])
    torch.testing.assert_close(weights, ours["pooling.log_weight.weight"].exp()[:, 0], atol=0, rtol=0)


def test_a_pretrained_bert_goes_out_and_comes_back(built, tmp_path):
    saved = SavedModel.open(built.runs / "pretrain")
    out, back = tmp_path / "out", tmp_path / "back"
    out.mkdir(), back.mkdir()
    written = saved.to_transformers(out)
    assert (written.architecture, written.modules, written.left_out) == ("BertForPreTraining", (), ())
    ours = load_pretrained(built.runs / "pretrain")
    assert written.parameters == sum(parameter.numel() for parameter in ours.parameters())
    found = import_model(out, back)
    assert found.heads == ("masked_language", "next_sentence")
    assert found.pooling is None
    assert found.config == ours.bert.config
    tensors = read_model(out).tensors
    assert all(torch.equal(tensors[name], tensor) for name, tensor in ours.state_dict().items())
    again = SavedModel.open(back)
    assert again.kind == "imported"
    (tmp_path / "twice").mkdir()
    again.to_transformers(tmp_path / "twice")
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "twice" / name).read_bytes() == (out / name).read_bytes(), name


def test_the_graph_of_a_pipeline_is_its_encoder(built, tmp_path):
    done = built("export", "--to", "onnx", str(tmp_path / "graph"))
    assert done.code == 0, done.err
    expected = Encoder(built.runs / "finetune" / "encoder").encode_queries(TEXTS)
    np.testing.assert_array_equal(Encoder(tmp_path / "graph").encode_queries(TEXTS), expected)


def test_the_graph_of_an_imported_model(built, tmp_path, capsys):
    SavedModel.open(built.runs / "pretrain").to_transformers(_made(tmp_path / "out"))
    imported, graph = tmp_path / "imported", tmp_path / "graph"
    assert invoke(["import", str(tmp_path / "out"), "-o", str(imported)]) == 0, capsys.readouterr().err
    assert invoke(["export", str(imported), "--to", "onnx", str(graph)]) == 0, capsys.readouterr().err
    encoder = Encoder(graph)
    ids = [encoder.tokenizer.cls_id, *encoder.tokenizer.encode(TEXTS[0]), encoder.tokenizer.sep_id]
    bert = load_pretrained(built.runs / "pretrain").bert.eval()
    with torch.no_grad():
        mean = torch.nn.functional.normalize(bert(torch.tensor([ids]))[0].mean(0), dim=0)
    np.testing.assert_allclose(encoder.encode_queries(TEXTS[:1])[0], mean.numpy(), atol=1e-5)


def test_a_pretrained_bert_is_no_text_encoder(built, tmp_path):
    done = built("export", "--to", "onnx", str(tmp_path / "x"))
    assert done.code == 0
    with pytest.raises(ArtefactError, match=r"is no text encoder .*Export the finetune step"):
        SavedModel.open(built.runs / "pretrain").to_onnx(tmp_path)


def test_other_folders_hold_no_model(built, tmp_path):
    for step in ("tokenize", "embed", "index"):
        with pytest.raises(ArtefactError, match=rf"holds no model \(it is of the step {step}\)"):
            SavedModel.open(built.runs / step)
    with pytest.raises(ArtefactError, match=r"holds no model\. It is a folder that"):
        SavedModel.open(tmp_path)
    with pytest.raises(ArtefactError, match="there is no model at"):
        SavedModel.open(tmp_path / "nowhere")


def test_a_model_for_another_task(project):
    folder = project.runs / "finetune"
    manifest = json.loads((folder / "manifest.json").read_text())
    shutil.rmtree(folder / "encoder")
    manifest["outputs"] = {name: one for name, one in manifest["outputs"].items() if not name.startswith("encoder")}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtefactError, match="holds no text encoder"):
        SavedModel.open(folder)


def test_a_tokenizer_that_has_changed_since(project):
    shutil.rmtree(project.runs / "tokenize")
    with pytest.raises(ArtefactError, match="does not exist"):
        SavedModel.open(project.runs / "pretrain")
    shutil.copytree(project.runs / "corpus", project.runs / "tokenize")
    with pytest.raises(ArtefactError, match="was trained with another tokenizer"):
        SavedModel.open(project.runs / "pretrain")


def test_damaged_artefacts(project, tmp_path):
    place = str(tmp_path / "out")
    (project.runs / "finetune" / "model.safetensors").write_bytes(b"short")
    assert "file model.safetensors is damaged" in project("export", "--to", "hf", place).error
    shutil.rmtree(project.runs / "finetune")
    assert "there is no model at" in project("export", "--to", "hf", place).error
    assert not (tmp_path / "out").exists()


@pytest.mark.peer
def test_transformers_and_sentence_transformers_agree(built, tmp_path):
    transformers = pytest.importorskip("transformers")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    saved = SavedModel.open(built.runs / "finetune")
    saved.to_transformers(_made(tmp_path / "encoder"))
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path / "encoder"), device="cpu").encode(TEXTS)
    ours = Encoder(built.runs / "finetune" / "encoder").encode_passages([("", text) for text in TEXTS])
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
    SavedModel.open(built.runs / "pretrain").to_transformers(_made(tmp_path / "bert"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "bert")
    model = transformers.BertForPreTraining.from_pretrained(tmp_path / "bert").eval()
    batch = tokenizer(["clean the grinder", "加湿器"], ["it is 🍞", "b"], return_tensors="pt", padding=True)
    assert batch["token_type_ids"].any()
    pretrained = load_pretrained(built.runs / "pretrain").eval()
    with torch.no_grad():
        result = model(**batch)
        hidden = pretrained.bert(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
        mlm = pretrained.masked_language(hidden, pretrained.bert.token_embedding.weight)
        nsp = pretrained.next_sentence(hidden[:, 0]).flip(1)
    real = batch["attention_mask"].bool()
    torch.testing.assert_close(mlm[real], result.prediction_logits[real], atol=1e-5, rtol=0)
    torch.testing.assert_close(nsp, result.seq_relationship_logits, atol=1e-5, rtol=0)


def test_it_was_the_artefact_that_was_opened(built):
    assert SavedModel.open(built.runs / "finetune").tokenizer == built.runs / "finetune" / "encoder" / "tokenizer.model"
    pretrained = SavedModel.open(built.runs / "pretrain")
    assert pretrained.tokenizer.parent.samefile(Artefact.open(built.runs / "tokenize").folder)


def _made(folder):
    folder.mkdir()
    return folder
