"""Pipelines that learn to understand, through the command line."""

import json
import signal

import pytest

from bertpipe.models.task_settings import TaskSettings

STEPS = ["corpus", "snapshot", "tokenize", "pretrain", "finetune"]
AT_STEP = """
import os, signal
from bertpipe.training.labelled_batches import LabelledBatches
original = LabelledBatches.batch
def batch(self, step):
    if step == {step} and self.sequences is not None and len(self.sequences) > 100:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, step)
LabelledBatches.batch = batch
"""


def finetuned(project, *more):
    return project.run(*more)["finetune"]["metrics"]


def append(project, line):
    with (project.docs / "examples.jsonl").open("a") as file:
        file.write(line + "\n")


def test_classes_are_learned(classification):
    metrics = finetuned(classification)
    assert metrics["val_accuracy"] > 0.9
    assert metrics["val_macro_f1"] > 0.9
    assert metrics["labels"] == 3
    assert metrics["texts"] + metrics["dev_texts"] == 360
    assert 20 < metrics["dev_texts"] < 60
    assert 0 <= metrics["ece"] < 0.3
    folder = classification.runs / "finetune"
    names = {"config.json", "curve.jsonl", "manifest.json", "model.safetensors", "task.json", "tokenizer.model"}
    assert {path.name for path in folder.iterdir()} == names
    settings = TaskSettings.load(folder)
    assert settings.labels == ("bad", "good", "neutral")
    assert settings.temperature == pytest.approx(metrics["temperature"], abs=1e-4)
    curve = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    best = max(curve, key=lambda point: point["val_accuracy"])
    assert metrics["best_step"] == best["step"]
    assert best["val_accuracy"] == pytest.approx(metrics["val_accuracy"], abs=1e-4)


def test_several_labels_are_learned(multi_label):
    metrics = finetuned(multi_label)
    assert metrics["val_micro_f1"] > 0.6
    settings = TaskSettings.load(multi_label.runs / "finetune")
    assert settings.labels == ("bad", "good", "kitchen", "small")
    assert settings.multi_label
    assert 0 < settings.threshold < 1


def test_pairs_are_read_as_pairs(pairs):
    assert finetuned(pairs)["labels"] == 2
    assert TaskSettings.load(pairs.runs / "finetune").paired


def test_tags_are_learned(tagging):
    metrics = finetuned(tagging)
    assert metrics["val_f1"] > 0.7
    assert metrics["types"] == 3
    settings = TaskSettings.load(tagging.runs / "finetune")
    assert settings.labels[:3] == ("O", "B-person", "I-person")
    assert (settings.scheme, settings.stride) == ("iob2", 8)


def test_similarity_is_learned(similarity):
    metrics = finetuned(similarity)
    assert metrics["val_spearman"] > 0.4
    settings = TaskSettings.load(similarity.runs / "finetune")
    assert (settings.lowest, settings.highest) == (0.0, 5.0)
    assert settings.slope > 0


@pytest.mark.parametrize("name", ["classification", "tagging", "similarity"])
def test_a_killed_run_ends_with_the_same_bytes(request, from_model, copy_of, name):
    base = request.getfixturevalue(name).runs / "pretrain"
    project = from_model(base, name, steps=9, patience=2, accumulate=2, layer_decay=0.9, freeze=1)
    other = copy_of(project)
    done = project.finish(project.start("run", before=AT_STEP.format(step=15)))
    assert done.code == -signal.SIGKILL, done.err
    for one in (project, other):
        one.run()
    for file in ("model.safetensors", "curve.jsonl", "task.json"):
        assert (project.runs / "finetune" / file).read_bytes() == (other.runs / "finetune" / file).read_bytes()


def test_a_pipeline_from_a_model_has_one_step(classification, from_model):
    project = from_model(classification.runs / "pretrain", "classification")
    assert list(project.run()) == ["finetune"]
    assert project.ran() == []
    assert "there is no step 'pretrain'" in project("pretrain").error
    # The model counts for freshness, as do the files.
    append(project, '{"text": "more", "label": "good"}')
    assert project.ran() == ["finetune"]


def test_a_model_that_learned_one_task_learns_another(tagging, from_model):
    project = from_model(tagging.runs / "finetune", "classification")
    assert list(project.run()) == ["finetune"]


