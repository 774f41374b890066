"""`bertpipe evaluate` for an index, through the command line."""

import json

import pytest

pytest.importorskip("ir_measures")


@pytest.fixture
def files(tmp_path, built):
    """Queries about the held-out questions, as BEIR has them."""
    lines = (built.docs / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    queries, qrels = tmp_path / "queries.jsonl", tmp_path / "qrels.tsv"
    queries.write_text(
        "".join(json.dumps({"_id": f"q{one['id']}", "text": one["title"]}) + "\n" for one in records), "utf-8"
    )
    rows = "".join(f"q{one['id']}\t{one['id']}\t1\n" for one in records)
    qrels.write_text(f"query-id\tcorpus-id\tscore\n{rows}q{records[0]['id']}\tgone\t1\n", "utf-8")
    return queries, qrels, records


def test_an_index_is_measured(built, files, tmp_path):
    queries, qrels, records = files
    runs, page = tmp_path / "runs", tmp_path / "page.html"
    options = ["--queries", str(queries), "--qrels", str(qrels)]
    done = built("evaluate", *options, "--json", "--save-runs", str(runs), "--html", str(page))
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["queries"] == len(records) == len(report["per_query"])
    assert report["unknown_documents"] == {"count": 1, "first": ["gone"]}
    assert report["modes"]["bm25"]["ndcg@10"]["mean"] > 0.9, "the titles stand in the documents"
    assert sorted(path.name for path in runs.iterdir()) == ["bm25.run", "dense.run", "hybrid.run"]
    first = (runs / "bm25.run").read_text(encoding="utf-8").split()[:6]
    assert first[:4] == [f"q{records[0]['id']}", "Q0", records[0]["id"], "1"]
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    # The same by the index's folder, for people.
    shown = built("evaluate", str(built.runs / "index"), *options, pipeline=False)
    assert shown.code == 0, shown.err
    assert "hybrid - bm25" in shown.out
    assert "1 judged document not in the index: gone" in shown.out
    assert all(len(line) <= 80 for line in shown.out.splitlines())


def test_the_mixture_is_tuned_if_asked_to(built, files):
    queries, qrels, records = files
    options = ["--queries", str(queries), "--qrels", str(qrels)]
    report = json.loads(built("evaluate", *options, "--tune", "--json").out)
    best = report["best_mixture"]
    assert best["measured"] is True
    assert best["queries"] == len(records)
    shown = built("evaluate", *options, "--tune").out
    if best["helps"]:
        assert f'[index]\nmode = "hybrid"\nweight = {best["weight"]}\n' in shown
    else:
        assert "No other mixture finds these queries surely better" in shown
    assert "best_mixture" not in json.loads(built("evaluate", *options, "--json").out)


def test_the_advice(built):
    from bertpipe.cli.evaluate_index import _advice

    gain = {"mean": 0.0884, "low": 0.0801, "high": 0.097}
    best = {"measured": True, "helps": True, "weight": 0.55, "nearness": 0.4, "gain": gain}
    assert 'mode = "hybrid"\nweight = 0.55\nnearness = "on"' in _advice(best)
    assert "+0.088 (95% interval +0.080 to +0.097)" in _advice(best)
    assert 'nearness = "off"' in _advice({**best, "nearness": 0.0})
    assert "surely better" in _advice({**best, "helps": False})
    assert "19 queries are too few" in _advice({"measured": False, "queries": 19})


def test_squad(built, tmp_path):
    text = sorted(built.docs.glob("*.txt"))[0].read_text(encoding="utf-8")
    asked = {"id": "s1", "question": "What is it?", "answers": [{"text": text[:4], "answer_start": 0}]}
    lost = {**asked, "id": "s2", "answers": [{"text": "gone", "answer_start": 0}]}
    paragraphs = [{"context": text, "qas": [asked]}, {"context": "gone away", "qas": [lost]}]
    file = tmp_path / "dev.json"
    file.write_text(json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}), "utf-8")
    done = built("evaluate", "--queries", str(file), "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["queries"] == 1
    assert report["left_out"] == {"paragraph not in the index": 1}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--queries", "QUERIES"], 1, "does not say what answers its queries"),
        (["--qrels", "QRELS"], 2, "--qrels, --save-runs, --rerank and --tune go with --queries"),
        (["--queries", "QUERIES", "--qrels", "QRELS", "--beams", "3"], 2, "--beams is for models"),
        (["--queries", "QUERIES", "--qrels", "gone.tsv"], 1, "gone.tsv: cannot be read"),
        (["--queries", "QUERIES", "--qrels", "QRELS", "--save-runs", "QRELS"], 1, "it is a file"),
        (["--queries", "QUERIES", "--qrels", "QRELS", "--html", "no/such/folder.html"], 1, "no file can be written"),
        (["--queries", "QUERIES", "--qrels", "QRELS", "--rerank"], 1, "has no reranker"),
        (["--queries", "QUERIES", "--qrels", "QRELS", "--rerank-depth", "5"], 2, "--rerank-depth goes with --rerank"),
        (["data.tsv", "--rerank"], 2, "go with --queries"),
        (["a", "b", "--queries", "QUERIES", "--qrels", "QRELS"], 2, "Give one index"),
        (["data.tsv"], 1, "--queries FILE measures it"),
        ([], 2, "Give a model and one file"),
    ],
)
def test_what_does_not_go_together(built, files, options, code, message):
    names = {"QUERIES": str(files[0]), "QRELS": str(files[1])}
    done = built("evaluate", *(names.get(option, option) for option in options))
    assert done.code == code
    assert message in done.err
    assert done.out == ""


