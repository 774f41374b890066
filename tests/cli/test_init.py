import itertools
import json
import re
import tomllib

import pytest

from bertpipe.cli.main import invoke
from bertpipe.pipeline.pipeline import load_pipeline
from bertpipe.pipeline.pipeline_file import find_pipeline, read_pipeline
from bertpipe.stages import stages_of


@pytest.fixture
def notes(tmp_path, monkeypatch):
    monkeypatch.delenv("BERTPIPE_PIPELINE", raising=False)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my notes"
    folder.mkdir()
    (folder / "a.md").write_text("# Title\n\nSome text about sorting.\n")
    (folder / "b.txt").write_text("More text.\n")
    return folder


def load(path):
    from bertpipe.stages import STAGES

    return load_pipeline(path, STAGES)


def test_what_init_writes_loads(notes, tmp_path, capsys):
    assert invoke(["init", "my notes"]) == 0, capsys.readouterr().err
    output = capsys.readouterr()
    assert output.out == "wrote bertpipe.toml for my notes: 1 .md, 1 .txt, 45 B\n"
    assert output.err == "next: bertpipe run\n"
    pipeline = load(find_pipeline(start=tmp_path))
    assert pipeline.name == "my-notes"
    assert pipeline.configs["corpus"].path == "my notes"
    assert pipeline.configs["pretrain"].budget == pipeline.configs["finetune"].budget == "4m"


def test_every_key_is_commented(notes):
    invoke(["init", "my notes"])
    before = "", ""
    keys = 0
    for line in (notes.parent / "bertpipe.toml").read_text().splitlines():
        if re.match(r"(# )?\w+ = ", line):
            keys += 1
            assert before[1].startswith("# "), line
            assert before[0] == "" or before[0].startswith(("#", "[")), line
        before = before[1], line
        assert len(line) <= 80, "it is read in a terminal"
    assert keys > 12


def test_commented_keys_exist(notes):
    """Keys that are written as comments are right as well."""
    (notes / "c.jsonl").write_text(json.dumps({"body": "a text", "n": 1}) + "\n")
    invoke(["init", "my notes", "--budget", "10h"])
    path = notes.parent / "bertpipe.toml"
    text = re.sub(r"(?m)^# (\w+ = )", r"\1", path.read_text())
    path.write_text(text)
    configs = load(path).configs
    assert configs["finetune"].pairs == "pairs.tsv"
    assert configs["corpus"].text_field == "body"


def test_fields_and_language(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "文章.jsonl"
    record = {"title": "标题", "content": "这是一篇关于操作系统的文章，内容很长。" * 5, 'odd "key"\n': "x"}
    source.write_text("\n".join(json.dumps(record | {"id": n}, ensure_ascii=False) for n in range(9)))
    assert invoke(["init", str(source), "--out", "sub.toml"]) == 0
    file = read_pipeline(tmp_path / "sub.toml")
    assert file.name == "文章"
    corpus = load(tmp_path / "sub.toml").configs["corpus"]
    assert (corpus.path, corpus.text_field, corpus.title_field) == (str(source), "content", "title")
    assert file.tables["tokenize"]["vocab_size"] == 8000
    text = (tmp_path / "sub.toml").read_text()
    assert "Chinese" in text
    assert "#   bertpipe run sub.toml\n" in text
    assert "#   bertpipe status -p sub.toml\n" in text


@pytest.mark.parametrize(("word", "vocab_size"), [("text", 8000), ("文章", 16000)])
def test_more_text_gets_a_larger_vocabulary(tmp_path, monkeypatch, word, vocab_size):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "much.txt").write_text(f"{word} " * 120_000)
    assert invoke(["init", "much.txt"]) == 0
    assert read_pipeline(tmp_path / "bertpipe.toml").tables["tokenize"]["vocab_size"] == vocab_size


