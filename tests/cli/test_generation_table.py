import copy

import pytest

from bertpipe.cli.generation_table import print_generation_scores

SIGNATURES = {"bleu": "nrefs:1|tok:13a", "chrf": "nrefs:1|nc:6", "rouge": "stem:no"}
NAMES = ("bleu", "chrf", "rouge1", "rouge2", "rougeL", "exact", "distinct1", "distinct2")
SCORES = {
    "items": 1014,
    "references": 2000,
    "empty": 0,
    "language": "other",
    "scores": {name: {"value": 35.26, "low": 33.94, "high": 36.5} for name in NAMES[:6]}
    | {name: {"value": 12.34} for name in NAMES[6:]},
    "signatures": SIGNATURES,
}


def test_the_table(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_generation_scores({"model": SCORES, "lead [1]": SCORES | {"empty": 3}})
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[0] == "1,014 texts against 2,000 references, 0 to 100, with 95% intervals:"
    assert lines[1].split() == ["score", "model", "lead", "[1]"]
    assert lines[2].split() == ["BLEU", *["35.3", "33.9-36.5"] * 2]
    assert lines[8].split() == ["distinct-1", "12.3", "12.3"]
    assert lines[10:] == [
        "3 of the texts by lead [1] are empty.",
        "BLEU: nrefs:1|tok:13a",
        "chrF: nrefs:1|nc:6",
        "ROUGE: stem:no",
    ]


def test_every_score_has_a_row(capsys):
    pytest.importorskip("sacrebleu")
    from bertpipe.tasks.generation_scores import score_generation

    found = score_generation(["a b c"], ["a b d"]).as_json()
    assert tuple(found["scores"]) == NAMES
    print_generation_scores({"model": found})
    assert "sacrebleu" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "change", [{"items": 3}, {"references": 3}, {"language": "zh"}, {"signatures": {"bleu": "tok:zh"}}]
)
def test_what_cannot_be_compared_does_not_stand_in_one_table(change):
    with pytest.raises(ValueError, match="the same items"):
        print_generation_scores({"one": SCORES, "other": copy.deepcopy(SCORES) | change})
