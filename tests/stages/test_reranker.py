"""A pipeline with a reranker, from its table to a search."""

import itertools
import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from bertpipe.errors import ArtefactError
from bertpipe.models.cross_scorer import open_cross_scorer
from bertpipe.pipeline.artefact import MANIFEST, Artefact
from bertpipe.retrieval.document_ranking import rank_documents
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.reranker import open_reranker
from bertpipe.stages import STAGES, stages_of

PAIRS = "pairs.jsonl"
RERANKER = f"""
[finetune.reranker]
pairs = "{PAIRS}"
passage_title_field = "title"
dev_share = 0.3
steps = 12
negatives = 2
batch_size = 4
max_tokens = 48
query_tokens = 16
accelerator = "cpu"
"""
STEPS = ("corpus", "snapshot", "tokenize", "pretrain", "finetune", "reranker", "embed", "index")


def write_pairs(project):
    """Two words ask for the one passage with both; others have one of them."""
    things = ("grinder", "puncture", "kettle", "machine", "water", "screws", "filter", "bicycle")
    with (project.folder / PAIRS).open("w", encoding="utf-8") as file:
        for thing, other in itertools.product(things[:5], things):
            pair = {"query": f"{thing} {other}", "title": "", "passage": f"{thing} {thing} {other} {other} week"}
            file.write(json.dumps(pair) + "\n")


@pytest.fixture(scope="session")
def reranking(make_project, tmp_path_factory):
    """A pipeline with a reranker, run once. Look at it only."""
    project = make_project(tmp_path_factory.mktemp("reranking") / "project")
    write_pairs(project)
    project.file.write_text(project.file.read_text(encoding="utf-8") + RERANKER, encoding="utf-8")
    assert project.ran() == list(STEPS)
    return project


def test_it_lies_in_the_index(reranking):
    made, carried = reranking.runs / "reranker" / "reranker", reranking.runs / "index" / "reranker"
    assert sorted(path.name for path in carried.iterdir()) == ["reranker.json", "reranker.onnx", "tokenizer.model"]
    for path in made.iterdir():
        assert path.read_bytes() == (carried / path.name).read_bytes()
    settings = json.loads((reranking.runs / "index" / "index.json").read_text())
    report = json.loads((reranking.runs / "index" / "report.json").read_text())["reranking"]
    assert settings["rerank"] == report["helps"]
    assert settings["rerank_weight"] == report["weight"]
    metrics = json.loads((reranking.runs / "reranker" / "manifest.json").read_text())["metrics"]
    assert 0 < metrics["val_mrr"] <= 1
    assert metrics["queries"] + metrics["dev_queries"] == 40
    assert reranking.ran() == []


def test_the_graph_says_what_torch_says(reranking):
    passages = [("Repairs", f"Part {number} is glued. " * (1 + number % 9)) for number in range(20)]
    ours = open_reranker(reranking.runs / "index" / "reranker", threads=1).scores("mend part 3", passages)
    theirs = open_cross_scorer(reranking.runs / "reranker", "cpu").scores("mend part 3", passages)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("mode", ["hybrid", "dense", "bm25"])
