import numpy as np
import pytest

from bertpipe.retrieval.report import FEWEST_QUERIES
from bertpipe.retrieval.rerank_report import DEPTH, ReadQuery, best_rerank_weight, make_rerank_report


def queries(count, right, seed=0):
    """Queries whose relevant document, number 0, is found anywhere in the first twenty.

    Args:
        count: How many.
        right: How much the reranker knows of which it is.
        seed: Of all else.
    """
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        documents = rng.permutation(40)
        reranked = rng.normal(size=DEPTH) + right * (documents[:DEPTH] == 0)
        found = -np.sort(-rng.normal(size=40))
        made.append(ReadQuery(documents, found, reranked.astype(np.float32), 0, number % 2 == 0, "hybrid"))
    return made


def test_a_reranker_that_knows_helps():
    report = make_rerank_report(queries(80, right=5.0), seed=0)
    assert report["helps"] is True
    assert report["weight"] > 0.5
    assert set(report["modes"]) == {"hybrid", "reranked"}
    without, with_it = (report["modes"][name]["ndcg@10"]["mean"] for name in ("hybrid", "reranked"))
    difference = report["differences"]["reranked - hybrid"]["ndcg@10"]
    assert difference["mean"] == pytest.approx(with_it - without, abs=2e-4)
    assert difference["low"] > 0
    assert "finds better" in report["verdict"]


def test_one_that_does_not_is_off():
    report = make_rerank_report(queries(80, right=0.0), seed=0)
    assert report["helps"] is False
    assert "does not surely help" in report["verdict"]


def test_no_query_helps_to_choose_the_weight_that_it_is_measured_with():
    """One half wants the reranker, the other does not; each is measured with what the other wants."""
    first = [one for one in queries(80, right=5.0) if one.first_half]
    other = [one for one in queries(80, right=-5.0) if not one.first_half]
    report = make_rerank_report(first + other, seed=0)
    assert report["weights_by_half"] == [best_rerank_weight(first), best_rerank_weight(other)]
    assert report["weights_by_half"][0] > report["weights_by_half"][1]
    expected = [one.measures(report["weights_by_half"][1]) for one in first]
    expected += [one.measures(report["weights_by_half"][0]) for one in other]
    assert report["modes"]["reranked"]["ndcg@10"]["mean"] == pytest.approx(np.mean(expected, axis=0)[0], abs=1e-4)


def test_too_few_to_measure():
    report = make_rerank_report(queries(FEWEST_QUERIES - 1, right=5.0), seed=0)
    assert (report["measured"], report["helps"]) == (False, False)


def test_documents_count_once_and_relevant_ones_may_be_missing():
    one = ReadQuery(np.array([3, 3, 1]), np.array([3.0, 2.0, 1.0]), np.array([0.0, 1.0]), 1, True, "bm25")
    assert one.measures(None) == one.measures(1.0) == (pytest.approx(1 / np.log2(3)), 0.5, 1.0)
    missing = ReadQuery(np.array([3]), np.array([3.0]), np.array([0.0]), 1, True, "bm25")
    assert missing.measures(0.5) == (0.0, 0.0, 0.0)
