import numpy as np
import pytest

from bertpipe.errors import ConfigError
from bertpipe.retrieval import tuning
from bertpipe.retrieval.codes import Codes
from bertpipe.retrieval.tuning import build_tuned, exact_nearest
from bertpipe.retrieval.vectors import VectorIndex
from bertpipe.tasks.bootstrap import bootstrap_interval


def clustered(count, width=32, seed=0):
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(60, width))[rng.integers(60, size=count)] + 0.6 * rng.normal(size=(count, width))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


VECTORS, QUERIES = clustered(6000)[:5600], clustered(6000)[5600:]


def shares_of(index, queries=QUERIES, vectors=VECTORS):
    truth = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    found = [index.search(query, 10)[0] for query in queries]
    return [len(set(a.tolist()) & set(b.tolist())) / 10 for a, b in zip(found, truth, strict=True)]


def recall_of(index):
    return np.mean(shares_of(index))


@pytest.mark.parametrize(
    "structure", ["IVF64,PQ16x4fs", "IVF64,RaBitQfs", "IVF64,SQ8", "HNSW8,SQ8", "RR32,IVF32,RaBitQfs"]
)
@pytest.mark.parametrize("target", [0.5, 0.95])
def test_reaches_the_recall_that_it_reports(structure, target):
    tuned = build_tuned(VECTORS, lambda: QUERIES, structure=structure, target=target)
    report = tuned.report
    assert tuned.reached
    assert report["reached"]
    assert report["recall@10"]["mean"] == pytest.approx(recall_of(tuned.index), abs=0.004)
    assert target <= report["recall@10"]["low"] <= report["recall@10"]["mean"] <= report["recall@10"]["high"] <= 1
    # One query's tenth and eleventh are 4e-7 apart.
    assert (report["name"], report["measured_on"], report["queries"]) == (structure, "held-out queries", 399)
    assert (report["probes"], report["refine"]) == (tuned.index.effort.probes, tuned.index.effort.refine)


