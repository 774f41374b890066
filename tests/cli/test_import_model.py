import json

import pytest
import torch
from safetensors.torch import save_file

from bertpipe.cli import import_model
from bertpipe.cli.main import invoke

V, D = 12, 8
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "##s", "c", "a", "t"]


def linear(name, rows, columns):
    return {f"{name}.weight": torch.randn(rows, columns), f"{name}.bias": torch.randn(rows)}


def norm(name):
    return {f"{name}.weight": torch.ones(D), f"{name}.bias": torch.zeros(D)}


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A published BERT of one layer, with its vocabulary; the current folder is beside it."""
    torch.manual_seed(0)
    folder = tmp_path / "tiny-bert"
    folder.mkdir()
    layer = "encoder.layer.0"
    tensors = {
        "embeddings.word_embeddings.weight": torch.randn(V, D),
        "embeddings.position_embeddings.weight": torch.randn(16, D),
        "embeddings.token_type_embeddings.weight": torch.randn(2, D),
        **norm("embeddings.LayerNorm"),
        **linear(f"{layer}.attention.self.query", D, D),
        **linear(f"{layer}.attention.self.key", D, D),
        **linear(f"{layer}.attention.self.value", D, D),
        **linear(f"{layer}.attention.output.dense", D, D),
        **norm(f"{layer}.attention.output.LayerNorm"),
        **linear(f"{layer}.intermediate.dense", 16, D),
        **linear(f"{layer}.output.dense", D, 16),
        **norm(f"{layer}.output.LayerNorm"),
    }
    save_file(tensors, folder / "model.safetensors")
    config = {
        "model_type": "bert",
        "vocab_size": V,
        "hidden_size": D,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "max_position_embeddings": 16,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    monkeypatch.chdir(tmp_path)
    return folder


def error(capsys, *arguments):
    assert invoke(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_the_model_goes_to_models(source, capsys):
    assert invoke(["import", "tiny-bert"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("wrote models/tiny-bert: bert, 856 parameters\n")
    assert err == ""
    made = source.parent / "models" / "tiny-bert"
    assert sorted(path.name for path in made.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert [path.name for path in made.parent.iterdir()] == ["tiny-bert"]


def test_json(source, capsys):
    assert invoke(["import", str(source), "-o", "here", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["folder"] == "here"
    assert (facts["family"], facts["layers"], facts["width"], facts["heads"]) == ("bert", 1, 8, 2)
    assert (facts["vocab_size"], facts["max_length"], facts["trained_heads"]) == (12, 16, [])
    assert facts["pooling"] is None


def test_text_encoders_say_how_they_pool(source, capsys):
    kinds = ["Transformer", "Pooling", "Normalize"]
    modules = [{"path": f"{number}" if number else "", "type": f"a.b.{kind}"} for number, kind in enumerate(kinds)]
    (source / "modules.json").write_text(json.dumps(modules))
    (source / "1").mkdir()
    (source / "1" / "config.json").write_text('{"pooling_mode": "cls"}')
    prompts = {"prompts": {"query": "ask\x1b[31m: "}}
    (source / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    assert invoke(["import", "tiny-bert"]) == 0
    out, err = capsys.readouterr()
    assert "vector of [CLS], texts of up to 16 tokens" in out
    assert "\x1b" not in err
    assert "none is put there" in err
    pooling = json.loads((source.parent / "models" / "tiny-bert" / "pooling.json").read_text())
    assert pooling == {"pooling": "cls", "normalize": True, "longest_text": 16}


def test_nothing_is_overwritten_unless_asked(source, capsys):
    assert invoke(["import", "tiny-bert"]) == 0
    capsys.readouterr()
    assert "--force replaces it" in error(capsys, "import", "tiny-bert")
    assert invoke(["import", "tiny-bert", "--force"]) == 0
    capsys.readouterr()
    other = source.parent / "other"
    other.mkdir()
    (other / "diary.txt").touch()
    assert "holds no model" in error(capsys, "import", "tiny-bert", "-o", str(other), "--force")


@pytest.mark.parametrize("place", ["tiny-bert", "tiny-bert/inside", "."])
def test_the_source_is_never_replaced(source, capsys, place):
    before = sorted(path.name for path in source.iterdir())
    assert "in the place of tiny-bert" in error(capsys, "import", "tiny-bert", "-o", place, "--force")
    assert sorted(path.name for path in source.iterdir()) == before


def test_who_reads_what_was_written_may_have_gone(source, monkeypatch):
    def gone(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr(import_model, "_show", gone)
    assert invoke(["import", "tiny-bert", "-o", "one"]) != 0
    assert (source.parent / "one" / "config.json").is_file()


def test_after_an_error_there_is_nothing(source, capsys):
    (source / "vocab.txt").unlink()
    assert "tokenizer" in error(capsys, "import", "tiny-bert")
    assert not (source.parent / "models").exists() or not any((source.parent / "models").iterdir())


def test_a_tokenizer_of_another_model(source, capsys):
    (source / "vocab.txt").write_text("\n".join([*WORDS, "more"]) + "\n")
    assert "the tokenizer has 13 pieces, the model vectors for 12" in error(capsys, "import", "tiny-bert")


def test_lower_case_that_nobody_would_do(source, capsys):
    (source / "modules.json").write_text('[{"path": "", "type": "x.Transformer"}, {"path": "p", "type": "x.Pooling"}]')
    (source / "p").mkdir()
    (source / "p" / "config.json").write_text("{}")
    (source / "sentence_bert_config.json").write_text('{"do_lower_case": true}')
    (source / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    (source / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "case", "Case"]) + "\n")
    assert "do_lower_case cannot be followed" in error(capsys, "import", "tiny-bert")
    (source / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    assert invoke(["import", "tiny-bert"]) == 0


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a b"])
def test_a_folder_that_is_not_there(source, capsys, name):
    assert "there is no such folder" in error(capsys, "import", name)


def test_a_name_of_the_hub_without_the_package(source, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    assert "needs the package huggingface_hub" in error(capsys, "import", "team/model")


def test_a_pickle_and_another_family(source, capsys):
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    assert "pickle" in error(capsys, "import", "tiny-bert")
    (source / "config.json").write_text('{"model_type": "deberta"}')
    assert "family 'deberta' cannot be read" in error(capsys, "import", "tiny-bert")


def test_usage(capsys):
    assert invoke(["import"]) == 2
    assert invoke(["export", "x"]) == 2
    assert invoke(["export", "x", "--to", "pt", "y"]) == 2
    assert invoke(["export", "x", "-p", "y.toml", "--to", "hf", "z"]) == 2
