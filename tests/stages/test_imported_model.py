"""A pipeline that starts from a published model: as it is, and trained further."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tokenizers import Tokenizer as Published
from tokenizers import models, normalizers, pre_tokenizers, trainers

from bertpipe.models.bert import Bert
from bertpipe.models.checkpoint import write_tensors
from bertpipe.models.config import BertConfig
from bertpipe.models.encoder import TextEncoder
from bertpipe.models.heads import BertForPretraining
from bertpipe.models.imported import ImportedPooling, load_imported
from bertpipe.retrieval.encoder import Encoder
from bertpipe.text.hub_tokenizer import import_tokenizer
from bertpipe.text.sequences import padded, passage_sequence
from bertpipe.text.tokenizer import JSON_FILE, Tokenizer

DATA = Path(__file__).parents[2] / "data"
STEPS = ["corpus", "snapshot", "tokenize", "pretrain", "finetune", "embed", "index"]
BERT = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
TOML = """\
name = "tiny"

[corpus]
path = "docs"

[tokenize]
imported = "model"

[pretrain]
imported = "model"
steps = 0
length = 32
rows = 4
accelerator = "cpu"

[finetune]
steps = 0
batch_size = 8
passage_tokens = 48
accelerator = "cpu"
"""


@dataclass(frozen=True)
class Kind:
    """A kind of published model."""

    pieces: list[str]
    pooling: str


KINDS = {"bert": Kind(BERT, "mean"), "roberta": Kind(ROBERTA, "cls")}


def write_vocabulary(kind: Kind, folder: Path) -> None:
    """A vocabulary learned from the samples, in the files that such a model is published with."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(DATA.glob("sample_*/*"))]
    folder.mkdir()
    if kind.pieces is BERT:
        trained = Published(models.WordPiece(unk_token="[UNK]"))
        trained.normalizer = normalizers.BertNormalizer()
        trained.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=1300, special_tokens=BERT, show_progress=False)
        trained.train_from_iterator(texts, trainer)
        vocabulary = trained.get_vocab()
        words = sorted(vocabulary, key=lambda word: vocabulary[word])
        (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    else:
        trained = Published(models.BPE())
        trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=700, special_tokens=ROBERTA, initial_alphabet=alphabet, show_progress=False
        )
        trained.train_from_iterator(texts, trainer)
        trained.model.save(str(folder))


def write_model(kind: Kind, folder: Path, seed: int = 0) -> None:
    """What `bertpipe import` writes for a text encoder: a body without heads."""
    vocabulary = folder.with_name(f"vocabulary {folder.name}")
    if not vocabulary.exists():
        write_vocabulary(kind, vocabulary)
    tokenizer = import_tokenizer(vocabulary, folder)
    torch.manual_seed(seed)
    # More rows than pieces, as published models have that were padded to a round number.
    config = BertConfig(
        tokenizer.vocab_size + 3,
        width=32,
        layers=2,
        heads=2,
        inner=64,
        max_length=64,
        pad_id=tokenizer.pad_id,
        pooling="cls" if kind.pooling == "cls" else "weighted",
    )
    model = BertForPretraining(Bert(config))
    config.save(folder / "config.json")
    body = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("bert.")}
    write_tensors(body, folder / "model.safetensors")
    ImportedPooling(kind.pooling, True, 64).save(folder)


@pytest.fixture(scope="module", params=KINDS)
def built_once(request, tmp_path_factory, make_project):
    project = make_project(tmp_path_factory.mktemp(request.param) / "project")
    write_model(KINDS[request.param], project.folder / "model")
    project.file.write_text(TOML, encoding="utf-8")
    assert project.ran() == STEPS
    return project


@pytest.fixture
def project(built_once, tmp_path):
    return type(built_once)(shutil.copytree(built_once.folder, tmp_path / "project"))


def changed(project, old: str, new: str) -> None:
    text = project.file.read_text(encoding="utf-8")
    assert old in text
    project.file.write_text(text.replace(old, new), encoding="utf-8")


def test_vectors_are_those_of_the_imported_model(built_once):
    model, _ = load_imported(built_once.folder / "model")
    encoder = TextEncoder(model.bert).eval()
    tokenizer = Tokenizer(built_once.folder / "model")
    texts = ["How to brush the burrs", "羊毛衫要用冷水手洗", "😀"]
    sequences = [
        passage_sequence(tokenizer.encode("Wool"), tokenizer.encode(text), 48, tokenizer.special) for text in texts
    ]
    with torch.no_grad():
        expected = encoder(*map(torch.from_numpy, padded(sequences, tokenizer.pad_id))).numpy()
    found = Encoder(built_once.runs / "index" / "encoder").encode_passages([("Wool", text) for text in texts])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_search_works(built_once):
    assert (built_once.runs / "index" / "encoder" / JSON_FILE).is_file()
    for mode in ("dense", "hybrid", "bm25"):
        assert len(built_once.hits("how do I clean the grinder [MASK]", mode)) == 10


def test_search_loads_no_torch(built_once):
    index = str(built_once.runs / "index")
    code = (
        "import sys; from bertpipe.cli.main import invoke; "
        f"assert invoke(['search', '--index', {index!r}, '--mode', 'dense', 'water']) == 0; "
        "assert 'tokenizers' in sys.modules; "
        "assert not {'torch', 'sentencepiece', 'transformers', 'pydantic'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_search_without_the_library_says_so(built_once):
    index = str(built_once.runs / "index")
    code = (
        "import sys; sys.modules['tokenizers'] = None; from bertpipe.cli.main import invoke; "
        f"sys.exit(invoke(['search', '--index', {index!r}, '--mode', 'dense', 'water']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert 'pip install "bertpipe[hub]"' in done.stderr


def test_nothing_runs_twice(project):
    assert project.ran() == []


def test_other_weights_make_what_uses_them_stale(project):
    kind = KINDS["bert" if (project.folder / "vocabulary model" / "vocab.txt").exists() else "roberta"]
    write_model(kind, project.folder / "model", seed=1)
    status = {step["step"]: step for step in json.loads(project("status", "--json").out)["steps"]}
    assert status["tokenize"]["state"] == "fresh"
    assert status["pretrain"]["reasons"] == ["the files it reads changed"]
    before = project.digests()
    assert project.ran() == ["pretrain", "finetune", "embed", "index"]
    assert project.digests()["finetune"] != before["finetune"]


def test_another_tokenizer_makes_everything_stale(project):
    tokenizer = project.folder / "model" / JSON_FILE
    tokenizer.write_text(tokenizer.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert project.ran() == ["tokenize", "pretrain", "finetune", "embed", "index"]


def test_the_model_is_trained_further(project):
    before = load_file(project.runs / "finetune" / "model.safetensors")
    changed(project, "steps = 0", "steps = 4")
    done = project("run")
    assert done.code == 0, done.err
    assert "no head for masked words and the next sentence: a new one learns from the beginning" in done.err
    after = load_file(project.runs / "finetune" / "model.safetensors")
    pretrained = load_file(project.runs / "pretrain" / "model.safetensors")
    name = "bert.layers.0.attention.query.weight"
    assert 1e-6 < np.abs(pretrained[name] - before[name]).max() < 1e-3
    assert 1e-6 < np.abs(after[name] - pretrained[name]).max() < 1e-3
    metrics = {
        step: json.loads((project.runs / step / "manifest.json").read_text())["metrics"]
        for step in ("pretrain", "finetune")
    }
    assert metrics["pretrain"]["warm_start"] is False
    assert metrics["finetune"]["context_scale"] == 1.0
    assert metrics["finetune"]["steps"] == 4
    if "pooling.log_weight.weight" in after:
        # The pooling starts as the plain mean.
        assert np.abs(after["pooling.log_weight.weight"]).max() < 0.01
    assert len(project.hits("brush the burrs", "dense")) == 10


def test_the_tokenizer_alone(project):
    """A BERT of one's own may have an imported tokenizer."""
    changed(project, 'imported = "model"\nsteps = 0\n', 'preset = "tiny"\nwidth = 32\nsteps = 2\n')
    changed(project, "steps = 0", "steps = 2")
    assert project.ran() == ["pretrain", "finetune", "embed", "index"]
    config = json.loads((project.runs / "pretrain" / "config.json").read_text())
    assert config["pad_id"] == Tokenizer(project.folder / "model").pad_id
    assert project.hits("brush the burrs", "dense")


@pytest.mark.parametrize("built_once", ["bert"], indirect=True)
def test_without_a_step_a_model_of_ours_is_its_warm_start(project):
    changed(project, 'imported = "model"\nsteps = 0\n', 'preset = "tiny"\nwidth = 32\nsteps = 0\n')
    assert "finetune" in project.ran()
    metrics = json.loads((project.runs / "pretrain" / "manifest.json").read_text())["metrics"]
    assert metrics["steps"] == 0
    assert metrics["warm_start"] is True


@pytest.mark.parametrize("built_once", ["bert"], indirect=True)
def test_documents_that_are_all_held_out_need_no_training(project):
    for file in project.docs.iterdir():
        if file.name != "questions.jsonl":
            file.unlink()
    assert project("run", "--retrain").code == 0
    assert len(project.hits("part 3 of the machine", "hybrid")) == 10
    changed(project, "steps = 0", "steps = 2")
    assert "too little text to learn from" in project("run").error


@pytest.mark.parametrize("built_once", ["bert"], indirect=True)
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('[tokenize]\nimported = "model"', '[tokenize]\nimported = "gone"', r"gone: there is no imported model"),
        ('[tokenize]\nimported = "model"', '[tokenize]\nimported = "docs"', "has no tokenizer"),
        ('[tokenize]\nimported = "model"', "[tokenize]\nvocab_size = 1300", "Set tokenize.imported = 'model'"),
        ("[tokenize]", "[tokenize]\nvocab_size = 900", "vocab_size cannot be set for an imported tokenizer"),
        ("[tokenize]", '[tokenize]\ncase = "keep"', "case cannot be set for an imported tokenizer"),
        ("[pretrain]", "[pretrain]\nlayers = 2", "layers cannot be set for an imported model"),
        ("[pretrain]", '[pretrain]\npreset = "mini"', "preset cannot be set for an imported model"),
        ("[pretrain]", '[pretrain]\nwarm_start = "on"', "a warm start would undo"),
        ("steps = 0\nlength = 32", "steps = 1\nlength = 65", "more than the imported model's 64 tokens"),
        (
            "passage_tokens = 48",
            "passage_tokens = 65",
            "passage_tokens = 65 is more than the model can read.*Lower it to 64",
        ),
        ("steps = 0", "steps = -1", "greater than or equal to 0"),
    ],
)
def test_settings_that_do_not_go_together(project, old, new, message):
    changed(project, old, new)
    error = project("run").error
    assert message.split(".*")[0] in error
    assert message.split(".*")[-1] in error


@pytest.mark.parametrize("built_once", ["bert"], indirect=True)
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", JSON_FILE])
@pytest.mark.parametrize("kept", [None, 0, 0.5])
def test_damaged_models(project, name, kept):
    path = project.folder / "model" / name
    content = path.read_bytes()
    path.unlink() if kept is None else path.write_bytes(content[: int(len(content) * kept)])
    error = project("run").error
    assert name in error or (kept is None and "has no tokenizer" in error)
