import pytest

from bertpipe.errors import ConfigError, InputError, LockedError
from bertpipe.retrieval.judged_queries import judged_by_qrels
from bertpipe.retrieval.judgement_files import QRELS, QUERIES, JudgementFiles
from bertpipe.text.readers.qrels import read_qrels
from bertpipe.text.readers.queries import Query, read_queries

Q, R = Query("1", "how to\tsort"), Query("notes/a b.md", "怎样\n备份")


def test_judgements_are_files_that_evaluate_reads(tmp_path):
    with JudgementFiles(tmp_path / "new") as files:
        files.add(Q, "a b.md", 2)
        files.add(Q, "c.md", 0)
        files.add(R, "c.md", 1)
        assert (len(files), files.relevant) == (3, 2)
    assert read_qrels(tmp_path / "new" / QRELS) == {"1": {"a b.md": 2, "c.md": 0}, "notes/a b.md": {"c.md": 1}}
    found = read_queries(tmp_path / "new" / QUERIES).queries
    assert [(query.id, query.text) for query in found] == [("1", Q.text), ("notes/a b.md", R.text)]


def test_what_was_judged_is_known_again(tmp_path):
    odd = [
        "tab\there",
        " space ahead",
        "line\nbreak",
        "percent%20",
        "percent ",
        "caf%C3%A9\u202fmenu.md",
        "café\u202fmenu.md",
    ]
    with JudgementFiles(tmp_path) as files:
        for document in odd:
            files.add(Q, document, 1)
    with JudgementFiles(tmp_path) as files:
        assert [files.grade(Q, document) for document in odd] == [1] * 7
        assert files.grade(Q, "other") is files.grade(R, odd[0]) is None
        assert len((tmp_path / QUERIES).read_text().splitlines()) == 1
        files.add(Q, "other", 0)
        assert len((tmp_path / QUERIES).read_text().splitlines()) == 1


def test_taking_back(tmp_path):
    with JudgementFiles(tmp_path) as files:
        files.add(Q, "a", 1)
    with JudgementFiles(tmp_path) as files:
        files.add(Q, "b", 1)
        files.add(R, "b", 2)
        assert files.undo()
        assert files.grade(R, "b") is None
        files.add(R, "b", 0)
        assert files.undo()
        assert files.undo()
        assert not files.undo(), "what another session judged stays"
    assert read_qrels(tmp_path / QRELS) == {"1": {"a": 1}}


def test_ids_that_columns_have_no_place_for(tmp_path):
    """A name in Persian has a sign of no width in it, one from a Mac's screenshots a space of no break."""
    odd = [Query(name, f"what is in {name}?") for name in ("می\u200cخواهم.md", "at 10\u202fAM.txt", "备份\u3000.md")]
    with JudgementFiles(tmp_path) as files:
        for number, query in enumerate(odd):
            files.add(query, query.id, number)
        assert (len(files), files.relevant) == (3, 2)
    with JudgementFiles(tmp_path) as files:
        assert [files.grade(query, query.id) for query in odd] == [0, 1, 2]
        assert (len(files), files.relevant) == (3, 2)
        assert files.undo() is False
    queries = read_queries(tmp_path / QUERIES)
    judged = judged_by_qrels(queries, read_qrels(tmp_path / QRELS), [query.id for query in odd])
    assert [query.text for query in judged.queries] == [query.text for query in odd[1:]]
    assert [list(grades) for grades in judged.qrels.values()] == [[query.id] for query in odd[1:]]


def test_a_last_line_without_an_end_as_editors_leave_it(tmp_path):
    with JudgementFiles(tmp_path) as files:
        files.add(Q, "a", 1)
        files.add(R, "b", 2)
    before = [(tmp_path / name).read_bytes() for name in (QUERIES, QRELS)]
    for name in (QUERIES, QRELS):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes().removesuffix(b"\n"))
    with JudgementFiles(tmp_path) as files:
        assert files.grade(R, "b") == 2
    assert [(tmp_path / name).read_bytes() for name in (QUERIES, QRELS)] == before


@pytest.mark.parametrize("lost", range(2, 9))
def test_a_line_that_a_crash_cut_off_is_forgotten(tmp_path, lost):
    with JudgementFiles(tmp_path) as files:
        files.add(Q, "a", 1)
        files.add(Q, "bbb", 2)
    path = tmp_path / QRELS
    path.write_bytes(path.read_bytes()[:-lost])
    with JudgementFiles(tmp_path) as files:
        assert (files.grade(Q, "a"), files.grade(Q, "bbb")) == (1, None)
        files.add(Q, "bbb", 0)
    assert read_qrels(path) == {"1": {"a": 1, "bbb": 0}}


@pytest.mark.parametrize("kept", [0, 5, 27])
def test_a_crash_at_the_header(tmp_path, kept):
    with JudgementFiles(tmp_path) as files:
        files.add(Q, "a", 1)
    path = tmp_path / QRELS
    path.write_bytes(path.read_bytes()[:kept])
    with JudgementFiles(tmp_path) as files:
        assert files.grade(Q, "a") is None
        files.add(Q, "a", 1)
    assert read_qrels(path) == {"1": {"a": 1}}


def test_one_process_at_a_time(tmp_path):
    with JudgementFiles(tmp_path), pytest.raises(LockedError, match="is being judged"):
        JudgementFiles(tmp_path)
    with JudgementFiles(tmp_path):
        pass


def test_other_queries_under_the_same_ids(tmp_path):
    with JudgementFiles(tmp_path) as files:
        files.add(Q, "a", 1)
        with pytest.raises(ConfigError, match="another query under the id '1'"):
            files.grade(Query("1", "something else"), "a")


def test_broken_files_are_named_and_the_lock_is_free_again(tmp_path):
    (tmp_path / QRELS).write_text("query-id\tcorpus-id\tscore\na\tb\n")
    for _ in range(2):
        with pytest.raises(InputError, match=r"qrels.tsv:2: 2 columns"):
            JudgementFiles(tmp_path)
