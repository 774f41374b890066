import hashlib
import json
import math

import numpy as np
import pytest

from bertpipe.retrieval.candidates import Candidates
from bertpipe.retrieval.fusion import NEARNESS, WEIGHTS
from bertpipe.retrieval.held_out import HeldOutQuery, held_out_queries
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.passage_store import PassageStore
from bertpipe.retrieval.passage_writer import PassageWriter
from bertpipe.retrieval.report import FEWEST_QUERIES, Judged, best_weight, choose_mode, judge, make_report
from bertpipe.text.document import Document, is_held_out
from bertpipe.text.passages import document_windows

# What a relevant document at the second and the fourth place is worth.
SECOND, FOURTH = 1 / math.log2(3), 1 / math.log2(5)


def judged(name, bm25, dense, documents=None, relevant=1, kind="title", near=None):
    """A query whose candidates are numbered from 0; candidate n is of document n unless told otherwise."""
    count = len(bm25)
    together = np.zeros(count) if near is None else np.array(near, np.float64)
    candidates = Candidates(np.arange(count), np.array(bm25, np.float32), np.array(dense, np.float32), together)
    owners = np.arange(count) if documents is None else np.array(documents)
    return Judged(HeldOutQuery("?", kind, Document(str(name), "", "")), candidates, owners, relevant)


def in_first_half(name):
    return hashlib.sha256(f"half {name}".encode()).digest()[0] < 128


def many(bm25, dense, count=24, **more):
    return [judged(name, bm25, dense, **more) for name in range(count)]


def test_measures_of_one_query():
    one = judged("a", bm25=[3, 2, 1, 0], dense=[0.1, 0.5, 0.9, 0.2])
    assert one.ranking("bm25", 0.5) == [0, 1, 2]  # what shares no word with the query was not found
    assert one.ranking("dense", 0.5) == [2, 1, 3, 0]
    assert one.ranking("hybrid", 0.0) == [0, 1, 2, 3]
    assert one.ranking("hybrid", 1.0) == [2, 1, 3, 0]
    assert one.measures("bm25", 0.5) == pytest.approx((SECOND, 1 / 2, 1))
    missed = judged("b", bm25=[3, 2, 1, 0], dense=[4, 3, 2, 1], relevant=3)
    assert missed.measures("bm25", 0.5) == (0, 0, 0)
    assert missed.measures("dense", 0.5) == pytest.approx((FOURTH, 1 / 4, 1))


def test_a_document_counts_once_where_its_best_passage_stands():
    one = judged("a", bm25=[5, 4, 3, 2], dense=[0, 0, 0, 1], documents=[0, 0, 0, 1])
    assert one.ranking("bm25", 0.5) == [0, 1]
    assert one.measures("bm25", 0.5) == pytest.approx((SECOND, 1 / 2, 1))


def test_only_ten_documents_count():
    one = judged("a", bm25=np.arange(20, 0, -1), dense=np.arange(20), relevant=10)
    assert one.measures("bm25", 0.5) == (0, 0, 0)
    assert one.measures("dense", 0.5) == pytest.approx((1 / math.log2(11), 1 / 10, 1))


