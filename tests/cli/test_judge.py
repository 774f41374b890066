"""`bertpipe judge`, key by key."""

import io
import sys

import pytest
from rich.cells import cell_len

from bertpipe.cli.judge import KEYS, JudgingSession
from bertpipe.retrieval.judgement_files import JudgementFiles
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.search_result import Hit, SearchResult
from bertpipe.text.readers.queries import Query

QUERIES = [Query("1", "water"), Query("2", "怎样 \x1b[2J备份")]
NAMES = ["a.md", "b.md", "c.md"]


class FakeIndex:
    def search(self, query, k, mode, *, vector=None):
        text = f"All about {query}, and \x1b]0;x\x07 more of it. " * 60
        passages = [Passage(0, name, name, f"title of {name}", text, 0, len(text)) for name in NAMES]
        return SearchResult(query, mode, 1.0, [Hit(rank, 1.0, one, {}) for rank, one in enumerate(passages, 1)][:k])


@pytest.fixture
def judge(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")

    def press(keys):
        """Judges with these keys; returns whether all is judged, the judgements, and what was shown."""
        monkeypatch.setattr(sys, "stdin", io.StringIO(keys))
        with JudgementFiles(tmp_path) as files:
            done = JudgingSession(FakeIndex(), files, QUERIES, 10).run()
            grades = {(query.id, name): files.grade(query, name) for query in QUERIES for name in NAMES}
        judged = {pair: grade for pair, grade in grades.items() if grade is not None}
        return done, judged, capsys.readouterr().out

    return press


def test_every_pair_is_asked_once(judge):
    done, judged, shown = judge("012\n0\n1\n2")
    assert done
    assert sorted(judged.values()) == [0, 0, 1, 1, 2, 2]
    assert shown.count("0 no  1 partly") == 6
    done, again, shown = judge("")
    assert (done, again, shown) == (True, judged, "")


def test_it_goes_on_where_it_was_left(judge):
    done, judged, _ = judge("01q")
    assert not done
    assert len(judged) == 2
    done, judged, shown = judge("2")  # and then the input ends
    assert not done
    assert len(judged) == 3
    assert "query 1 of 2, document 3 of 3" in shown
    assert "query 2 of 2, document 1 of 3" in shown


def test_back_takes_back_also_over_what_was_skipped(judge):
    _, judged, _ = judge("0s1" + "bbb" + "2q")
    assert list(judged.values()) == [2]
    _, judged, shown = judge("b" + "1b0q")
    assert sorted(judged.values()) == [0, 2], "and an earlier session's judgements stay"
    assert shown.count("0 no") == 5, "where there is nothing to take back, it asks again"


def test_next_query_leaves_the_rest(judge):
    done, judged, _ = judge("1n0ss")
    assert done
    assert {pair[0]: grade for pair, grade in judged.items()} == {"1": 1, "2": 0}


def test_other_keys_mean_nothing(judge):
    _, judged, shown = judge("x79\x1b 2q")
    assert list(judged.values()) == [2]
    assert shown.count("0 no") == 2


def test_what_is_shown_fits_and_tells_no_rank(judge):
    _, _, shown = judge("qq")
    _, _, more = judge("nq")
    lines = (shown + more).splitlines()
    assert all(cell_len(line) <= 80 for line in lines)
    assert not [mark for line in lines for mark in line if not mark.isprintable()]
    assert not any(word in shown for word in ("bm25", "dense", "hybrid", "score"))
    assert len(KEYS) + len(": next query") <= 80
