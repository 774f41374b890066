import json
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np
import pytest

from bertpipe.errors import ArtefactError, ConfigError
from bertpipe.retrieval.encoder import GRAPH, encoder_digest
from bertpipe.retrieval.encoder import SETTINGS as ENCODER_SETTINGS
from bertpipe.retrieval.fusion import fuse
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.index_folder import IndexSettings, build_index
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.passage_writer import PassageWriter
from bertpipe.text.tokenizer import MODEL_FILE

TEXTS = {
    "Cleaning the grinder": ["Brush the burrs once a week.", "Never wash the burrs with water.", "Grind some rice."],
    "A dripping tap": ["Turn off the water.", "Change the washer of the tap."],
    "加湿器": ["水箱里的水每天要换。", "滤芯每月清洗一次。", "不要用热水冲洗。"],
    "": ["A passage without a title, about water."],
}
COUNT = sum(map(len, TEXTS.values()))
WEIGHT = 0.35


def passages():
    number = 0
    for title, texts in TEXTS.items():
        for place, text in enumerate(texts):
            yield Passage(number, f"{title}.md#{place}", f"{title}.md", title, text, 0, len(text), {"about": title})
            number += 1


@pytest.fixture(scope="module")
def built(tmp_path_factory, encoder, encoder_folder):
    folder = tmp_path_factory.mktemp("index")
    with PassageWriter(folder / "passages") as store:
        store.add_many(passages())
    vectors = encoder.encode_passages([(passage.title, passage.text) for passage in passages()])
    advanced = []
    store = build_index(
        folder / "index",
        passages=folder / "passages",
        vectors=vectors,
        encoder=encoder_folder,
        advance=advanced.append,
    )
    assert sum(advanced) == len(store) == COUNT
    IndexSettings(encoder_digest(encoder_folder), COUNT, "hybrid", WEIGHT).save(folder / "index")
    (folder / "index" / "report.json").write_text('{"measured": false}')
    return folder / "index", vectors


@pytest.fixture
def folder(built, tmp_path):
    return shutil.copytree(built[0], tmp_path / "an index elsewhere")


@pytest.fixture(scope="module")
def index(built):
    return Index(built[0], threads=1)


QUERIES = ["wash the burrs with water", "怎样清洗滤芯", "tap", "nothing of the kind", "x" * 3000]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("k", [1, 3, 1000])
def test_searches_are_what_their_scores_say(index, built, encoder, query, k):
    everything = np.arange(COUNT)
    dense = built[1] @ encoder.encode_queries([query])[0]
    bm25 = index._lexical.scores(query, everything)
    expected = {"dense": dense, "bm25": bm25, "hybrid": fuse(bm25, dense, WEIGHT)}
    for mode, score in expected.items():
        hits = index.search(query, k, mode).hits
        eligible = np.flatnonzero(bm25 > 0) if mode == "bm25" else everything
        assert len(hits) == min(k, len(eligible))
        assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
        numbers = [hit.passage.number for hit in hits]
        np.testing.assert_allclose([hit.score for hit in hits], score[numbers], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            [hit.score for hit in hits], np.sort(score[eligible])[::-1][:k], rtol=1e-4, atol=1e-6
        )
        for hit in hits:
            assert hit.passage == list(passages())[hit.passage.number]
            for side, value in hit.scores.items():
                assert value == pytest.approx(expected[side][hit.passage.number], rel=1e-4, abs=1e-6)
            assert hit.scores.keys() == ({"bm25", "dense"} if mode == "hybrid" else {mode})


def test_words_that_stand_together_count_where_the_settings_say_so(folder, index, encoder_folder):
    query = "wash the burrs with water"
    IndexSettings(encoder_digest(encoder_folder), COUNT, "hybrid", WEIGHT, nearness=0.4).save(folder)
    hits = Index(folder).search(query, COUNT).hits
    numbers = np.array([hit.passage.number for hit in hits])
    near = index.lexical.nearness(query, numbers)
    plain = {hit.passage.number: hit.score for hit in index.search(query, COUNT).hits}
    for hit, share in zip(hits, near, strict=True):
        assert hit.scores["nearness"] == pytest.approx(share)
        assert sum(hit.parts.values()) == pytest.approx(hit.score)
        assert hit.parts.keys() == {"bm25", "dense", "nearness"}
        assert hit.score == pytest.approx(plain[hit.passage.number] + 0.4 * share / near.std())
    assert near.argmax() == 0
    assert "nearness" not in json.loads((index.folder / "index.json").read_text())
    assert "nearness" not in Index(folder).search(query, mode="bm25").hits[0].scores


def test_the_settings_choose_the_mode(folder, encoder_folder):
    assert Index(folder).search("water").mode == "hybrid"
    IndexSettings(encoder_digest(encoder_folder), COUNT, "bm25", WEIGHT).save(folder)
    assert Index(folder).search("water").mode == "bm25"
    assert Index(folder).search("water", mode="dense").mode == "dense"


def test_words_alone_need_no_encoder_session(built):
    index = Index(built[0])
    index.search("water", mode="bm25")
    assert index._encoder is None
    index.search("water", mode="dense")
    assert index._encoder is index.encoder