def test_the_report_of_queries_that_are_all_alike():
    report = make_report(many(bm25=[2, 1, 0.5], dense=[0.2, 0.9, 0.1]), seed=0)
    assert report["measured"] is True
    assert report["queries"] == 24
    assert report["query_kinds"] == {"title": 24}
    same = {"mean": 0.6309, "low": 0.6309, "high": 0.6309}
    perfect = {"mean": 1.0, "low": 1.0, "high": 1.0}
    half = {"mean": 0.5, "low": 0.5, "high": 0.5}
    assert report["modes"]["bm25"] == {"ndcg@10": same, "mrr@10": half, "recall@10": perfect}
    assert report["modes"]["dense"] == {"ndcg@10": perfect, "mrr@10": perfect, "recall@10": perfect}
    gain = {"mean": 0.3691, "low": 0.3691, "high": 0.3691}
    nothing = {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert report["differences"]["dense - bm25"] == {"ndcg@10": gain, "mrr@10": half, "recall@10": nothing}
    assert report["mode"] == "hybrid"  # with a weight that the vectors decide, as good as they are
    assert report["verdict"] == (
        "Words and vectors together find better than words alone: nDCG@10 +0.369 (95% interval +0.369 to +0.369)."
    )
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_figures_are_means_over_the_queries():
    good = [judged(name, bm25=[1, 2, 0.5], dense=[1, 2, 3], relevant=1) for name in range(15)]
    bad = [judged(name, bm25=[1, 2, 0.5, 0], dense=[4, 3, 2, 1], relevant=3) for name in range(15, 25)]
    report = make_report(good + bad, seed=0)
    bm25, dense = report["modes"]["bm25"], report["modes"]["dense"]
    assert bm25["ndcg@10"]["mean"] == bm25["mrr@10"]["mean"] == bm25["recall@10"]["mean"] == 15 / 25
    assert dense["ndcg@10"]["mean"] == pytest.approx((15 * SECOND + 10 * FOURTH) / 25, abs=1e-4)
    assert dense["mrr@10"]["mean"] == pytest.approx((15 / 2 + 10 / 4) / 25, abs=1e-4)
    assert dense["recall@10"]["mean"] == 1
    # The bootstrap of a share of 0.6 among 25: about 0.6 +- 1.96 * sqrt(0.6 * 0.4 / 25).
    assert bm25["recall@10"]["low"] == pytest.approx(0.6 - 0.192, abs=0.05)
    assert bm25["recall@10"]["high"] == pytest.approx(0.6 + 0.192, abs=0.05)
    difference = report["differences"]["dense - bm25"]["recall@10"]
    assert difference["mean"] == pytest.approx(0.4)
    assert 0 < difference["low"] < 0.4 < difference["high"] < 0.8


def test_no_query_helps_to_choose_the_weight_it_is_measured_with():
    """Words are right in one half and vectors in the other: a weight from the other half is always wrong."""
    queries = []
    for name in range(60):
        right, wrong = [1, 5, 1, 2], [5, 0.5, 3, 2]
        sides = (right, wrong) if in_first_half(name) else (wrong, right)
        queries.append(judged(name, *sides))
    report = make_report(queries, seed=0)
    first, second = report["weights_by_half"]
    assert first < 0.5 < second  # the first half likes words, the second vectors
    own = [one.measures("hybrid", first if in_first_half(one.query.document.id) else second)[0] for one in queries]
    assert np.mean(own) == 1
    assert report["modes"]["hybrid"]["ndcg@10"]["mean"] < 0.6
    assert report["modes"]["bm25"]["ndcg@10"]["mean"] > 0.6
    assert report["mode"] != "hybrid"


@pytest.mark.parametrize(
    ("dense", "hybrid", "bm25", "expected"),
    [(0.52, 0.51, 0.3, "hybrid"), (0.9, 0.51, 0.3, "dense"), (0.5, 0.29, 0.3, "dense"), (0.2, 0.3, 0.3, "bm25")],
)
def test_vectors_alone_must_be_surely_better_than_the_hybrid(dense, hybrid, bm25, expected):
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=0.2, size=100)
    noise -= noise.mean()
    values = {mode: np.full((100, 3), mean) for mode, mean in {"dense": dense, "hybrid": hybrid, "bm25": bm25}.items()}
    values["dense"][:, 0] += noise
    assert choose_mode(values, seed=0) == expected


