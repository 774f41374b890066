import json
import math
import sys

import pytest

pytest.importorskip("sacrebleu")
pytest.importorskip("rouge_score")


@pytest.fixture
def parallel(tmp_path, translation):
    """The first of what was learned, whose translations the model knows, and one that is wrong."""
    for name in ("train.en", "train.xx"):
        lines = (translation.docs / name).read_text().splitlines()[:19]
        (tmp_path / name).write_text("\n".join([*lines, "The red dog sees the cat."]) + "\n")
    return str(tmp_path / "train.en"), "--targets", str(tmp_path / "train.xx")


def measured(project, *arguments):
    done = project("evaluate", *arguments, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_parallel_files(translation, parallel, tmp_path):
    document = measured(translation, *parallel, "--save", str(tmp_path / "out.txt"))
    assert list(document) == ["task", "perplexity", "seconds", "systems"]
    assert document["task"] == "translation"
    assert document["systems"].keys() == {"model"}
    assert 1 < document["perplexity"] < 10
    written = (tmp_path / "out.txt").read_text().splitlines()
    wanted = (tmp_path / "train.xx").read_text().splitlines()
    assert len(written) == 20
    right = sum(one == other for one, other in zip(written, wanted, strict=True))
    scores = document["systems"]["model"]["scores"]
    assert scores["exact"]["value"] == pytest.approx(100 * right / 20)
    assert 50 < scores["exact"]["value"] < 100
    assert scores["bleu"]["low"] <= scores["bleu"]["value"] <= scores["bleu"]["high"]


def test_on_screen(translation, parallel):
    done = translation("evaluate", *parallel, "--limit", "5", "--beams", "1", "--length-penalty", "0.5")
    assert done.code == 0
    assert "5 texts against 5 references" in done.out
    assert "BLEU" in done.out
    assert "perplexity of a target's piece" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_records_with_several_references(translation, tmp_path):
    path = tmp_path / "test.jsonl"
    records = [{"en": "The red dog sees the cat.", "xx": ["Wrong.", "Ta ru hundo vidas ta kato."]}] * 3
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    fields = ("--text-field", "en", "--title-field", "xx")
    document = measured(translation, str(path), *fields, "--limit", "2")
    model = document["systems"]["model"]
    assert (model["items"], model["references"]) == (2, 4)
    assert model["scores"]["exact"]["value"] == 100
    error = translation("evaluate", str(path)).error
    assert "test.jsonl:1: the record has no field 'text'" in error


def test_a_summarizer_is_measured_beside_the_first_sentence(summarization):
    data = (str(summarization.docs / "papers.jsonl"), "--text-field", "body", "--title-field", "short", "--limit", "20")
    document = measured(summarization, *data)
    assert document["systems"].keys() == {"model", "first sentence"}
    # The summaries of this corpus are the first sentences.
    assert document["systems"]["first sentence"]["scores"]["rougeL"]["value"] == 100
    assert document["systems"]["model"]["scores"]["rougeL"]["value"] < 100


def test_dialogues(dialogue, tmp_path):
    path = tmp_path / "talk.txt"
    path.write_text("The red dog. __eou__ The old cat. __eou__ The bird.\nThe cat. __eou__ The dog.\n")
    document = measured(dialogue, str(path))
    assert document["systems"]["model"]["items"] == 3  # every turn but the first of each
    assert document["perplexity"] > 1
    assert math.isfinite(document["perplexity"])
    assert measured(dialogue, str(path))["systems"] == document["systems"]
    beams = measured(dialogue, str(path), "--beams", "4")  # do not draw
    assert beams["systems"] != document["systems"]
    assert "--targets is for sources" in dialogue("evaluate", str(path), "--targets", str(path)).error


def test_a_model_by_its_folder(translation, parallel, capsys):
    from bertpipe.cli.main import invoke

    folder = str(translation.runs / "finetune")
    assert invoke(["evaluate", folder, *parallel, "--limit", "3", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["systems"] == measured(translation, *parallel, "--limit", "3")["systems"]
    done = translation("evaluate", folder, parallel[0], parallel[0])
    assert done.code == 2
    assert "Give a model and one file" in done.err


def test_mismatched_files(translation, parallel, tmp_path):
    (tmp_path / "train.xx").write_text("One.\nTwo.\n")
    error = translation("evaluate", *parallel).error
    assert "train.en: 20 lines, but" in error
    assert "train.xx has 2" in error
    assert "nowhere" in translation("evaluate", str(tmp_path / "nowhere"), *parallel[1:]).error


def test_data_without_examples(translation, tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    assert "empty.jsonl" in translation("evaluate", str(tmp_path / "empty.jsonl")).error
    (tmp_path / "data.png").write_bytes(b"\x89PNG")
    assert "data.png" in translation("evaluate", str(tmp_path / "data.png")).error


def test_a_place_that_cannot_be_written_is_told_before_the_work(translation, parallel, tmp_path, monkeypatch):
    def forbidden(*arguments):
        raise AssertionError("the work was done")

    monkeypatch.setattr("bertpipe.models.generator.Generator.generate", forbidden)
    for place in (tmp_path, tmp_path / "no folder" / "out.txt"):
        error = translation("evaluate", *parallel, "--save", str(place)).error
        assert "no file can be written there" in error


@pytest.mark.parametrize("missing", ["sacrebleu", "rouge_score"])
def test_the_scores_libraries_are_asked_for_before_the_work(translation, parallel, monkeypatch, missing):
    def forbidden(*arguments):
        raise AssertionError("the work was done")

    monkeypatch.setattr("bertpipe.models.generator.Generator.generate", forbidden)
    for name in [one for one in sys.modules if one.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert "pip install bertpipe[evaluate]" in translation("evaluate", *parallel).error


def test_a_retrieval_pipeline_writes_nothing(retrieval, parallel):
    error = retrieval("evaluate", *parallel).error
    assert "is for retrieval" in error
    assert "classification, tagging, similarity, question-answering, translation, summarization, dialogue" in error