def test_threads_open_an_index_each(built, index):
    """SQLite says so: nothing is damaged, and nothing is to be built again."""
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(sqlite3.ProgrammingError, match="same thread"):
            pool.submit(index.search, "water").result()
        found = pool.submit(lambda: Index(built[0], threads=1).search("water").hits).result()
    assert [hit.passage for hit in found] == [hit.passage for hit in index.search("water").hits]


@pytest.mark.parametrize("query", ["", " ", "\n\t"])
def test_an_empty_query_finds_nothing(index, query):
    result = index.search(query)
    assert result.hits == []
    assert result.query == query


def test_signs_are_no_query_language(index):
    for query in ('title:"', "(", "+water -tap", "water AND (", "*", "\\", "\x00", "\ud800"):
        for mode in ("bm25", "dense", "hybrid"):
            assert all(np.isfinite(hit.score) for hit in index.search(query, mode=mode).hits)


def test_wrong_calls(index):
    with pytest.raises(ConfigError, match="k = 0"):
        index.search("water", 0)
    with pytest.raises(ConfigError, match=r"no mode 'magic'.* Choose one of hybrid, dense, bm25"):
        index.search("water", mode="magic")


def test_as_json(index):
    document = index.search("wash the burrs", 2).as_json()
    assert json.loads(json.dumps(document)) == document
    assert list(document) == ["query", "mode", "took_ms", "hits"]
    assert list(document["hits"][0]) == [
        "rank",
        "score",
        "passage_id",
        "document",
        "title",
        "text",
        "start",
        "end",
        "metadata",
        "scores",
    ]
    assert document["hits"][0]["scores"].keys() == {"bm25", "dense"}
    assert document["took_ms"] > 0


def test_snippets_mark_the_words(index):
    result = index.search("washing the burrs", 1, "bm25")
    snippet = result.snippet(result.hits[0], 80)
    marked = {snippet.text[start:end] for start, end in snippet.spans}
    assert {"wash", "burrs"} <= marked


def test_length_and_report(index):
    assert len(index) == COUNT
    assert index.report() == {"measured": False}


def test_an_index_opens_wherever_it_lies(folder, index):
    for query in QUERIES:
        found, expected = Index(folder).search(query).as_json(), index.search(query).as_json()
        assert found["hits"] == expected["hits"]


def test_another_encoder_is_refused_with_both_digests(folder):
    name = folder / "encoder" / "encoder.json"
    ours = encoder_digest(folder / "encoder")
    name.write_bytes(name.read_bytes() + b"\n")
    other = encoder_digest(folder / "encoder")
    with pytest.raises(ArtefactError) as caught:
        Index(folder)
    assert ours[:12] in str(caught.value)
    assert other[:12] in str(caught.value)
    assert "bertpipe index --force" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "index.json",
        "passages.sqlite",
        "vectors/vectors.npy",
        "vectors/structure.json",
        "lexical/meta.json",
        *(f"encoder/{name}" for name in (GRAPH, MODEL_FILE, ENCODER_SETTINGS)),
    ],
)
@pytest.mark.parametrize("kept", [0, 10, None])
def test_truncated_or_missing_files(folder, name, kept):
    if kept is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes((folder / name).read_bytes()[:kept])
    with pytest.raises(ArtefactError) as caught:
        Index(folder)
    assert "\n" not in str(caught.value)


def test_parts_that_do_not_fit_each_other(folder, built):
    settings = asdict(Index(folder).settings)
    (folder / "index.json").write_text(json.dumps(settings | {"passages": COUNT + 1}))
    with pytest.raises(ArtefactError, match=f"hold {COUNT} passages and {COUNT} vectors"):
        Index(folder)
    (folder / "index.json").write_text(json.dumps(settings | {"format": 99}))
    with pytest.raises(ArtefactError, match=r"has format 99 .this bertpipe reads format 3"):
        Index(folder)
    for damaged in ("[]", "3", '{"encoder": 1}', '{"x": 1}', "{"):
        (folder / "index.json").write_text(damaged)
        with pytest.raises(ArtefactError, match=r"index\.json is damaged"):
            Index(folder)
    with pytest.raises(ArtefactError, match="there is no index at"):
        Index(folder / "nowhere")


def test_vectors_and_passages_must_be_as_many(tmp_path, built, encoder_folder):
    with pytest.raises(ArtefactError, match=f"{COUNT} passages do not fit 2 vectors"):
        build_index(
            tmp_path / "index",
            passages=built[0] / "passages.sqlite",
            vectors=built[1][:2],
            encoder=encoder_folder,
            advance=lambda count: None,
        )


def test_building_over_half_an_index(folder, built, encoder_folder, tmp_path):
    """A build that was killed left files behind; the next one starts with what it finds."""
    (folder / "lexical" / "meta.json").unlink()
    (folder / "vectors" / "vectors.npy").write_bytes(b"half")
    shutil.copy(built[0] / "passages.sqlite", tmp_path / "passages")
    build_index(
        folder, passages=tmp_path / "passages", vectors=built[1], encoder=encoder_folder, advance=lambda count: None
    )
    assert len(Index(folder)) == COUNT
    for file in ("lexical/meta.json", "vectors/vectors.npy", "passages.sqlite"):
        assert (folder / file).read_bytes() == (built[0] / file).read_bytes()