def test_queries_from_a_file_are_searched(built, files, tmp_path):
    queries, _, records = files
    done = built("search", "--queries", str(queries), "--json", "-k", "2")
    assert done.code == 0, done.err
    documents = [json.loads(line) for line in done.out.splitlines()]
    assert [one["id"] for one in documents] == [f"q{one['id']}" for one in records]
    alone = built.search(records[0]["title"], "-k", "2")
    assert [hit["passage_id"] for hit in documents[0]["hits"]] == [hit["passage_id"] for hit in alone["hits"]]
    done = built("search", "--queries", str(queries), "--trec", "mine", "-k", "3", "--mode", "bm25")
    rows = [line.split() for line in done.out.splitlines()]
    assert {row[5] for row in rows} == {"mine"}
    assert [row[0] for row in rows if row[3] == "1"] == [f"q{one['id']}" for one in records]
    assert built("search", "x", "--queries", str(queries)).code == 2
    assert built("search", "x", "--trec", "mine").code == 2
    assert built("search", "-i", "--json").code == 2


def test_explanations(built):
    shown = built.search("clean the grinder", "--explain", "--mode", "hybrid", "-k", "3")
    for hit in shown["hits"]:
        found = hit["explanation"]
        assert sum(found["parts"].values()) == pytest.approx(hit["score"], abs=1e-5)
        assert sum(term["score"] for term in found["terms"]) == pytest.approx(hit["scores"]["bm25"], abs=1e-4)
        assert sum(token["score"] for token in found["tokens"]) == pytest.approx(hit["scores"]["dense"], abs=1e-4)
    done = built("search", "clean the grinder", "--explain", "-k", "2")
    assert "words of the query" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_judging_and_measuring(built, tmp_path):
    """Sampled queries of the corpus, judged from a pipe, measured."""
    place = tmp_path / "judged"
    done = built("judge", "--out", str(place), "--sample", "2", "-k", "1", stdin="2" * 10)
    assert done.code == 0, done.err
    assert "all are judged" in done.err
    options = ["--queries", str(place / "queries.jsonl"), "--qrels", str(place / "qrels.tsv"), "--json"]
    done = built("evaluate", *options)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["queries"] == 2
    assert all(report["modes"][mode]["mrr@10"]["mean"] == 1 for mode in report["modes"]), "every first hit was relevant"