def test_frozen_layers_stay_as_they_are(classification, from_model):
    from safetensors.numpy import load_file

    project = from_model(classification.runs / "pretrain", "classification", freeze=2, lr=0.01)
    project.run()
    before = load_file(classification.runs / "pretrain" / "model.safetensors")
    after = load_file(project.runs / "finetune" / "model.safetensors")
    assert (before["bert.token_embedding.weight"] == after["bert.token_embedding.weight"]).all()
    name = "layers.{}.attention.output.weight"
    assert (before["bert." + name.format(0)] == after["bert." + name.format(0)]).all()
    assert (before["bert." + name.format(1)] != after["bert." + name.format(1)]).any()
    assert "freeze = 4 is more than there is" in project("run", "--set", "finetune.freeze=4").error


def test_epochs_and_budgets(classification, from_model):
    project = from_model(classification.runs / "pretrain", "classification")
    text = project.file.read_text()
    project.file.write_text(text.replace("steps = 6\n", ""))
    per_epoch = finetuned(project, "--set", "finetune.epochs=1", "--set", "finetune.patience=99")["steps"]
    assert finetuned(project, "--set", "finetune.epochs=1.5", "--set", "finetune.patience=99")["steps"] == round(
        1.5 * per_epoch
    )
    halves = finetuned(project, "--set", "finetune.epochs=1", "--set", "finetune.accumulate=2")["steps"]
    assert halves == per_epoch // 2


def test_models_that_cannot_be_started_from(classification, from_model, tmp_path):
    project = from_model(tmp_path / "nowhere", "classification")
    assert "there is no model at" in project("run").error
    project = from_model(classification.runs / "tokenize", "classification")
    assert "holds no model" in project("run").error


def test_a_model_beside_a_pipeline_of_its_own(classification, copy_of):
    project = copy_of(classification)
    error = project("run", "--set", f"finetune.model={classification.runs / 'pretrain'}").error
    assert "finetune.model is set for a pipeline that pretrains a model of its own" in error


def broken(from_model, base, name, line, **more):
    project = from_model(base, name, **more)
    append(project, line)
    return project("run").error


def test_data_that_teaches_nothing(classification, tagging, similarity, from_model):
    base = classification.runs / "pretrain"
    project = from_model(base, "classification")
    examples = project.docs / "examples.jsonl"
    examples.write_text('{"text": "one", "label": "a"}\n{"text": "two", "label": "a"}\n')
    error = project("run", "--set", "finetune.dev_share=0.5").error
    assert "there are no two classes to tell apart (every label is 'a')" in error or "nothing to" in error
    project = from_model(base, "tagging")
    (project.docs / "examples.jsonl").write_text('{"tokens": ["a", "b"], "tags": ["O", "O"]}\n' * 20)
    (project.docs / "dev.jsonl").write_text('{"tokens": ["a", "b"], "tags": ["O", "O"]}\n')
    assert "there is nothing to tag" in project("run", "--set", "finetune.dev=docs/dev.jsonl").error
    project = from_model(base, "similarity")
    (project.docs / "examples.jsonl").write_text(
        "".join(f'{{"text": "a{n}", "pair": "b", "score": 1}}\n' for n in range(40))
    )
    (project.docs / "dev.jsonl").write_text('{"text": "a", "pair": "b", "score": 1}\n')
    assert "there is no order to measure with" in project("run", "--set", "finetune.dev=docs/dev.jsonl").error


def test_labels_that_were_never_learned(classification, tagging, from_model):
    base = classification.runs / "pretrain"
    project = from_model(base, "classification", dev="docs/dev.jsonl")
    (project.docs / "dev.jsonl").write_text('{"text": "x", "label": "good"}\n{"text": "y", "label": "great"}\n')
    error = project("run").error
    assert "dev.jsonl:2: the label 'great' is on no text to learn from" in error
    project = from_model(tagging.runs / "pretrain", "tagging", dev="docs/dev.jsonl")
    (project.docs / "dev.jsonl").write_text('{"tokens": ["x"], "tags": ["B-animal"]}\n')
    assert "dev.jsonl:1: the type 'animal' is on no word to learn from" in project("run").error


def test_a_rare_label_is_learned_from_and_not_measured_with(classification, from_model):
    project = from_model(classification.runs / "pretrain", "classification", steps=1)
    for number in range(6):
        append(project, f'{{"text": "all alone {number}", "label": "rare {number}"}}')
    assert finetuned(project)["labels"] == 9


