"""`bertpipe predict`, over models that the pipelines have learned."""

import io
import json
import shutil

import pytest
from rich.console import Console

from bertpipe.cli.prediction_text import show, tagged_text
from bertpipe.models.predictions import Answered, Entity, Tagged
from bertpipe.tasks.answer_spans import AnswerSpan

REVIEWS = ["The kettle broke after two days. Never again.", "这个台灯很好用。谢谢卖家！"]
NAMES = "Maria went from Velden to Oberdorf."


def predict(project, *arguments, stdin=""):
    return project("predict", str(project.runs / "finetune"), *arguments, stdin=stdin, pipeline=False)


def document(project, *arguments):
    done = predict(project, *arguments, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def lines_of(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_class_with_its_probability(classification):
    found = document(classification, REVIEWS[0])
    assert found["text"] == REVIEWS[0]
    assert found["labels"] == ["bad"]
    assert found["probabilities"][0]["label"] == "bad"
    assert sum(one["probability"] for one in found["probabilities"]) == pytest.approx(1, abs=0.01)
    assert found["cut"] is False
    assert len(document(classification, REVIEWS[0], "--top", "2")["probabilities"]) == 2
    shown = predict(classification, REVIEWS[0]).out
    assert shown.startswith("• bad")
    assert len(shown.splitlines()) == 3


def test_many_texts_from_a_file_and_from_standard_input(classification, tmp_path):
    file = tmp_path / "reviews.txt"
    file.write_text("".join(f"{text}\n" for text in REVIEWS * 3), encoding="utf-8")
    found = lines_of(predict(classification, "--file", str(file), "--json"))
    assert [one["labels"][0] for one in found] == ["bad", "good"] * 3
    assert [one["text"] for one in found] == REVIEWS * 3
    again = lines_of(predict(classification, "-", "--json", stdin=file.read_bytes()))
    assert [one["labels"] for one in again] == [one["labels"] for one in found]
    alone = document(classification, REVIEWS[1])
    for one, other in zip(alone["probabilities"], found[1]["probabilities"], strict=True):
        assert one["probability"] == pytest.approx(other["probability"], abs=2e-4)
    plain = predict(classification, "-", stdin=file.read_bytes()).out.splitlines()
    assert plain[0].startswith("bad ")
    assert plain[1].endswith(REVIEWS[1])


def test_several_labels(multi_label):
    found = document(multi_label, "The kettle leaks on the table. Never again.")
    assert set(found["labels"]) <= {"bad", "good", "kitchen", "small"}
    assert len(found["probabilities"]) == 4
    assert predict(multi_label, "-", stdin="x\n").code == 0


def test_pairs(pairs):
    found = document(pairs, REVIEWS[0], "--pair", REVIEWS[1])
    assert found["pair"] == REVIEWS[1]
    assert found["labels"][0] in ("0", "1")
    (line,) = lines_of(predict(pairs, "-", "--json", stdin=f"{REVIEWS[0]}\t{REVIEWS[1]}\n"))
    assert line["probabilities"][0]["probability"] == pytest.approx(found["probabilities"][0]["probability"], abs=2e-4)
    assert "Give the second one with --pair" in predict(pairs, "alone").error
    done = predict(pairs, "-", "--json", stdin="a\tb\nalone\n")
    assert "standard input:2: two texts are expected, and there is 1" in done.error
    assert len(done.out.splitlines()) == 1
    assert "the second text is empty" in predict(pairs, "a", "--pair", " ").error


def test_entities_with_their_places(tagging):
    text = f"  {NAMES}  我在青石镇。"
    found = document(tagging, text)
    text = text.strip()
    assert found["text"] == text
    assert {(one["text"], one["label"]) for one in found["entities"]} >= {("Velden", "place"), ("Oberdorf", "place")}
    for one in found["entities"]:
        assert text[one["start"] : one["end"]] == one["text"]
        assert 0 < one["probability"] <= 1
    shown = predict(tagging, NAMES).out
    assert "[Velden place]" in shown


def test_entities_of_a_text_longer_than_what_is_read_at_once(tagging):
    found = document(tagging, " ".join([NAMES] * 30))
    places = [one for one in found["entities"] if one["text"] == "Velden"]
    assert len(places) > 20
    assert places[-1]["start"] > 900


def test_names_are_coloured_on_a_terminal():
    tagged = Tagged("Ann is in [Oslo]\x1b[2J.", (Entity("PER", "Ann", 0, 3, 0.9), Entity("LOC", "Oslo", 11, 15, 0.8)))
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, color_system="standard").print(tagged_text(tagged, coloured=True))
    assert "\x1b[1;36mAnn\x1b[0m" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
    assert tagged_text(tagged, coloured=False).plain == "[Ann PER] is in [[Oslo LOC]] [2J."


def test_answers_are_shown_in_their_text(capsys):
    text = "Ann left at \x1b[2Jnoon."
    answered = Answered("Who left?", text, (AnswerSpan("Ann", 0, 0, 3, 0.9),), cut=False)
    show(answered, top=None, one_line=False)
    assert capsys.readouterr().out.splitlines() == ["Ann  0.900", "Ann left at  [2Jnoon."]
    show(answered, top=None, one_line=True)
    assert capsys.readouterr().out == "Ann  0.900  Who left?\n"
    show(Answered("Who?", text, (), cut=False), top=None, one_line=False)
    assert capsys.readouterr().out == "No answer: the text does not answer it.\n"


def test_similarity_is_on_the_scale_of_the_scores(similarity):
    same = document(similarity, "A dog is running.", "--pair", "A dog is running.")
    other = document(similarity, "A dog is running.", "--pair", "A woman eats a piece of bread at home.")
    assert same["cosine"] == pytest.approx(1, abs=1e-3)
    assert 0 <= other["score"] < same["score"] <= 5
    assert predict(similarity, "a", "--pair", "b").out.count("cosine") == 1
    found = lines_of(predict(similarity, "-", "--json", stdin="A dog is running.\tA dog is running.\n"))
    assert found[0]["score"] == pytest.approx(same["score"], abs=1e-3)


def test_what_was_not_read_is_told(classification):
    done = predict(classification, "good " * 200, "--json")
    assert json.loads(done.out)["cut"] is True
    assert "longer than the 48 tokens that the model reads" in done.err


@pytest.mark.parametrize("text", ["\x00\x07", "\u200b\ufe0f", "🦔" * 40, "a\ud800b", "a" * 3000, "，。！", "<s>[MASK]"])
def test_odd_texts(classification, tagging, text):
    for project in (classification, tagging):
        done = predict(project, text, "--json")
        assert done.code == 0, done.err
        json.loads(done.out)


def test_wrong_usage(classification, tagging, tmp_path):
    assert predict(classification).code == 2
    assert predict(classification, "x", "--file", "y").code == 2
    assert predict(classification, "-", "--pair", "y").code == 2
    assert "the model is for single texts" in predict(classification, "x", "--pair", "y").error
    for nothing in ("   ", ""):
        assert "the text is empty" in predict(classification, nothing).error
    assert "standard input is empty" in predict(classification, "-").error
    done = predict(classification, "-", stdin="fine\n\nfine\n")
    assert "standard input:2: the text is empty" in done.error
    assert len(done.out.splitlines()) == 1
    assert "standard input:1: not UTF-8" in predict(classification, "-", stdin=b"\xff\xfe\n").error
    assert "missing.txt: cannot be read" in predict(classification, "--file", str(tmp_path / "missing.txt")).error
    (tmp_path / "empty.txt").touch()
    assert "the file is empty" in predict(classification, "--file", str(tmp_path / "empty.txt")).error


def test_folders_that_are_no_such_model(classification, copy_of, tmp_path):
    def error(folder):
        return classification("predict", str(folder), "x", pipeline=False).error

    assert "there is no model at" in error(tmp_path / "nowhere")
    assert "has learned no task of this kind" in error(classification.runs / "pretrain")
    project = copy_of(classification)
    folder = tmp_path / "alone"
    shutil.copytree(project.runs / "finetune", folder)
    (folder / "manifest.json").unlink()
    assert classification("predict", str(folder), "x", pipeline=False).code == 0
    task = json.loads((folder / "task.json").read_text())
    for change, words in (
        ({"task": "question-answering"}, "is of another model"),
        ({"labels": ["a", "b"]}, "is of another model"),
        ({"max_tokens": 4096}, "parts that do not fit"),
        ({"labels": "a"}, "cannot be read"),
    ):
        (folder / "task.json").write_text(json.dumps(task | change))
        assert words in error(folder)
    (folder / "task.json").write_text(json.dumps(task))
    (folder / "tokenizer.model").unlink()
    assert "has no tokenizer" in error(folder)