@pytest.mark.parametrize("both", [True, False])
def test_two_chinese_scripts_and_how_to_read_them_alike(notes, both):
    """As a comment, since it needs a package; without them the file is as ever."""
    (notes / "c.txt").write_text(
        "龙头还在滴水，先关总阀。" * 9 + "龍頭還在滴水，先關總閥。" * 9 * both, encoding="utf-8"
    )
    invoke(["init", "my notes"])
    path = notes.parent / "bertpipe.toml"
    text = path.read_text(encoding="utf-8")
    assert ('\n# chinese = "simplified"\n' in text) == both
    assert "\n\n\n" not in text
    assert load(path).configs["tokenize"].chinese == "keep"
    path.write_text(text.replace("# chinese =", "chinese ="), encoding="utf-8")
    assert load(path).configs["tokenize"].chinese == ("simplified" if both else "keep")


def test_a_path_is_relative_to_the_file(notes, tmp_path):
    (tmp_path / "pipelines").mkdir()
    assert invoke(["init", "my notes", "--out", "pipelines/notes.toml"]) == 0
    assert tomllib.loads((tmp_path / "pipelines" / "notes.toml").read_text())["corpus"]["path"] == "../my notes"


def test_nothing_is_overwritten_without_force(notes, tmp_path, capsys):
    (tmp_path / "bertpipe.toml").write_text("mine")
    assert invoke(["init", "my notes"]) == 1
    assert capsys.readouterr().err == (
        "error: bertpipe.toml is there already. --force overwrites it, --out FILE writes another\n"
    )
    assert (tmp_path / "bertpipe.toml").read_text() == "mine"
    assert invoke(["init", "my notes", "--force"]) == 0
    assert (tmp_path / "bertpipe.toml").read_text() != "mine"


def test_folders_that_hold_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert invoke(["init", "empty"]) == 1
    assert "the folder is empty" in capsys.readouterr().err
    (tmp_path / "empty" / "photo.jpg").write_text("x")
    assert invoke(["init", "empty"]) == 1
    assert "there is only: 1 .jpg" in capsys.readouterr().err
    assert invoke(["init", "gone"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert invoke(["init", "empty", "--budget", "soon"]) == 2
    assert not (tmp_path / "bertpipe.toml").exists()


@pytest.fixture
def imported(notes):
    """A folder that looks like an imported model."""
    folder = notes.parent / "models" / "small"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"vocab_size": 9, "max_length": 512}')
    (folder / "pooling.json").write_text('{"pooling": "mean", "normalize": true, "longest_text": 128}')
    for name in ("model.safetensors", "tokenizer.json"):
        (folder / name).touch()
    return folder


def test_an_imported_model(notes, imported):
    (notes.parent / "pipelines").mkdir()
    assert invoke(["init", "my notes", "--model", "models/small", "--out", "pipelines/notes.toml"]) == 0
    path = notes.parent / "pipelines" / "notes.toml"
    configs = load(path).configs
    assert configs["tokenize"].imported == configs["pretrain"].imported == "../models/small"
    assert configs["pretrain"].steps == configs["finetune"].steps == 0
    assert (configs["finetune"].query_tokens, configs["finetune"].passage_tokens) == (64, 128)
    # What is commented out is right as well, and adapts the model instead.
    text = re.sub(r"(?m)^# (\w+ = )", r"\1", path.read_text())
    path.write_text(text.replace("steps = 0\n", ""))
    configs = load(path).configs
    assert configs["pretrain"].steps is None
    assert configs["pretrain"].budget == configs["finetune"].budget == "4m"
    assert configs["finetune"].pairs == "pairs.tsv"


def test_every_key_is_commented_with_a_model_too(notes, imported):
    invoke(["init", "my notes", "--model", str(imported)])
    test_lines = (notes.parent / "bertpipe.toml").read_text().splitlines()
    keys = [place for place, line in enumerate(test_lines) if re.match(r"(# )?\w+ = ", line)]
    assert len(keys) > 12
    assert all(test_lines[place - 1].startswith("# ") for place in keys)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_what_is_not_an_imported_model(notes, imported, capsys, missing):
    (imported / missing).unlink()
    assert invoke(["init", "my notes", "--model", "models/small"]) == 1
    error = capsys.readouterr().err
    assert error == (
        f"error: models/small is not an imported model (there is no {missing}). Read one with `bertpipe import`.\n"
    )
    assert not (notes.parent / "bertpipe.toml").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"longest_text": "long"}'])