def test_no_cheaper_effort_would_do():
    tuned = build_tuned(VECTORS, lambda: QUERIES, structure="IVF64,SQ8")
    effort = tuned.index.effort
    assert effort.probes > 1
    half = shares_of(tuned.index.with_effort(type(effort)(effort.probes // 2, effort.refine)))
    assert bootstrap_interval(half, 0)[0] < 0.95
    greedy = build_tuned(VECTORS, lambda: QUERIES, structure="IVF64,SQ8", target=0.999)
    assert greedy.index.effort.probes > effort.probes


def test_without_real_queries_passages_stand_in_for_them():
    tuned = build_tuned(VECTORS, lambda: QUERIES[:99], structure="IVF64,SQ8")
    assert (tuned.report["measured_on"], tuned.report["queries"]) == ("passages", 1000)
    chosen = np.linspace(0, len(VECTORS) - 1, 1000).astype(int)
    truth = VECTORS[chosen] @ VECTORS.T
    truth[np.arange(1000), chosen] = -2  # finding itself is no feat
    truth = np.argsort(-truth, axis=1)[:, :10]
    found = [tuned.index.search(VECTORS[number], 11)[0] for number in chosen]
    shares = [len(set(a.tolist()) & set(b.tolist())) / 10 for a, b in zip(found, truth, strict=True)]
    assert np.mean(shares) == pytest.approx(tuned.report["recall@10"]["mean"], abs=0.01)


def test_small_corpora_are_compared_one_by_one_and_measure_nothing():
    def refused():
        raise AssertionError("no queries are needed")

    tuned = build_tuned(VECTORS, refused)
    assert (tuned.index.structure, tuned.index.codes, tuned.recall) == ("Flat", None, None)
    assert tuned.report == {"name": "Flat", "exact": True, "target": 0.95, "reached": True, "tried": []}


def test_auto_goes_on_to_better_structures_and_at_last_to_flat(monkeypatch):
    monkeypatch.setattr(tuning, "choose_structures", lambda *_: ["IVF64,PQ4x4fs", "IVF64,SQ8", "Flat"])
    monkeypatch.setattr(tuning, "_REFINE", (1, 2))
    tuned = build_tuned(VECTORS, lambda: QUERIES)
    assert tuned.index.structure == "IVF64,SQ8"
    assert [tried["name"] for tried in tuned.report["tried"]] == ["IVF64,PQ4x4fs"]
    assert tuned.report["tried"][0]["recall@10"]["mean"] < 0.95
    monkeypatch.setattr(tuning, "choose_structures", lambda *_: ["IVF64,PQ4x4fs", "Flat"])
    tuned = build_tuned(VECTORS, lambda: QUERIES)
    assert (tuned.index.structure, tuned.report["exact"], len(tuned.report["tried"])) == ("Flat", True, 1)
    assert recall_of(tuned.index) == 1


def test_a_named_structure_is_kept_though_it_finds_too_little(monkeypatch):
    monkeypatch.setattr(tuning, "_REFINE", (1, 2))
    tuned = build_tuned(VECTORS, lambda: QUERIES, structure="IVF64,PQ4x4fs")
    assert not tuned.reached
    assert not tuned.report["reached"]
    assert tuned.index.structure == "IVF64,PQ4x4fs"
    assert tuned.index.effort.refine == 2


def test_copies_of_a_passage_do_not_count_as_missed():
    """Log lines repeat: which of a hundred copies are found says nothing of the rest."""
    vectors = np.concatenate([VECTORS, np.repeat(VECTORS[:20], 100, axis=0)])
    tuned = build_tuned(vectors, lambda: QUERIES, structure="IVF64,SQ8")
    assert tuned.reached
    assert 100 <= tuned.report["queries"] < 400
    assert tuned.index.effort.refine <= 2
    copies = build_tuned(np.repeat(VECTORS[:20], 100, axis=0), lambda: QUERIES, structure="IVF8,SQ8")
    assert copies.report["queries"] == 400  # nothing better to measure with


def test_what_was_trained_before_is_used_where_it_fits():
    before = Codes.train(clustered(3000, seed=7), "IVF64,SQ8")
    taught = build_tuned(VECTORS, lambda: QUERIES, structure="IVF64,SQ8,RFlat", trained=before.emptied())
    anew = build_tuned(VECTORS, lambda: QUERIES, structure="IVF64,SQ8")
    unfit = build_tuned(VECTORS, lambda: QUERIES, structure="IVF64,SQ8", trained=Codes.train(VECTORS, "IVF32,SQ8"))
    proposed = [one.index.codes.propose(QUERIES[:50], 20, 1) for one in (taught, anew, unfit)]
    assert (proposed[0] != proposed[1]).any()
    np.testing.assert_array_equal(proposed[1], proposed[2])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_handful_of_passages(count):
    tuned = build_tuned(VECTORS[:count], lambda: QUERIES[:0], structure="SQ8")
    assert len(tuned.index.search(QUERIES[0], 10)[0]) == count


def test_errors_come_before_anything_is_built():
    with pytest.raises(ConfigError, match="needs at least 8,192 passages"):
        build_tuned(VECTORS, lambda: QUERIES, structure="IVF8192,SQ8")
    with pytest.raises(ValueError, match="not finite"):
        build_tuned(VECTORS * np.nan, lambda: QUERIES, structure="SQ8")


def test_exact_nearest_over_several_blocks(monkeypatch):
    monkeypatch.setattr(tuning, "BLOCK", 700)
    exclude = np.arange(100)
    truth = VECTORS[:100] @ VECTORS.T
    truth[exclude, exclude] = -2
    expected = np.argsort(-truth, axis=1, kind="stable")[:, :10]
    np.testing.assert_array_equal(exact_nearest(VECTORS, VECTORS[:100], 10, exclude), expected)
    assert exact_nearest(VECTORS[:2], VECTORS[:1], 3, exclude[:1]).tolist() == [[1, -1, -1]]


def test_the_same_vectors_are_tuned_to_the_same_files(tmp_path):
    for name in ("one", "other"):
        build_tuned(VECTORS, lambda: QUERIES, structure="IVF64,PQ16x4fs").index.save(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()
    assert VectorIndex.open(tmp_path / "one").effort.probes >= 1
