"""A pipeline that learns to write, through the command line."""

import json
import signal

import pytest

STEPS = ["corpus", "snapshot", "tokenize", "pretrain", "finetune"]
AT_STEP = """
import os, signal
from bertpipe.training.sequence_pairs import SequencePairs
original = SequencePairs.batch
def batch(self, step):
    if step == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, step)
SequencePairs.batch = batch
"""


def few(project, *more):
    return project.run("--set", "finetune.steps=9", "--set", "pretrain.dropout=0.2", *more)


def settings_of(project):
    return json.loads((project.runs / "finetune" / "generator.json").read_text())


def test_the_run_is_complete(translation):
    steps = translation.run()
    assert {name: step["state"] for name, step in steps.items()} == dict.fromkeys(STEPS, "fresh")
    tokenized, pretrained, finetuned = (steps[name]["metrics"] for name in STEPS[2:])
    assert pretrained["objective"] == "none"
    assert finetuned["pairs"] == tokenized["train_documents"] < 120
    assert finetuned["parameters"] == pretrained["parameters"] > 20_000
    assert finetuned["steps"] == 150
    assert finetuned["epochs"] > 10
    assert finetuned["val_loss"] < 0.5
    folder = translation.runs / "finetune"
    names = {"config.json", "curve.jsonl", "generator.json", "manifest.json", "model.safetensors", "tokenizer.model"}
    assert {path.name for path in folder.iterdir()} == names
    assert settings_of(translation) == {"task": "translation", "max_source": 24, "max_target": 24, "by_sentence": True}
    curve = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    assert [point["step"] for point in curve] == list(range(15, 151, 15))


def test_a_run_killed_within_the_second_leg_ends_with_the_same_bytes(fresh_of, copy_of):
    project = fresh_of("translation")
    other = copy_of(project)
    keys = ("--set", "finetune.steps=9", "--set", "pretrain.dropout=0.2", "--set", "finetune.average=2")
    done = project.finish(project.start("run", *keys, before=AT_STEP))
    assert done.code == -signal.SIGKILL, done.err
    assert [path.name.split("-")[1] for path in project.runs.glob(".partial-*")] == ["finetune"]
    for one in (project, other):
        one.run(*keys)
    for name in ("model.safetensors", "curve.jsonl"):
        assert (project.runs / "finetune" / name).read_bytes() == (other.runs / "finetune" / name).read_bytes()


def test_dropout_can_be_another_than_the_pretrained_ones(fresh_of):
    project = fresh_of("translation")
    assert few(project)["finetune"]["state"] == "ran"

    def config():
        return json.loads((project.runs / "finetune" / "config.json").read_text())

    assert config()["dropout"] == 0.2
    before = (project.runs / "finetune" / "model.safetensors").read_bytes()
    steps = few(project, "--set", "finetune.dropout=0.0")
    assert [name for name, step in steps.items() if step["state"] == "ran"] == ["finetune"]
    assert config() | {"dropout": 0.2} == json.loads((project.runs / "pretrain" / "config.json").read_text())
    assert config()["dropout"] == 0.0
    assert (project.runs / "finetune" / "model.safetensors").read_bytes() != before


@pytest.mark.parametrize("task", ["translation", "summarization", "dialogue"])
def test_the_finetune_step_has_the_keys_of_its_task(fresh_of, task):
    project = fresh_of(task)
    done = project("finetune", "--help")
    assert done.code == 0
    text = " ".join(done.out.split())
    assert "--max-source N" in text
    assert "--pairs" not in text
    assert f"default: {400 if task == 'summarization' else 128}]" in text.partition("--max-source")[2][:120]
    assert "Teach the Transformer to" in text
    assert "--decoder-layers" in project("pretrain", "--help").out
    project.file.write_text(project.file.read_text().replace(f'task = "{task}"', 'task = "retrieval"'))
    assert "--pairs" in project("finetune", "--help").out
    assert "--decoder-layers" not in project("pretrain", "--help").out


