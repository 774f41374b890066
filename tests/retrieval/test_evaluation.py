import json
from pathlib import Path

import pytest

from bertpipe.progress import Silent
from bertpipe.retrieval.document_ranking import rank_documents
from bertpipe.retrieval.evaluation import evaluate_index
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.judged_queries import JudgedQueries
from bertpipe.retrieval.query_batches import search_many
from bertpipe.retrieval.search_result import MODES
from bertpipe.text.readers.queries import Query

QUERIES = [Query("q1", "wash the burrs with water"), Query("q2", "怎样清洗滤芯"), Query("q3", "zzz")]
QRELS = {"q1": {"Cleaning the grinder": 2, "A dripping tap": 1}, "q2": {"加湿器": 1}, "q3": {"gone": 1, "untitled": 0}}


@pytest.fixture(scope="module")
def index(built_index):
    return Index(built_index, threads=1)


@pytest.fixture(scope="module")
def judged(index):
    return JudgedQueries(
        QUERIES, QRELS, {one: one.partition("#")[2] for one, _ in index.passages.documents()}, ["gone"]
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "new"


@pytest.fixture(scope="module")
def report(index, judged, runs):
    pytest.importorskip("ir_measures")
    return evaluate_index(index, judged, progress=Silent(), runs=runs)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("k", [1, 2, 100])
def test_documents_stand_where_their_best_passage_stands(index, mode, k):
    hits = index.search("water", 100, mode).hits
    expected = list(dict.fromkeys(hit.passage.document for hit in hits))[:k]
    found = rank_documents(index, "water", k, mode)
    assert [one.id for one in found] == expected
    for one in found:
        best = next(hit for hit in hits if hit.passage.document == one.id)
        assert (one.passage, one.score) == (best.passage, pytest.approx(best.score))


def test_the_written_runs_give_the_reported_figures(report, runs):
    """By pytrec_eval alone, from the files."""
    import pytrec_eval

    evaluator = pytrec_eval.RelevanceEvaluator(QRELS, {"ndcg_cut.10", "map_cut.100", "recall.10,100"})
    for mode in MODES:
        run = {}
        for line in (runs / f"{mode}.run").read_text(encoding="utf-8").splitlines():
            query, _, document, _, score, name = line.split()
            run.setdefault(query, {})[document.replace("%20", " ")] = float(score)
            assert name == f"bertpipe-{mode}"
        found = evaluator.evaluate(run)
        for metric, theirs in (("ndcg@10", "ndcg_cut_10"), ("map@100", "map_cut_100"), ("recall@100", "recall_100")):
            mean = sum(found.get(query.id, {}).get(theirs, 0.0) for query in QUERIES) / len(QUERIES)
            assert report["modes"][mode][metric]["mean"] == pytest.approx(mean, abs=1e-6)


def test_differences_are_paired(report):
    rows = report["per_query"]
    for mode in ("hybrid", "dense"):
        gains = [row[mode]["ndcg@10"] - row["bm25"]["ndcg@10"] for row in rows]
        difference = report["differences"][f"{mode} - bm25"]
        assert difference["ndcg@10"]["mean"] == pytest.approx(sum(gains) / len(gains), abs=1e-5)
        assert min(gains) - 1e-6 <= difference["ndcg@10"]["low"] <= difference["ndcg@10"]["high"] <= max(gains) + 1e-6
        assert sum(difference["queries"].values()) == len(rows)


def test_every_query_says_what_it_found(report):
    rows = {row["id"]: row for row in report["per_query"]}
    assert rows["q3"]["bm25"]["first_relevant"] is None
    assert rows["q3"]["bm25"]["best"] == []
    assert rows["q1"]["relevant"] == 2
    assert rows["q1"]["bm25"]["best"] == ["Cleaning the grinder"]
    assert rows["q1"]["bm25"]["first_relevant"] == 1
    assert json.loads(json.dumps(report))["unknown_documents"] == {"count": 1, "first": ["gone"]}


@pytest.mark.parametrize("mode", [None, *MODES])
def test_many_queries_find_what_each_finds_alone(index, mode):
    texts = ["water", "", "清洗", "\ud800", *(f"tap {number}" for number in range(300))]
    for text, found in zip(texts[:6], search_many(index, texts, 3, mode), strict=False):
        alone = index.search(text, 3, mode)
        assert found.query == text
        assert [hit.passage.number for hit in found.hits] == [hit.passage.number for hit in alone.hits]
        assert [hit.score for hit in found.hits] == pytest.approx([hit.score for hit in alone.hits], rel=1e-4)


def test_every_field_is_documented(report):
    text = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")

    def names(value):
        if isinstance(value, dict):
            yield from value
            for one in value.values():
                yield from names(one)
        elif isinstance(value, list):
            for one in value:
                yield from names(one)

    for name in {"index", "data", *names(report)}:
        assert f"`{name}`" in text, f"docs/evaluation.md does not explain {name}"
