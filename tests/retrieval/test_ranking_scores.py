"""trec_eval's figures, and our own metrics beside them."""

import numpy as np
import pytest

from bertpipe.retrieval.metrics import ndcg, recall, reciprocal_rank
from bertpipe.retrieval.ranking_scores import CUTS, METRICS, score_rankings

pytest.importorskip("ir_measures")


def random_collection(seed):
    draw = np.random.default_rng(seed)
    qrels, rankings = {}, {}
    for number in range(60):
        documents = [f"d{one}" for one in draw.permutation(300)]
        grades = {document: int(grade) for document, grade in zip(documents, draw.integers(-1, 4, 12), strict=False)}
        grades["d-not-in-the-index"] = 2
        qrels[f"q{number}"] = grades
        shuffled = [documents[one] for one in draw.permutation(draw.integers(5, 200))]
        # Many equal scores: what counts is the order.
        rankings[f"q{number}"] = [(one, float(-(place // 7))) for place, one in enumerate(shuffled)]
    return qrels, rankings


@pytest.mark.parametrize("seed", range(3))
def test_our_own_metrics_say_the_same_to_the_last_digit(seed):
    qrels, rankings = random_collection(seed)
    queries = list(qrels)
    values, curves = score_rankings(qrels, rankings, queries)
    expected = {name: [] for name in ("ndcg@10", "mrr@10", "recall@10", "recall@100")}
    for query in queries:
        grades = {document: float(max(0, grade)) for document, grade in qrels[query].items()}
        relevant = {document for document, grade in grades.items() if grade > 0}
        ranking = [document for document, _ in rankings[query]]
        expected["ndcg@10"].append(ndcg(ranking, grades, 10))
        expected["mrr@10"].append(reciprocal_rank(ranking, relevant, 10))
        expected["recall@10"].append(recall(ranking, relevant, 10))
        expected["recall@100"].append(recall(ranking, relevant, 100))
    for name, ours in expected.items():
        np.testing.assert_allclose(values[name], ours, rtol=0, atol=1e-15, err_msg=name)
    assert curves["ndcg"][CUTS.index(10)] == pytest.approx(np.mean(expected["ndcg@10"]), abs=1e-15)
    assert curves["recall"][CUTS.index(100)] == pytest.approx(np.mean(expected["recall@100"]), abs=1e-15)


def test_average_precision_by_hand():
    values, _ = score_rankings({"q": {"a": 1, "b": 2, "c": 1}}, {"q": [("a", 3.0), ("x", 2.0), ("b", 1.0)]}, ["q"])
    assert values["map@100"][0] == pytest.approx((1 / 1 + 2 / 3) / 3)


def test_a_query_that_finds_nothing_counts():
    values, curves = score_rankings({"q": {"a": 1}, "r": {"a": 1}}, {"q": [("a", 1.0)], "r": []}, ["r", "q"])
    assert all(values[name].tolist() == [0.0, 1.0] for name in METRICS)
    assert curves["recall"] == [0.5] * len(CUTS)


def test_mrr_looks_at_ten_documents():
    ranking = [(f"x{place}", float(-place)) for place in range(10)]
    values, _ = score_rankings({"q": {"a": 1}}, {"q": [*ranking, ("a", -99.0)]}, ["q"])
    assert values["mrr@10"][0] == 0
    assert values["recall@100"][0] == 1
