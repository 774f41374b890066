import json

import pytest

from bertpipe.cli.report_table import FILE, print_report, read_report
from bertpipe.errors import ArtefactError

VALUE = {"mean": 0.21949, "low": 0.189, "high": 0.2504}
ROW = {"ndcg@10": VALUE, "mrr@10": VALUE, "recall@10": VALUE}
REPORT = {
    "measured": True,
    "queries": 1443,
    "modes": {"hybrid": ROW, "dense": ROW, "bm25": ROW},
    "mode": "hybrid",
    "verdict": "Words and vectors together find better than words: nDCG@10 +0.005 (95% interval +0.001 to +0.013).",
}


def test_the_file_is_the_index_s():
    from bertpipe.retrieval.index_folder import REPORT as NAME

    assert NAME == FILE


def test_the_table(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_report(REPORT, "dense")
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].startswith("Measured on 1,443 held-out queries")
    assert lines[2].split() == ["searching", "by", "nDCG@10", "MRR@10", "Recall@10"]
    assert lines[3].split() == ["hybrid", *["0.219", "0.189-0.250"] * 3]
    assert " ".join(line.strip() for line in lines[6:]) == (
        f"{REPORT['verdict']} Searches use dense unless --mode says otherwise."
    )


def test_how_far_the_documents_have_moved(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    moved = {"documents": 12_000, "since": {"new": 1020, "changed": 0, "removed": 3}}
    print_report(REPORT | moved, "hybrid")
    text = " ".join(capsys.readouterr().out.split())
    assert "measured on 12,000 documents; since then: 1,020 new, 3 removed." in text
    print_report(REPORT | {"documents": 12_000, "since": {"new": 0}}, "hybrid")
    assert "since then" not in capsys.readouterr().out


def test_a_corpus_too_small_to_measure(capsys):
    report = {"measured": False, "mode": "hybrid", "verdict": "Not measured: few [queries]."}
    print_report(report, "hybrid")
    assert capsys.readouterr().out == "\nNot measured: few [queries].\n"
    print_report(report, "bm25")
    assert "Searches use bm25" in capsys.readouterr().out


def test_reading(tmp_path):
    assert read_report(tmp_path) is None
    (tmp_path / FILE).write_text(json.dumps(REPORT))
    assert read_report(tmp_path) == REPORT
    for broken in ("{", "[]", "{}"):
        (tmp_path / FILE).write_text(broken)
        with pytest.raises(ArtefactError, match=FILE):
            read_report(tmp_path)
