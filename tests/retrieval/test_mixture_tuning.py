"""The mixture that finds judged queries best, against trying every one."""

from dataclasses import replace

import numpy as np
import pytest

from bertpipe.retrieval.document_ranking import rank_documents
from bertpipe.retrieval.fusion import NEARNESS, WEIGHTS
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.judged_queries import JudgedQueries
from bertpipe.retrieval.metrics import ndcg
from bertpipe.retrieval.mixture_tuning import judged_candidates, tune_mixture
from bertpipe.text.readers.queries import Query


@pytest.fixture(scope="module")
def index(built_index):
    return Index(built_index, threads=1)


@pytest.fixture(scope="module")
def judged(index):
    """Every passage's first words ask for its document; a judged document is not in the index."""
    queries, qrels = [], {}
    for round_ in range(4):
        for passage in index.passages.iterate():
            words = passage.text.split()
            name = f"q{round_}-{passage.number}"
            queries.append(Query(name, " ".join(words[round_ : round_ + 3]) or passage.text))
            qrels[name] = {passage.document.partition("#")[2]: 1, "gone": 2, "other": 0}
    names = {one: one.partition("#")[2] for one, _ in index.passages.documents()}
    return JudgedQueries(queries, qrels, names, ["gone"])


@pytest.mark.parametrize("nearness", [0.0, NEARNESS])
@pytest.mark.parametrize("weight", [0.0, 0.35, 1.0])
def test_measures_what_searches_find(index, judged, weight, nearness):
    told = []
    queries = judged_candidates(index, judged, told.append)
    assert sum(told) == len(queries) == len(judged.queries)
    other = Index(index.folder, threads=1)
    other.settings = replace(index.settings, weight=weight, nearness=nearness)
    for one, query in zip(queries[:12], judged.queries, strict=False):
        relevant = {name for name, grade in judged.qrels[query.id].items() if grade > 0} - {"gone"}
        found = [judged.name(document.id) for document in rank_documents(other, query.text, 10, "hybrid")]
        assert one.measures("hybrid", weight, nearness)[0] == pytest.approx(ndcg(found, relevant, 10))


def test_the_best_is_found(index, judged):
    best = tune_mixture(index, judged, lambda count: None)
    queries = judged_candidates(index, judged, lambda count: None)

    def mean(weight, nearness):
        return np.mean([one.measures("hybrid", weight, nearness)[0] for one in queries])

    assert best["measured"] is True
    assert best["queries"] == len(queries)
    assert mean(best["weight"], best["nearness"]) == max(mean(weight, best["nearness"]) for weight in WEIGHTS)
    assert best["gain"]["low"] <= best["gain"]["mean"] <= best["gain"]["high"]
    assert best["helps"] == (best["gain"]["low"] > 0)


def test_an_index_that_has_it_already_gains_nothing(index, judged):
    best = tune_mixture(index, judged, lambda count: None)
    index_of_it = Index(index.folder, threads=1)
    index_of_it.settings = replace(index.settings, weight=best["weight"], nearness=best["nearness"])
    assert tune_mixture(index_of_it, judged, lambda count: None)["gain"]["mean"] <= 1e-9


def test_too_few_queries_tune_nothing(index, judged):
    few = replace(judged, queries=judged.queries[:19])
    assert tune_mixture(index, few, lambda count: None) == {"measured": False, "queries": 19}
