import json
import os
import shutil
import subprocess
import sys

import pytest

KEYS = ["rank", "score", "passage_id", "document", "title", "text"]


def test_json_is_as_the_design_says(built):
    document = built.search("clean the grinder", "-k", "3")
    assert list(document) == ["query", "mode", "took_ms", "hits"]
    assert document["query"] == "clean the grinder"
    assert document["took_ms"] >= 0
    assert [hit["rank"] for hit in document["hits"]] == [1, 2, 3]
    for hit in document["hits"]:
        assert list(hit)[:6] == KEYS
        assert all(isinstance(value, float) for value in [hit["score"], *hit["scores"].values()])


@pytest.mark.parametrize(
    ("mode", "sides"), [("hybrid", {"bm25", "dense"}), ("dense", {"dense"}), ("bm25", {"bm25"}), (None, None)]
)
def test_modes(built, mode, sides):
    document = built.search("怎样清洗加湿器", *(["--mode", mode] if mode else []))
    assert document["mode"] == (mode or json.loads((built.runs / "index" / "index.json").read_text())["mode"])
    assert 1 <= len(document["hits"]) <= 10
    scores = [hit["score"] for hit in document["hits"]]
    assert scores == sorted(scores, reverse=True)
    if mode:
        assert all(hit["scores"].keys() == sides for hit in document["hits"])
    if mode == "bm25":
        assert "加湿器" in document["hits"][0]["document"]


def test_more_hits_than_passages(built):
    whole = built.run()["embed"]["metrics"]["passages"]
    for mode in ("dense", "hybrid"):
        hits = built.search("water", "-k", "10000", "--mode", mode)["hits"]
        assert len(hits) == len({hit["passage_id"] for hit in hits}) == whole
    words = built.search("water", "-k", "10000", "--mode", "bm25")["hits"]
    assert 0 < len(words) < whole
    assert all("water" in (hit["title"] + hit["text"]).lower() for hit in words)


@pytest.mark.parametrize("query", ["", "  "])
def test_an_empty_query_finds_nothing(built, query):
    assert built.search(query)["hits"] == []
    done = built("search", query)
    assert done.code == 0
    assert "Nothing found" in done.out


def test_queries_from_standard_input(built):
    done = built("search", "-", "--json", "-k", "2", stdin="\ufeffclean the grinder\n\n  加湿器  \r\n")
    assert done.code == 0, done.err
    documents = [json.loads(line) for line in done.out.splitlines()]
    assert [document["query"] for document in documents] == ["clean the grinder", "加湿器"]
    assert documents[0]["hits"] == built.search("clean the grinder", "-k", "2")["hits"]
    assert "加湿器" in done.out  # readable as it is


def test_a_file_of_queries_for_people_and_into_a_file(built, tmp_path):
    queries = tmp_path / "queries.txt"
    queries.write_text("clean the grinder\n加湿器\n", encoding="utf-8")
    done = built("search", "--queries", str(queries), "-k", "2", "--where", 'langg = "en" or document != "x"')
    assert done.code == 0, done.err
    assert done.out.startswith("clean the grinder  (2 ")
    assert "coffee grinder: cleaning" in done.out
    assert "coffee grinder: cleaning" not in done.err
    assert done.err.count("no document has a field 'langg'") == 1
    trec = built("search", "--queries", str(queries), "--trec", "me", "--where", 'langg = "en"')
    assert trec.out == ""
    assert trec.err.count("no document has a field 'langg'") == 1


def test_wrong_standard_input(built):
    assert built("search", "-", stdin="").error == "standard input has no query. Give one query a line."
    assert built("search", "-", stdin=" \n\n").code == 1
    done = built("search", "-", "--json", stdin=b"water\n\xff\xfe\n")
    assert done.error.startswith("standard input:2: not UTF-8")
    assert json.loads(done.out)["query"] == "water"  # what came before was answered


@pytest.mark.parametrize("k", ["0", "-1", "10001", "many"])
def test_impossible_numbers_of_hits(built, k):
    done = built("search", "water", "-k", k)
    assert done.code == 2
    assert "-k" in done.err


def test_on_screen(built):
    done = built("search", "clean the grinder", "-k", "2", "--mode", "hybrid")
    assert done.code == 0
    assert done.err == ""
    first = done.out.splitlines()[0]
    assert first.startswith("clean the grinder  (2 ")
    assert ", hybrid, " in first
    assert "coffee grinder: cleaning" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_signs_of_markup_are_shown_as_they_are(built):
    done = built("search", "[red] [/] {x} \\[b]", "-k", "1")
    assert done.code == 0, done.err
    assert done.out.startswith("[red] [/] {x} \\[b]")


def test_an_index_by_its_folder(built, tmp_path, monkeypatch):
    """Moved alone to another place, without its pipeline."""
    place = shutil.copytree(built.runs / "index", tmp_path / "ein Ort" / "索引")
    monkeypatch.chdir(tmp_path)
    line = [sys.executable, "-m", "bertpipe", "search", "clean the grinder", "--json", "--mode", "hybrid"]
    done = subprocess.run([*line, "--index", str(place)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["hits"] == built.hits("clean the grinder", "hybrid")


def test_index_and_pipeline_together_are_wrong_usage(built):
    assert built("search", "water", "--index", str(built.runs / "index")).code == 2


def test_nothing_was_built_yet(fresh):
    assert fresh("search", "water").error.startswith("there is no index at")
    assert "bertpipe run" in fresh("search", "water").error


def test_searching_imports_neither_torch_nor_lightning_nor_pydantic(built):
    code = (
        "import sys\nfrom bertpipe.cli.main import invoke\n"
        "code = invoke(['search', 'clean the grinder', '--mode', 'hybrid', '-p', sys.argv[1]])\n"
        "heavy = ('torch', 'pytorch_lightning', 'lightning', 'pydantic', 'onnx', 'scipy')\n"
        "print([name for name in heavy if name in sys.modules])\nsys.exit(code)"
    )
    line = [sys.executable, "-c", code, str(built.file)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
