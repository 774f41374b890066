import pytest

from bertpipe.retrieval.document_ranking import rank_documents
from bertpipe.retrieval.held_out import held_out_queries
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.judging_pool import pooled_documents, queries_of_corpus, sampled_queries
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.search_result import MODES
from bertpipe.text.document import Document
from bertpipe.text.readers.queries import Query

MANY = [Query(str(number), f"query {number}") for number in range(100)]


def test_samples_are_the_same_whatever_the_order_and_grow():
    ten = sampled_queries(MANY, 10)
    assert sampled_queries(reversed(MANY), 10) == ten
    assert sampled_queries(MANY, 30)[:10] == ten
    assert ten != MANY[:10]
    assert sorted(sampled_queries(MANY, 1000), key=lambda query: int(query.id)) == MANY


def test_a_pool_is_what_all_modes_find_in_an_order_of_its_own(built_index):
    index = Index(built_index, threads=1)
    query = Query("1", "wash the burrs with water")
    best = {mode: [one.id for one in rank_documents(index, query.text, 2, mode)] for mode in MODES}
    pool = [one.id for one in pooled_documents(index, query, 2)]
    assert set(pool) == set().union(*best.values())
    assert len(pool) == len(set(pool))
    assert [one.id for one in pooled_documents(index, query, 2)] == pool
    orders = {
        tuple(one.id for one in pooled_documents(index, Query(str(number), query.text), 3)) for number in range(8)
    }
    assert len(orders) > 2, "the place says nothing about the rank"


@pytest.mark.parametrize("shared", [0, 9])
def test_queries_of_a_corpus_are_those_of_its_documents(shared):
    first, rest = "How the grinder is cleaned.", "It is brushed with a small brush once in every week of the year."
    documents, passages = [], []
    for number in range(80):
        text = f"{first} \n{rest}"
        group = f"dialogue {number // 4}" if number >= 40 else ""
        documents.append(Document(f"d{number}", "", text, group=group))
        cuts = [(0, len(first)), (len(first) + 2 if not shared else len(first) - shared, len(text))]
        passages += [
            Passage(2 * number + place, f"{number}#{place}", f"d{number}", "", text[start:end], start, end, group=group)
            for place, (start, end) in enumerate(cuts)
        ]
    expected = [(one.document.id, one.text) for one in held_out_queries(documents)]
    assert {int(name[1:]) >= 40 for name, _ in expected} == {True, False}
    assert [(one.id, one.text) for one in queries_of_corpus(passages)] == expected
