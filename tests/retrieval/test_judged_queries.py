from pathlib import Path

import pytest

from bertpipe.errors import InputError
from bertpipe.retrieval.judged_queries import judged_by_contexts, judged_by_qrels
from bertpipe.retrieval.passage import Passage
from bertpipe.text.readers.queries import Query, QueryFile
from bertpipe.text.readers.squad import Question


def queries(*ids, layout="tsv"):
    return QueryFile(Path("queries"), layout, [Query(one, f"text of {one}") for one in ids])


def test_documents_are_named_by_their_ids_or_what_stands_behind_the_sign():
    documents = ["a.jsonl#7", "a.jsonl#8", "notes/b c.md", "9"]
    found = judged_by_qrels(queries("q"), {"q": {"7": 2, "notes/b%20c.md": 1, "9": 1, "gone": 1}}, documents)
    assert found.qrels == {"q": {"7": 2, "notes/b c.md": 1, "9": 1, "gone": 1}}
    assert [found.name(document) for document in documents] == ["7", "8", "notes/b c.md", "9"]
    assert found.unknown == ["gone"]
    found = judged_by_qrels(queries("q"), {"q": {"a.jsonl#7": 1}}, documents)
    assert [found.name(document) for document in documents] == documents


def test_whole_ids_and_what_stands_behind_the_sign_in_one_file():
    documents = ["a.jsonl#1", "a.jsonl#2", "b.md"]
    found = judged_by_qrels(queries("q"), {"q": {"a.jsonl#1": 2, "2": 1, "b.md": 1}}, documents)
    assert found.qrels == {"q": dict(zip(map(found.name, documents), (2, 1, 1), strict=True))}
    assert found.unknown == []


def test_an_id_that_could_be_two_documents_is_refused():
    with pytest.raises(InputError, match=r"'7' could be 'a.jsonl#7' or 'b.jsonl#7'"):
        judged_by_qrels(queries("q"), {"q": {"7": 1}}, ["a.jsonl#7", "b.jsonl#7"])


def test_what_is_not_measured_is_counted():
    qrels = {"q": {"a": 1}, "none": {"a": 0, "b": -1}, "stranger": {"a": 1}}
    found = judged_by_qrels(queries("q", "none", "unjudged"), qrels, ["a", "b"])
    assert [query.id for query in found.queries] == ["q"]
    assert found.left_out == {
        "not judged": 1,
        "nothing relevant": 1,
        "judged, but not in the file of queries": 1,
    }


def test_nothing_fits():
    with pytest.raises(InputError, match="none of the 1 judged documents is in the index"):
        judged_by_qrels(queries("q"), {"q": {"x": 1}}, ["a"])
    with pytest.raises(InputError, match="no query has a judgement"):
        judged_by_qrels(queries("q"), {"r": {"a": 1}}, ["a"])


def test_smart_queries_are_numbered_as_the_judgements_number_them():
    file = queries("001", "004", "008", layout="smart")
    found = judged_by_qrels(file, {"1": {"a": 1}, "4": {"a": 1}}, ["a"])
    assert ([(query.id, query.text) for query in found.queries], found.by_place) == (
        [("1", "text of 001"), ("4", "text of 004")],
        False,
    )
    # Cranfield: 3 is no number of a query, so that the judgements count the queries.
    found = judged_by_qrels(file, {"1": {"a": 1}, "2": {"a": 1}, "3": {"a": 1}}, ["a"])
    assert ([(query.id, query.text) for query in found.queries], found.by_place) == (
        [("1", "text of 001"), ("2", "text of 004"), ("3", "text of 008")],
        True,
    )


def passage(number, document, text, start=0):
    return Passage(number, str(number), document, "", text, start, start + len(text))


def question(own, context, *, impossible=False):
    return Question(own, f"question {own}?", context, "", (), impossible)


def test_paragraphs_are_found_by_their_text():
    whole = "One sentence. Another  sentence.\nThe last one."
    passages = [
        passage(0, "a", "One sentence. Another"),
        passage(1, "a", "Another  sentence.", 14),  # shares a word with the first
        passage(2, "a", "The last one.", 33),
        passage(3, "b", "before ONE sentence. Another sentence. The last one. after"),
        passage(4, "c", "Something else"),
        passage(5, "d", "something  ｅlse"),
        Passage(6, "6", "e", "A title", "and its text.", 0, 13),
    ]
    asked = [
        question("1", whole),
        question("2", "something else"),
        question("3", "The last one"),
        question("4", "nowhere at all"),
        question("6", "A title\nand its text."),
        question("7", "and its text."),
    ]
    found = judged_by_contexts([*asked, question("5", whole, impossible=True)], passages)
    assert found.qrels == {"1": {"a": 1}, "2": {"c": 1, "d": 1}, "3": {"a": 1, "b": 1}, "6": {"e": 1}, "7": {"e": 1}}
    assert found.left_out == {"paragraph not in the index": 1, "no answer": 1}
    with pytest.raises(InputError, match="none of the 1 questions' paragraphs is in the index"):
        judged_by_contexts([question("4", "nowhere at all")], passages)
