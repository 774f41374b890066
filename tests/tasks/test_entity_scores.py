import json
import warnings

import numpy as np
import pytest

from bertpipe.errors import InputError
from bertpipe.tasks.entity_scores import score_entities
from bertpipe.tasks.f_measure import FMeasure

GOLD = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"], ["O", "B-LOC"]]
OURS = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"], ["B-PER", "I-LOC"]]


def test_by_hand():
    found = score_entities(OURS, GOLD)
    assert (found.sentences, found.gold, found.predicted) == (3, 3, 4)
    assert list(found.by_type) == ["LOC", "MISC", "PER"]
    assert found.by_type["LOC"] == FMeasure(1.0, 1.0, 1.0, 1)  # I-LOC begins one
    assert found.by_type["MISC"] == FMeasure(0.0, 0.0, 0.0, 1)
    assert found.by_type["PER"] == pytest.approx((0.5, 1.0, 2 / 3, 1))
    scores = {name: score.value for name, score in found.scores.items()}
    assert scores == pytest.approx(
        {"precision": 0.5, "recall": 2 / 3, "f1": 4 / 7, "macro_f1": 5 / 9, "weighted_f1": 5 / 9}
    )
    for name, score in found.scores.items():
        assert score.interval[0] <= score.value <= score.interval[1], name
    assert json.loads(json.dumps(found.as_json()))["scores"]["f1"]["value"] == 0.5714


def test_strict_counts_only_spans_that_keep_the_rules():
    found = score_entities(OURS, GOLD, strict="iob2")
    assert (found.gold, found.predicted) == (3, 3)
    assert found.scores["f1"].value == pytest.approx(1 / 3)
    found = score_entities([["B-X", "E-X", "B-Y"]], [["B-X", "E-X", "S-Y"]], strict="bioes")
    assert (found.gold, found.predicted, found.scores["precision"].value) == (2, 1, 1.0)


def test_nothing_found_and_nothing_there():
    found = score_entities([["O"]], [["O"]])
    assert {score.value for score in found.scores.values()} == {0.0}
    assert found.by_type == {}
    assert score_entities([["B-X"]], [["O"]]).scores["weighted_f1"].value == 0.0


def test_what_cannot_be_scored():
    with pytest.raises(InputError, match="nothing to score"):
        score_entities([], [])
    with pytest.raises(ValueError, match="1 predicted sentences do not fit 2"):
        score_entities([["O"]], [["O"], ["O"]])
    with pytest.raises(ValueError, match="sentence 1 has 1 predicted tags, but 2 true ones"):
        score_entities([["O"], ["O"]], [["O"], ["O", "O"]])
    with pytest.raises(ValueError, match="'PER' is no tag"):
        score_entities([["PER"]], [["O"]])


@pytest.mark.peer
@pytest.mark.parametrize("strict", [None, "iob2", "bioes"])
@pytest.mark.parametrize("case", range(20))
def test_seqeval_agrees_to_the_last_digit(strict, case):
    pytest.importorskip("seqeval")
    from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
    from seqeval.scheme import IOB2, IOBES

    generator = np.random.default_rng(case)
    letters = "BI" if strict == "iob2" or (strict is None and case % 2) else "BIES"
    labels = ["O", *(f"{letter}-{kind}" for letter in letters for kind in ("LOC", "PER", "creative-work"))]
    gold = [
        [labels[number] for number in generator.integers(0, len(labels), generator.integers(1, 20))]
        for _ in range(int(generator.integers(1, 40)))
    ]
    ours = [[tag if generator.random() < 0.8 else str(generator.choice(labels)) for tag in tags] for tags in gold]
    options = {} if strict is None else {"mode": "strict", "scheme": IOB2 if strict == "iob2" else IOBES}
    found = score_entities(ours, gold, strict=strict)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = {name: score.value for name, score in found.scores.items()}
        assert scores["precision"] == precision_score(gold, ours, **options)
        assert scores["recall"] == recall_score(gold, ours, **options)
        assert scores["f1"] == f1_score(gold, ours, **options)
        assert scores["macro_f1"] == f1_score(gold, ours, average="macro", **options)
        assert scores["weighted_f1"] == f1_score(gold, ours, average="weighted", **options)
        report = classification_report(gold, ours, output_dict=True, **options)
    for kind, measure in found.by_type.items():
        theirs = report[kind]
        assert measure == (theirs["precision"], theirs["recall"], theirs["f1-score"], theirs["support"])
    assert set(report) == {*found.by_type, "micro avg", "macro avg", "weighted avg"}