def test_steps_of_other_tasks_are_not_there(translation):
    for step in ("embed", "index"):
        error = translation(step).error
        assert f"there is no step '{step}'. The steps are corpus, snapshot, tokenize, pretrain, finetune" in error
    error = translation("search", "water").error
    assert "is for translation and has no index" in error


def test_an_unknown_task(fresh_of):
    project = fresh_of("translation")
    text = project.file.read_text()
    for written, hint in (("translating", "Did you mean translation?"), ("x", "Known are retrieval, translation, ")):
        project.file.write_text("# mine\n" + text.replace('"translation"', f'"{written}"'))
        for command in ("run", "status", "finetune"):
            error = project(command).error
            assert error.startswith(f"{project.file}:2: there is no task '{written}'. {hint}")
        assert project("finetune", "--help").code == 0  # help is there even so


def test_keys_of_another_task_are_errors(fresh_of):
    project = fresh_of("translation")
    with project.file.open("a") as file:
        file.write("pairs = 'pairs.tsv'\n")
    assert "pairs" in project("run").error


def test_documents_without_titles_are_nothing_to_learn_from(fresh_of):
    project = fresh_of("summarization")
    with (project.docs / "papers.jsonl").open("w") as file:
        for number in range(40):
            file.write(json.dumps({"body": f"The red dog sees {number} birds.", "short": ""}) + "\n")
    error = project("run").error
    assert "there is nothing to learn from" in error
    assert "no document has both a text (the source) and a title (the target)" in error
    assert "corpus.title_field" in error


def test_files_of_different_lengths(fresh_of):
    project = fresh_of("translation")
    path = project.docs / "train.xx"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:50] + lines[51:]))
    error = project("run").error
    assert "train.en: 120 lines, but" in error
    assert "train.xx has 119" in error
    path.write_text("".join([*lines[:50], "\n", *lines[51:]]))
    assert "train.xx:51: the line is empty" in project("run").error
    assert "skipped" in project("run", "--set", "corpus.skip_bad=true", "--set", "finetune.steps=1").err
    path.unlink()
    assert "train.xx" in project("run", "--force", "corpus").error


def test_longer_than_the_model(fresh_of):
    project = fresh_of("translation")
    error = project("run", "--set", "finetune.max_source=65").error
    assert "finetune.max_source = 65 is more than the model can read or write" in error
    assert "raise pretrain.max_length from 64" in error
    assert "finetune.max_target = 99" in project("run", "--set", "finetune.max_target=99").error


def test_cut_sources_are_told(fresh_of):
    project = fresh_of("translation")
    done = project("run", "--set", "finetune.max_source=4", "--set", "finetune.steps=1")
    assert done.code == 0
    assert "sources are cut at 4 tokens (finetune.max_source)" in done.err
    assert "targets are cut" not in done.err


def test_impossible_shapes_are_told_in_words(fresh_of):
    project = fresh_of("translation")
    shape = ("--set", "pretrain.positions=rotary", "--set", "pretrain.width=12", "--set", "pretrain.heads=4")
    assert "rotary positions" in project("run", *shape).error
    assert "width = 32 with heads = 3" in project("run", "--set", "pretrain.heads=3").error


def test_every_kind_of_model_is_trained(fresh_of):
    project = fresh_of("translation")
    for settings in (
        ("positions=learned", "activation=geglu", "norm_first=false"),
        ("positions=rotary", "activation=relu", "dropout=0.3"),
    ):
        keys = [word for setting in settings for word in ("--set", f"pretrain.{setting}")]
        steps = project.run(*keys, "--set", "finetune.steps=2", "--set", "finetune.schedule=inverse-sqrt")
        assert steps["finetune"]["metrics"]["loss"] < 20
        assert project("translate", "The red dog sees the cat.", "--beams", "2").code == 0