def test_a_search_is_reranked(reranking, mode):
    query = "how do I mend part 7 of the machine"
    plain = reranking.search(query, "--mode", mode, "-k", "30", "--no-rerank")["hits"]
    found = reranking.search(query, "--mode", mode, "-k", "30", "--rerank", "--rerank-depth", "10")
    again = reranking.search(query, "--mode", mode, "-k", "30", "--rerank", "--rerank-depth", "10")
    assert (found["reranked"], found["hits"]) == (10, again["hits"])
    assert {hit["passage_id"] for hit in found["hits"]} == {hit["passage_id"] for hit in plain}
    assert [hit["passage_id"] for hit in found["hits"][10:]] == [hit["passage_id"] for hit in plain[10:]]
    scores = [hit["score"] for hit in found["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert ["reranker" in hit["scores"] for hit in found["hits"]] == [True] * 10 + [False] * (len(plain) - 10)
    # A page is the beginning of a longer one.
    short = reranking.search(query, "--mode", mode, "-k", "3", "--rerank", "--rerank-depth", "10")["hits"]
    assert short == found["hits"][:3]
    index = Index(reranking.runs / "index", threads=1)
    timed = index.search(query, 3, mode, rerank=True, rerank_ms=0.001)
    assert timed.reranked == min(5, len(plain))


def test_it_is_measured_on_queries_of_ones_own(reranking, tmp_path):
    pytest.importorskip("ir_measures")
    pytest.importorskip("matplotlib")
    lines = (reranking.docs / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines][:12]
    queries, qrels, page = (tmp_path / name for name in ("queries.tsv", "qrels.txt", "page.html"))
    queries.write_text("".join(f"q{one['id']}\t{one['title']}\n" for one in records), encoding="utf-8")
    qrels.write_text("".join(f"q{one['id']} 0 {one['id']} 1\n" for one in records), encoding="utf-8")
    asked = ["evaluate", "--queries", str(queries), "--qrels", str(qrels), "--rerank", "--rerank-depth", "7"]
    done = reranking(*asked, "--json", "--save-runs", str(tmp_path), "--html", str(page))
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["rerank_depth"] == 7
    index = Index(reranking.runs / "index", threads=1)
    orders = {way: {} for way in ("reranked", report["mode"])}
    for way, order in orders.items():
        for line in (tmp_path / f"{way}.run").read_text(encoding="utf-8").splitlines():
            query, _, document, *_ = line.split()
            order.setdefault(query, []).append(document)
    for record in records:
        found = rank_documents(index, record["title"], 100, rerank=True, rerank_depth=7)
        assert [one.id.rpartition("#")[2] for one in found] == orders["reranked"][f"q{record['id']}"]
    assert orders["reranked"] != orders[report["mode"]]
    before, after = (report["modes"][way]["mrr@10"]["mean"] for way in (report["mode"], "reranked"))
    difference = report["differences"][f"reranked - {report['mode']}"]
    assert difference["mrr@10"]["mean"] == pytest.approx(after - before, abs=2e-6)
    assert (tmp_path / "reranked.run").read_text(encoding="utf-8").split()[5] == "bertpipe-reranked"
    assert f"reranked - {report['mode']}" in page.read_text(encoding="utf-8")
    shown = reranking(*asked)
    assert shown.code == 0, shown.err
    assert f"the first 7 hits of {report['mode']} reranked:" in shown.out
    assert all(len(line) <= 80 for line in shown.out.splitlines())


def test_queries_without_words_and_asking(reranking):
    assert reranking.search(" ", "--rerank")["hits"] == []
    assert reranking.search("zzzz qqqq", "--rerank", "--mode", "bm25")["hits"] == []
    done = reranking("ask", "how do I mend part 7", "--json", "--rerank", "--rerank-depth", "5")
    assert done.code == 0, done.err


def test_without_a_reranker(built):
    assert stages_of(built.file) == STAGES
    assert "has no reranker" in built("search", "x", "--rerank").error
    hits = built.search("clean the grinder", "--no-rerank")
    assert "reranked" not in hits
    assert hits["hits"] == built.search("clean the grinder")["hits"]
    assert "reranker" not in json.loads((built.runs / "index" / "index.json").read_text())


def test_another_reranker_in_the_index_is_noticed(reranking, tmp_path):
    place = shutil.copytree(reranking.runs / "index", tmp_path / "index")
    settings = json.loads((place / "reranker" / "reranker.json").read_text())
    (place / "reranker" / "reranker.json").write_text(json.dumps(settings | {"query_tokens": 20}))
    done = reranking("search", "water", "--rerank", "--index", str(place), pipeline=False)
    assert "reranker.json is damaged" in done.error
    (place / MANIFEST).unlink()  # as if nobody vouched for it
    index = Index(place, threads=1)
    assert index.search("water", rerank=False).hits
    with pytest.raises(ArtefactError, match="the index was built with reranker"):
        index.search("water", rerank=True)


def test_searching_with_it_imports_neither_torch_nor_lightning_nor_pydantic(reranking):
    code = (
        "import sys\nfrom bertpipe.cli.main import invoke\n"
        "code = invoke(['search', 'clean the grinder', '--rerank', '-p', sys.argv[1]])\n"
        "heavy = ('torch', 'pytorch_lightning', 'lightning', 'pydantic', 'onnx', 'scipy')\n"
        "print([name for name in heavy if name in sys.modules])\nsys.exit(code)"
    )
    line = [sys.executable, "-c", code, str(reranking.file)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert "reranked" in done.stdout


KILLED = """
import os, signal
from bertpipe.training.ranked_pairs import RankedPairs
original = RankedPairs.batch
def batch(self, step):
    if step == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, step)
RankedPairs.batch = batch
"""


def test_a_killed_training_goes_on_and_ends_with_the_same_bytes(reranking, tmp_path):
    project = type(reranking)(shutil.copytree(reranking.folder, tmp_path / "project"))
    expected = Artefact.open(reranking.runs / "reranker", verify=True).digest
    shutil.rmtree(project.runs / "reranker")
    done = project.finish(project.start("run", before=KILLED))
    assert done.code == -signal.SIGKILL, done.err
    assert "reranker" in project.ran()
    assert Artefact.open(project.runs / "reranker", verify=True).digest == expected


def test_the_corpus_s_own_pairs_and_a_reranker_that_is_there(reranking, tmp_path):
    project = type(reranking)(shutil.copytree(reranking.folder, tmp_path / "project"))
    own = project.file.read_text(encoding="utf-8").replace(f'pairs = "{PAIRS}"\npassage_title_field = "title"\n', "")
    project.file.write_text(own, encoding="utf-8")
    assert project.ran() == ["reranker", "index"]
    trained = (reranking.runs / "reranker" / "model.safetensors").read_bytes()
    assert (project.runs / "reranker" / "model.safetensors").read_bytes() != trained
    model = (reranking.runs / "reranker").as_posix()
    settings = ("--set", f"finetune.reranker.model={model}", "--set", "finetune.reranker.steps=0")
    assert project.ran(*settings) == ["reranker", "index"]
    assert (project.runs / "reranker" / "model.safetensors").read_bytes() == trained


def test_a_teacher(reranking, tmp_path):
    project = type(reranking)(shutil.copytree(reranking.folder, tmp_path / "project"))
    text = project.file.read_text(encoding="utf-8")
    text = text[: text.index("[finetune.reranker]")]
    teacher = f'pairs = "{PAIRS}"\nhard_negatives = 1\nteacher = "{(reranking.runs / "reranker").as_posix()}"\n'
    project.file.write_text(text.replace("[finetune]\n", f"[finetune]\n{teacher}"), encoding="utf-8")
    done = project("finetune")
    assert done.code == 0, done.err
    learned = (project.runs / "finetune" / "model.safetensors").read_bytes()
    assert "hard negatives" in done.err
    assert project("finetune", "--teacher-weight", "3.0").code == 0
    assert (project.runs / "finetune" / "model.safetensors").read_bytes() != learned
    assert "has nothing to judge" in project("finetune", "--hard-negatives", "0").error
    assert "is no reranker" in project("finetune", "--teacher", str(project.runs / "pretrain")).error


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("max_tokens=9999", "more than the model can read"),
        ("query_tokens=40", "leaves little room"),
        ("steps=0", "leaves a head that knows nothing"),
        ('pairs="nowhere.jsonl"', "nowhere.jsonl"),
        ("dev_share=0.000001", "nothing to measure with"),
        ('model="docs"', "holds no model"),
    ],
)
def test_what_cannot_be_is_told(reranking, tmp_path, setting, message):
    project = type(reranking)(shutil.copytree(reranking.folder, tmp_path / "project"))
    assert message in project("run", "--set", f"finetune.reranker.{setting}").error