def test_the_weight_for_searches_is_the_best_of_all_queries():
    queries = many(bm25=[3, 2.9, 0], dense=[0.1, 0.5, 0.5])
    report = make_report(queries, seed=0)
    assert report["weight"] == best_weight(queries)
    means = [np.mean([one.measures("hybrid", weight)[0] for one in queries]) for weight in WEIGHTS]
    assert np.mean([one.measures("hybrid", report["weight"])[0] for one in queries]) == max(means)
    best = [weight for weight, mean in zip(WEIGHTS, means, strict=True) if mean == max(means)]
    assert report["weight"] == best[len(best) // 2]


@pytest.mark.parametrize(
    ("near", "helps"), [([0, 5, 1], True), ([5, 0, 1], False), ([0, 0, 0], False)], ids=["helps", "harms", "no say"]
)
def test_words_that_stand_together_count_where_they_surely_help(near, helps):
    queries = many(bm25=[3, 2.9, 0], dense=[0.5, 0.49, 0.1], near=near)
    without = make_report(queries, seed=0, nearness="off")
    report = make_report(queries, seed=0)
    always = make_report(queries, seed=0, nearness="on")
    assert (without["nearness"], report["nearness"], always["nearness"]) == (0, NEARNESS if helps else 0, NEARNESS)
    assert report["modes"] == (always if helps else without)["modes"]
    assert report["weight"] == best_weight(queries, report["nearness"])
    gain = always["modes"]["hybrid"]["ndcg@10"]["mean"] - without["modes"]["hybrid"]["ndcg@10"]["mean"]
    assert report["nearness_difference"]["ndcg@10"]["mean"] == pytest.approx(gain, abs=2e-4)
    assert ("stand together" in report["verdict"]) == helps
    assert without["modes"]["bm25"] == always["modes"]["bm25"]


def test_a_weight_that_is_given_is_not_tuned():
    queries = many(bm25=[3, 2.9, 0], dense=[0.5, 0.49, 0.1])
    report = make_report(queries, seed=0, weight=0.15)
    assert (report["weight"], report["weights_by_half"]) == (0.15, [0.15, 0.15])
    expected = np.mean([one.measures("hybrid", 0.15)[0] for one in queries])
    assert report["modes"]["hybrid"]["ndcg@10"]["mean"] == pytest.approx(expected, abs=1e-4)
    few = make_report(queries[:3], seed=0, weight=0.15)
    assert few["weight"] == 0.15
    assert "with the weight given" in few["verdict"]


@pytest.mark.parametrize("count", [0, 1, FEWEST_QUERIES - 1])
def test_too_few_queries(count):
    report = make_report(many([1, 2], [2, 1], count), seed=0)
    assert report["measured"] is False
    assert (report["mode"], report["weight"], report["queries"]) == ("hybrid", 0.5, count)
    assert report["verdict"].startswith(f"Not measured: {count} held-out quer")
    assert "modes" not in report
    assert report["nearness"] == 0
    assert make_report(many([1, 2], [2, 1], count), seed=0, nearness="on")["nearness"] == NEARNESS
    assert make_report(many([1, 2], [2, 1], FEWEST_QUERIES), seed=0)["measured"] is True


def test_the_verdict_when_vectors_do_not_help():
    report = make_report(many(bm25=[1, 5, 0.5], dense=[0.9, 0.1, 0.5]), seed=0)
    assert report["mode"] == "bm25"
    assert report["verdict"].startswith("The trained encoder does not help on this corpus: words alone (BM25)")


def test_the_verdict_when_the_gain_may_be_chance():
    queries = []
    for name in range(40):  # 21 to 19 for the vectors
        sides = ([1, 2], [2, 1]) if name < 19 else ([2, 1], [1, 2])
        queries.append(judged(name, *sides))
    report = make_report(queries, seed=0)
    assert report["mode"] == "dense"
    assert "about as well as words alone" in report["verdict"]
    assert "which may be chance" in report["verdict"]
    low = report["differences"]["dense - bm25"]["ndcg@10"]["low"]
    assert low < 0
    assert f"{low:+.3f} to" in report["verdict"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("side", ["bm25", "dense"])
def test_scores_that_are_not_finite_are_refused(bad, side):
    """A NaN compares false with everything: a broken encoder would look like one that finds all."""
    queries = many(bm25=[1, 2, 3], dense=[1, 2, 3])
    broken = {"bm25": [1, 2, 3], "dense": [1, 2, 3], side: [1, bad, 3]}
    queries[7] = judged(7, **broken)
    with pytest.raises(ValueError, match="not finite"):
        make_report(queries, seed=0)


def test_the_same_queries_give_the_same_report():
    rng = np.random.default_rng(0)
    queries = [judged(name, rng.random(9), rng.random(9)) for name in range(40)]
    assert make_report(queries, seed=3) == make_report(queries, seed=3)


@pytest.fixture(scope="module")
def collection(tmp_path_factory, encoder):
    """Documents, their passages and vectors; the held-out ones begin with words that they have nowhere else."""
    held = [name for name in map(str, range(200)) if is_held_out(name)][:4]
    kept = [name for name in map(str, range(200)) if not is_held_out(name)][:8]
    documents = [
        Document(
            name,
            f"thing.{name}",
            f"Zebra number{place} crossing here. The grinder stops when beans jam, so clean its burrs number {place} "
            "with a small brush. Water must never reach the motor of the machine.",
        )
        for place, name in enumerate(held)
    ]
    documents += [
        Document(name, "", "The tap drips because its washer is worn. Turn off the water first.") for name in kept
    ]
    passages = []
    for document in documents:
        windows = document_windows(document.title, document.text, encoder.tokenizer, encoder.settings.passage_tokens)
        for place, window in enumerate(windows):
            text = document.text[window.start : window.end]
            name = f"{document.id}#{place}"
            passages.append(Passage(len(passages), name, document.id, document.title, text, window.start, window.end))
    path = tmp_path_factory.mktemp("report") / "passages"
    with PassageWriter(path) as store:
        store.add_many(passages)
    vectors = encoder.encode_passages([(passage.title, passage.text) for passage in passages])
    return documents, PassageStore.open(path), vectors


def test_the_query_is_taken_out_of_the_collection(collection, encoder):
    documents, store, vectors = collection
    queries = list(held_out_queries(documents))
    assert [query.text for query in queries] == [f"Zebra number{place} crossing here." for place in range(4)]
    done = []
    found = judge(queries, store, vectors, encoder, overlap=0, advance=done.append)
    assert sum(done) == len(found) == 4
    for query, one in zip(queries, found, strict=True):
        assert one.query is query
        assert not one.candidates.bm25.any()  # no word of the query is left anywhere
        assert one.relevant in one.documents
        mine = one.candidates.dense[one.documents == one.relevant]
        document = query.document
        windows = document_windows(document.title, document.text, encoder.tokenizer, encoder.settings.passage_tokens)
        texts = [(document.title, document.text[window.start : window.end]) for window in windows]
        expected = encoder.encode_passages(texts) @ encoder.encode_queries([query.text])[0]
        np.testing.assert_allclose(np.sort(mine), np.sort(expected), atol=1e-5)
        # Everything else is there unchanged: twelve documents in all.
        assert len(set(one.documents.tolist())) == 12


def test_judging_nothing(collection, encoder):
    _, store, vectors = collection
    assert judge([], store, vectors, encoder, overlap=0, advance=lambda count: None) == []
