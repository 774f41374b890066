"""`bertpipe evaluate`, over models that the pipelines have learned."""

import json

import pytest

from bertpipe.models.predictor import Predictor
from bertpipe.text.readers.scored_pairs import ScoredPairReader


def evaluate(project, *arguments):
    return project("evaluate", str(project.runs / "finetune"), *arguments, pipeline=False)


def document(project, *arguments):
    done = evaluate(project, str(project.docs / "examples.jsonl"), *arguments, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_classes(classification):
    found = document(classification, "--errors", "2")
    assert found["task"] == "classification"
    lines = (classification.docs / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    predictor = Predictor(classification.runs / "finetune")
    said = [one.labels[0] for one in predictor.predict([one["text"] for one in records])]
    right = [one["label"] for one in records]
    hits = sum(ours == true for ours, true in zip(said, right, strict=True))
    assert found["items"] == len(records)
    assert found["scores"]["accuracy"]["value"] == pytest.approx(hits / len(records), abs=1e-4)
    low, high = (found["scores"]["accuracy"][end] for end in ("low", "high"))
    assert low <= found["scores"]["accuracy"]["value"] <= high
    labels = found["confusion"]["labels"]
    matrix = found["confusion"]["matrix"]
    for row, true in enumerate(labels):
        for column, ours in enumerate(labels):
            assert matrix[row][column] == sum(one == (ours, true) for one in zip(said, right, strict=True))
    assert sum(one["count"] for one in found["calibration"]["bins"]) == len(records)
    assert len(found["errors"]) <= 2
    for error in found["errors"]:
        assert error["right"] != error["predicted"]
    assert found["curve"][-1]["val_accuracy"] >= 0


def test_the_screen_says_the_same(classification):
    found = document(classification)
    shown = evaluate(classification, str(classification.docs / "examples.jsonl"), "--errors", "1").out
    assert f"{found['scores']['accuracy']['value']:.3f}" in shown
    assert "always saying what is most frequent" in shown
    assert "precision" in shown


def test_several_labels_have_no_matrix(multi_label):
    found = document(multi_label)
    assert "confusion" not in found
    assert set(found["classes"]) == {"bad", "good", "kitchen", "small"}
    assert "mcc" not in found["scores"]


def test_entities(tagging):
    found = document(tagging, "--errors", "3")
    assert found["scores"].keys() == {"precision", "recall", "f1", "macro_f1", "weighted_f1"}
    hits = found["scores"]["precision"]["value"] * found["predicted"]
    assert hits == pytest.approx(found["scores"]["recall"]["value"] * found["entities"], abs=0.1)
    for error in found["errors"]:
        assert error["right"] != error["predicted"]


def test_similarity(similarity):
    from scipy.stats import spearmanr

    found = document(similarity, "--errors", "1")
    pairs = list(
        ScoredPairReader(similarity.docs / "examples.jsonl", text_field="text", pair_field="pair", score_field="score")
    )
    predictor = Predictor(similarity.runs / "finetune")
    said = [one.cosine for one in predictor.predict([one.text for one in pairs], [one.pair for one in pairs])]
    expected = spearmanr(said, [one.score for one in pairs]).statistic
    assert found["scores"]["spearman"]["value"] == pytest.approx(expected, abs=1e-3)
    assert len(found["scatter"]["expected"]) == len(pairs)


def test_a_page(classification, tmp_path):
    pytest.importorskip("matplotlib")
    page = tmp_path / "page.html"
    done = evaluate(classification, str(classification.docs / "examples.jsonl"), "--html", str(page))
    assert done.code == 0, done.err
    assert str(page) in done.err
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 3
    assert "accuracy" in text


def test_a_label_that_nobody_taught(classification, tmp_path):
    file = tmp_path / "other.jsonl"
    file.write_text('{"text": "good", "label": "good"}\n{"text": "odd", "label": "odd"}\n')
    done = evaluate(classification, str(file))
    assert done.code == 1
    assert f"{file}:2: the model does not know the label 'odd'" in done.error


def test_options_of_other_models(classification, tagging):
    data = str(classification.docs / "examples.jsonl")
    done = evaluate(classification, data, "--beams", "2")
    assert done.code == 2
    assert "--beams is for models that write" in done.err
    assert "means nothing for this model's task" in evaluate(tagging, data, "--label-field", "x").error
    assert "--rules means nothing for this model's task" in evaluate(tagging, data, "--rules", "squad").error
    assert "there is no model" in classification("evaluate", "nowhere", data, pipeline=False).error
    nowhere = evaluate(classification, data, "--html", "no/such/folder/page.html")
    assert "no file can be written there" in nowhere.error


def test_the_pipelines_model(classification):
    done = classification("evaluate", str(classification.docs / "examples.jsonl"), "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["items"] > 10
