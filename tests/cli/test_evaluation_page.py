"""The page of an evaluation."""

from html.parser import HTMLParser

import pytest

from bertpipe.cli.evaluation_page import evaluation_page

pytest.importorskip("matplotlib")

REPORT = {
    "task": "classification",
    "model": "runs/x/finetune",
    "data": "<test> & more.tsv",
    "items": 4,
    "scores": {"accuracy": {"value": 0.75, "low": 0.25, "high": 1.0}, "mcc": {"value": 0.5}},
    "confusion": {"labels": ["好", "<b>bad</b>"], "matrix": [[2, 0], [1, 1]]},
    "classes": {"好": {"precision": 0.5, "recall": 1.0, "f1": 0.6667, "support": 2}},
    "calibration": {
        "ece": 0.125,
        "bins": [
            {"confidence": 0.9, "accuracy": 1.0, "count": 3},
            {"confidence": 0.0, "accuracy": 0.0, "count": 0},
        ],
    },
    "curve": [{"step": 1, "loss": 2.0, "val_accuracy": 0.5}, {"step": 2, "loss": 1.0, "val_accuracy": 0.75}],
    "errors": [{"id": "a#1", "right": "好", "predicted": "bad", "text": "<script>alert(1)</script>"}],
}


class Texts(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def read(page):
    texts = Texts()
    texts.feed(page)
    return texts


def test_everything_is_on_it_and_nothing_is_markup():
    page = read(evaluation_page(REPORT))
    assert page.tags.count("svg") == 3
    assert "script" not in page.tags
    assert "b" not in page.tags
    for text in ("<script>alert(1)</script>", "0.7500", "0.2500 to 1.0000", "MCC", "<b>bad</b>"):
        assert text in page.texts
    # A pair of classes that was mistaken, and none that was not.
    assert page.texts.count("predicted") >= 1


def test_text_in_figures_stays_text():
    assert "好" in evaluation_page(REPORT | {"errors": [], "classes": {}}).split("<svg", 2)[1]


def test_the_same_report_gives_the_same_page():
    assert evaluation_page(REPORT) == evaluation_page(REPORT)


def test_sections_without_figures_are_left_out():
    page = read(evaluation_page({key: REPORT[key] for key in ("task", "model", "data", "items", "scores")}))
    assert "svg" not in page.tags


def test_answers_and_similarities():
    report = {key: REPORT[key] for key in ("task", "model", "data", "items", "scores")}
    scatter = {"expected": [0.0, 5.0], "predicted": [1.0, 4.0]}
    page = read(evaluation_page(report | {"scatter": scatter, "coverage": [{"coverage": 1.0, "f1": 50.0}]}))
    assert page.tags.count("svg") == 2


def test_many_classes_are_a_table_alone():
    labels = [f"class {number}" for number in range(50)]
    matrix = [[int(row == column) for column in range(50)] for row in range(50)]
    matrix[3][4] = 7
    page = read(evaluation_page(REPORT | {"confusion": {"labels": labels, "matrix": matrix}}))
    assert page.tags.count("svg") == 2
    assert "7" in page.texts