def test_a_damaged_model(notes, imported, capsys, content):
    (imported / "pooling.json").write_text(content)
    assert invoke(["init", "my notes", "--model", "models/small"]) == 1
    assert capsys.readouterr().err.startswith("error: models/small/pooling.json is not of an imported model (")


EXAMPLES = {
    "classification": ("reviews.csv", "review,sentiment\nfine,good\npoor,bad\n"),
    "similarity": ("pairs.tsv", "sentence1\tsentence2\tscore\na b\tc d\t1.5\n"),
    "tagging": ("names.conll", "Ann\tB-PER\nruns\tO\n"),
    "question-answering": ("questions.json", '{"data": []}'),
}


@pytest.mark.parametrize("task", EXAMPLES)
@pytest.mark.parametrize("start", ["--model", "--corpus"])
def test_tasks_that_understand(notes, capsys, task, start):
    name, text = EXAMPLES[task]
    (notes.parent / name).write_text(text)
    model = notes.parent / "minilm"
    model.mkdir()
    (model / "model.safetensors").touch()
    given = "minilm" if start == "--model" else "my notes"
    assert invoke(["init", name, "--task", task, start, given]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out == f"wrote bertpipe.toml for {name}: {task}\n"
    path = find_pipeline(start=notes.parent)
    stages = stages_of(path)
    assert len(stages) == (1 if start == "--model" else 5)
    lines = path.read_text().splitlines()
    assert max(map(len, lines)) <= 80
    for before, line in itertools.pairwise(lines):
        assert not re.match(r"(# )?\w+ = ", line) or before.startswith(("# ", "text_field", "pair_field")), line
    # Keys that are written as comments are right as well.
    path.write_text(re.sub(r"(?m)^# (\w+ = )", r"\1", path.read_text()))
    config = load_pipeline(path, stages).configs["finetune"]
    assert config.data == name
    if task == "classification":
        assert (config.text_field, config.label_field) == ("review", "sentiment")
    if task == "similarity":
        assert (config.text_field, config.pair_field, config.score_field) == ("sentence1", "sentence2", "score")
    if start == "--model":
        assert config.model == "minilm"
    else:
        assert load_pipeline(path, stages).configs["corpus"].path == "my notes"


def test_a_classifier_learns_its_language_from_its_own_texts(notes):
    (notes.parent / "reviews.csv").write_text(EXAMPLES["classification"][1])
    assert invoke(["init", "reviews.csv", "--task", "classification"]) == 0
    path = find_pipeline(start=notes.parent)
    corpus = load_pipeline(path, stages_of(path)).configs["corpus"]
    assert (corpus.path, corpus.text_field) == ("reviews.csv", "review")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["names.conll", "--task", "tagging"], "Name a model with --model, or text with --corpus"),
        (["names.conll", "--task", "question-answering", "--label-field", "x"], "fields have no names"),
        (["names.conll", "--task", "tagging", "--model", "my notes"], "my notes holds no model"),
        (["names.conll", "--task", "tagging", "--model", "x", "--corpus", "y"], "--model and --corpus are both given"),
        (["plain.csv", "--task", "classification"], "the fields are a, b, c"),
        (["plain.csv", "--task", "similarity", "--text-field", "a"], "Name them with --text-field, --label-field"),
        (["missing.csv", "--task", "classification"], "missing.csv: there is no such file"),
        (["plain.csv", "--task", "classification", "--targets", "x"], "--targets and --title-field are for tasks"),
        (["my notes", "--label-field", "x"], "are for --task classification, tagging, similarity"),
        (["plain.csv", "--task", "translation", "--model", "x"], "--model is not for translation"),
    ],
)
def test_what_init_cannot_guess_for_tasks_that_understand(notes, capsys, arguments, words):
    (notes.parent / "names.conll").write_text(EXAMPLES["tagging"][1])
    (notes.parent / "plain.csv").write_text("a,b,c\n1,2,3\n")
    assert invoke(["init", *arguments]) == 1
    assert words in capsys.readouterr().err
    assert not (notes.parent / "bertpipe.toml").exists()