def test_broken_records_are_told_with_file_and_line(classification, from_model):
    base = classification.runs / "pretrain"
    for line, words in (
        ('{"text": "x"}', "examples.jsonl:361"),
        ('{"text": "x", "label": ""}', "examples.jsonl:361"),
        ('{"text": "x", "label": ["good", "bad"]}', "examples.jsonl:361: the text has 2 labels"),
    ):
        assert words in broken(from_model, base, "classification", line)
    assert "examples.jsonl:321" in broken(from_model, base, "tagging", '{"tokens": ["a"], "tags": ["O", "O"]}')
    line = '{"text": "a", "pair": "b", "score": "high"}'
    assert "examples.jsonl:301" in broken(from_model, base, "similarity", line)


@pytest.mark.parametrize(
    ("name", "line", "place"),
    [
        ("classification", '{"text": " ", "label": "good"}', "examples.jsonl:361: the field 'text' is empty"),
        ("tagging", '{"tokens": ["a"], "tags": ["I-person"]}', "examples.jsonl:321: the tag I-person"),
        ("similarity", '{"text": "a", "pair": "", "score": 1}', "examples.jsonl:301: the field 'pair' is empty"),
    ],
)
def test_what_can_be_left_out_is_counted_unless_strict(classification, from_model, name, line, place):
    project = from_model(classification.runs / "pretrain", name, steps=2)
    append(project, line)
    done = project("run")
    assert done.code == 0, done.err
    assert place in done.err
    assert place in project("run", "--set", "finetune.strict=true").error


def test_impossible_settings(tagging, from_model):
    base = tagging.runs / "pretrain"
    project = from_model(base, "tagging")
    assert (
        "finetune.max_tokens = 65 is more than the model can read"
        in project("run", "--set", "finetune.max_tokens=65").error
    )
    assert "finetune.stride = 30 is more than half" in project("run", "--set", "finetune.stride=30").error
    project.file.write_text(project.file.read_text().replace("data = ", "# data = "))
    assert "data is missing (File or folder to learn from)" in project("run").error
    project = from_model(base, "classification", data="docs/missing.jsonl")
    assert "missing.jsonl" in project("run").error


@pytest.mark.parametrize("name", ["classification", "tagging"])
def test_a_head_that_learns_nothing_is_refused(classification, from_model, name):
    project = from_model(classification.runs / "pretrain", name, steps=0)
    assert "steps = 0 leaves a head that knows nothing" in project("run").error


def test_an_encoder_may_be_taken_as_it_is(classification, from_model):
    project = from_model(classification.runs / "pretrain", "similarity", steps=0)
    assert -1 <= finetuned(project)["val_spearman"] <= 1


def test_a_loss_that_is_no_number(classification, from_model):
    project = from_model(classification.runs / "pretrain", "classification", lr=1e30)
    error = project("run").error
    assert "training has diverged" in error or "not finite" in error


def test_long_texts_are_cut_or_read_in_windows_and_told(classification, tagging, from_model):
    project = from_model(classification.runs / "pretrain", "classification", max_tokens=8)
    done = project("run")
    assert "texts are cut at 8 tokens (finetune.max_tokens)" in done.err
    project = from_model(tagging.runs / "pretrain", "tagging", max_tokens=8, stride=2)
    done = project("run")
    assert done.code == 0
    assert "are read in" in done.err


def test_bioes_and_balanced_weights(classification, tagging, from_model):
    project = from_model(tagging.runs / "pretrain", "tagging", scheme="bioes")
    project.run()
    assert TaskSettings.load(project.runs / "finetune").labels[1:5] == ("B-person", "I-person", "E-person", "S-person")
    project = from_model(classification.runs / "pretrain", "classification", class_weights="balanced")
    project.run()


def test_readings_that_differ_in_nothing_cannot_be_compared(classification, from_model):
    project = from_model(classification.runs / "pretrain", "classification", consistency=1.0, dropout=0.0)
    done = project("run")
    assert done.code == 1
    assert "finetune.dropout" in done.err


@pytest.mark.parametrize("loss", ["cosent", "mse"])
def test_both_losses_of_similarity(similarity, from_model, loss):
    project = from_model(similarity.runs / "pretrain", "similarity", loss=loss, steps=20)
    assert finetuned(project)["val_spearman"] > 0
