"""An index that documents come to and go from: equal to one made anew, and whole for every reader at any time."""

import json
import os
import shutil
import signal
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertpipe.errors import ArtefactError, ConfigError, InputError, LockedError
from bertpipe.pipeline import publish
from bertpipe.pipeline.artefact import OLD_PREFIX, Artefact, Manifest
from bertpipe.pipeline.lock import run_lock
from bertpipe.retrieval.candidates import DEPTH
from bertpipe.retrieval.fusion import fuse
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.search_result import MODES
from bertpipe.text.document import Document

WORDS = ["apple", "bread", "candle", "door", "engine", "flute", "garden", "hammer", "island", "jacket", "kettle"]
QUERIES = ("apple bread", "engine in the garden", "kettle", "flute hammer island jacket")


def document(name, version=0, sentences=4):
    rng = np.random.default_rng([*str(name).encode(), version])
    text = " ".join(" ".join(rng.choice(WORDS, 9)).capitalize() + "." for _ in range(sentences))
    return Document(f"docs/{name}.md", f"About {name}", text, {"version": version, "even": len(str(name)) % 2 == 0})


@pytest.fixture(scope="module")
def made(tmp_path_factory, encoder_folder):
    folder = tmp_path_factory.mktemp("made") / "index"
    Index.create(folder, encoder_folder, map(document, range(40)))
    return folder


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run" / "index")


def hits(index, query, mode, k=1000, where=None):
    found = index.search(query, k, mode, where).hits
    return [(hit.passage.passage_id, hit.passage.text) for hit in found], [hit.score for hit in found]


def assert_equal(one, other, queries=QUERIES):
    assert len(one) == len(other)
    for query in queries:
        for mode in MODES:
            (found, scores), (expected, true_scores) = hits(one, query, mode), hits(other, query, mode)
            assert sorted(found) == sorted(expected)
            # An encoder's sums depend in their last bit on what else was in the batch.
            np.testing.assert_allclose(scores, true_scores, rtol=1e-4, atol=1e-5)
            if mode == "bm25":
                assert found == expected
                assert scores == true_scores


def leftovers(folder):
    return sorted(path.name for path in folder.parent.iterdir() if path.name not in (folder.name, ".lock"))


@pytest.mark.parametrize("parts", [1, 3])
def test_adding_replacing_and_deleting_is_making_anew(folder, tmp_path, encoder_folder, parts):
    if parts > 1:
        folder = tmp_path / "parts" / "index"
        Index.create(folder, encoder_folder, map(document, range(40)), parts=parts)
    index = Index.open(folder)
    assert index.parts == parts
    changed = [document(3, 1), document(17, 1, sentences=1), document("new"), document(99)]
    assert index.add([*changed, document(5)]) == 4  # one was there already
    assert index.delete(["docs/0.md", "docs/39.md", "docs/nowhere.md", "docs/20.md"]) == 3
    expected = {name: document(name) for name in range(40)} | {3: changed[0], 17: changed[1]}
    for name in (0, 39, 20):
        del expected[name]
    anew = Index.create(tmp_path / "anew", encoder_folder, [*expected.values(), *changed[2:]], parts=parts)
    assert_equal(index, anew)
    assert_equal(Index.open(str(folder)), anew)
    assert (folder / "passages.sqlite").read_bytes() == (tmp_path / "anew" / "passages.sqlite").read_bytes()
    for file in (folder / "lexical").iterdir():
        assert file.read_bytes() == (tmp_path / "anew" / "lexical" / file.name).read_bytes()
    assert leftovers(folder) == []


def test_only_new_texts_are_encoded(folder, monkeypatch):
    index = Index.open(folder)
    encoded = []
    encode = index.encoder.encode_passages
    monkeypatch.setattr(
        index.encoder, "encode_passages", lambda some, parts: encoded.extend(some) or encode(some, parts)
    )
    index.add([replace(document(4), metadata={"version": 9}), replace(document(6), id="elsewhere")])
    assert encoded == []
    assert index.search("apple", 1000, "bm25", "version = 9").hits
    index.add([document("new", sentences=1)])
    assert {title for title, _ in encoded} == {"About new"}


def test_an_emptied_index_keeps_the_number_of_parts(tmp_path, encoder_folder):
    index = Index.create(tmp_path / "index", encoder_folder, map(document, range(3)), parts=3)
    assert index.delete(f"docs/{name}.md" for name in range(3)) == 3
    assert index.search("apple", 10, "dense").hits == []
    index.add([document(1), document(2)])
    assert Index.open(tmp_path / "index").parts == index.parts == 3
    assert_equal(index, Index.create(tmp_path / "anew", encoder_folder, [document(1), document(2)], parts=3))


def test_a_document_that_is_emptied_is_gone(folder):
    index = Index.open(folder)
    assert index.add([replace(document(1), text=" ")]) == 1
    assert not index.search("apple", 1000, "dense", 'document = "docs/1.md"').hits
    assert index.delete(f"docs/{name}.md" for name in range(40)) == 39
    assert len(index) == 0
    for mode in MODES:
        assert index.search("apple", 10, mode).hits == []
    index.add([document(1)])
    assert index.search("apple", 10, "dense").hits


def test_nothing_to_do_writes_nothing(folder):
    index = Index.open(folder)
    before = folder.stat().st_ino, (folder / "manifest.json").stat().st_mtime_ns
    assert index.add([]) == index.add([document(3)]) == index.delete(["nowhere"]) == 0
    assert (folder.stat().st_ino, (folder / "manifest.json").stat().st_mtime_ns) == before
    assert not index.refresh()


def test_one_name_is_one_document(folder):
    index = Index.open(folder)
    assert index.delete("docs/3.md") == 1
    assert index.add([document(3), document(3, 1)]) == 1
    assert {hit.passage.metadata["version"] for hit in index.search("x", 99, "dense", 'title = "About 3"').hits} == {1}


def test_open_readers_keep_their_state_until_they_are_told(folder):
    reader, unread, writer = Index.open(folder), Index.open(folder), Index.open(folder)
    before = {mode: hits(reader, "apple bread", mode) for mode in MODES}
    writer.delete(f"docs/{name}.md" for name in range(30))
    writer.add([document("new")])
    for mode in MODES:
        assert hits(reader, "apple bread", mode) == before[mode]
        assert hits(unread, "apple bread", mode) == before[mode]  # opens its encoder only now
        assert hits(writer, "apple bread", mode) != before[mode]
    assert reader.refresh()
    assert not reader.refresh()
    assert_equal(reader, writer)


def test_a_condition_is_looked_up_again_after_a_change(folder):
    index = Index.open(folder)
    assert index.search("apple", 1, "dense", 'document contains "new"').hits == []
    index.add([document("new")])
    assert index.search("apple", 1, "dense", 'document contains "new"').hits


def test_the_manifest_vouches_for_what_was_written(folder):
    index = Index.open(folder)
    index.add([document("new")])
    manifest = Artefact.open(folder, verify=True).manifest
    assert manifest.stage == "index"
    assert manifest.metrics == {"passages": len(index)}
    assert manifest.edited
    assert Manifest.read(folder).to_json() == manifest.to_json()


def test_the_report_says_how_far_the_documents_have_moved(folder):
    index = Index.open(folder)
    assert index.report()["since"] == {"new": 0, "changed": 0, "removed": 0}
    index.add([document("new"), document(3, 1)])
    index.delete(["docs/4.md", "docs/5.md"])
    assert index.report()["documents"] == 40
    assert index.report()["since"] == {"new": 1, "changed": 1, "removed": 2}
    index.add([document(3), document(4)])
    index.delete(["docs/new.md"])
    assert index.report()["since"] == {"new": 0, "changed": 0, "removed": 1}
    assert "made without a pipeline" in index.report()["verdict"]


def test_a_second_writer_is_told_at_once(folder):
    index = Index.open(folder)
    pid = os.fork()
    if pid == 0:
        with run_lock(folder.parent):
            (folder.parent / "held").touch()
            time.sleep(60)
        os._exit(0)
    try:
        while not (folder.parent / "held").exists():
            time.sleep(0.01)
        with pytest.raises(LockedError, match=f"in use by process {pid}"):
            index.add([document("new")])
        assert index.search("apple").hits
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert index.add([document("new")]) == 1


def test_what_cannot_be_added_leaves_the_index_alone(folder):
    index = Index.open(folder)
    with pytest.raises(InputError, match="cannot be stored"):
        index.add([document("new"), replace(document("bad"), text="\ud800")])
    assert leftovers(folder) == []
    assert not index.refresh()
    assert index.add([document("new")]) == 1
    assert leftovers(folder) == []


def test_an_index_is_not_made_over_another(folder, encoder_folder, tmp_path):
    with pytest.raises(ConfigError, match="exists"):
        Index.create(folder, encoder_folder)
    with pytest.raises(ArtefactError):
        Index.create(tmp_path / "other", tmp_path / "nowhere")
    assert len(Index.create(tmp_path / "deep" / "empty", encoder_folder)) == 0


@pytest.mark.parametrize("exchange", [True, False])
def test_killed_at_any_moment_old_or_new(made, tmp_path, monkeypatch, exchange, in_child):
    """Dies at every 3rd event on the run's folder: what is there opens and is the old state or the new one."""
    if not exchange:
        monkeypatch.setattr(publish, "exchange", lambda first, second: False)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    old = Index.open(made)
    new_folder = shutil.copytree(made, tmp_path / "new" / "index")
    new = Index.open(new_folder)
    change = [document("new"), document(3, 1)]
    new.add(change)
    states = {len(old): old, len(new): new}
    assert len(states) == 2
    kills = {len(old): 0, len(new): 0}
    for number in range(1, 1000, 3):
        folder = shutil.copytree(made, tmp_path / f"run{number}" / "index")

        def die(folder=folder, number=number):
            kill_at(number, folder.parent)
            Index(folder, threads=1).add(change)

        code = in_child(die)
        index = Index(folder, threads=1)
        assert_equal(index, states[len(index)], QUERIES[:1])
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills[len(index)] += 1
        assert len(leftovers(folder)) <= 3
        index.add(change)
        assert leftovers(folder) == []
        assert_equal(index, new, QUERIES[:1])
        shutil.rmtree(folder.parent)
    assert min(kills.values()) > 0
    assert sum(kills.values()) > 10


def test_an_index_that_a_kill_left_under_its_old_name_can_be_changed(folder):
    folder.rename(folder.parent / f"{OLD_PREFIX}{folder.name}")
    index = Index(folder, threads=1)
    assert index.search("apple").hits
    assert index.add([document("new")]) == 1
    assert leftovers(folder) == []


def kill_at(number, folder):
    left = number

    def hook(event, arguments):
        nonlocal left
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "sqlite3.connect"):
            left -= str(folder) in str(arguments[0])
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


@pytest.fixture
def in_child():
    """Runs a function in a forked process; returns its exit status."""

    def run(function):
        pid = os.fork()
        if pid == 0:
            try:
                function()
            except BaseException as error:
                print(error, file=sys.stderr)
                os._exit(1)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    return run


def test_a_state_that_is_replaced_while_it_is_opened_is_opened_again(folder, monkeypatch):
    """A reader that would have old passages beside new vectors."""
    writer = Index.open(folder)
    from bertpipe.retrieval.vectors import VectorIndex

    opened, left = VectorIndex.open, [document("new"), document("newer")]

    def late(path):
        if left:
            monkeypatch.setattr(VectorIndex, "open", opened)
            writer.add([left.pop()])
            monkeypatch.setattr(VectorIndex, "open", late)
        return opened(path)

    monkeypatch.setattr(VectorIndex, "open", late)
    index = Index.open(folder)
    assert not left
    assert_equal(index, writer)


@pytest.fixture(scope="module")
def few(tmp_path_factory, encoder_folder):
    """An index of fewer passages than a side proposes."""
    folder = tmp_path_factory.mktemp("few") / "index"
    Index.create(folder, encoder_folder, map(document, range(12)))
    return folder


CONDITIONS = ("even = true", "version != 1", 'title > "About 3"', 'document in ("docs/7.md", "docs/8.md")', "x = 1")


@settings(max_examples=60, deadline=None)
@given(
    query=st.lists(st.sampled_from([*WORDS, "nothing"]), min_size=1, max_size=5).map(" ".join),
    condition=st.sampled_from(CONDITIONS),
    negated=st.booleans(),
    k=st.sampled_from([1, 3, 10, 1000]),
)
def test_searches_under_a_condition_are_those_of_brute_force(few, encoder, query, condition, negated, k):
    index = Index(few, threads=1)
    where = f"not ({condition})" if negated else condition
    everything = index._passages.get_many(range(len(index)))
    rules = {
        CONDITIONS[0]: lambda one: one.metadata["even"],
        CONDITIONS[1]: lambda one: one.metadata["version"] != 1,
        CONDITIONS[2]: lambda one: one.title > "About 3",
        CONDITIONS[3]: lambda one: one.document in ("docs/7.md", "docs/8.md"),
        CONDITIONS[4]: lambda one: False,
    }
    allowed = np.array([rules[condition](one) != negated for one in everything])
    bm25 = index._lexical.scores(query, np.arange(len(index)))
    dense = index._vectors.vectors @ encoder.encode_queries([query])[0]
    assert len(index) < DEPTH  # so that every allowed passage is a candidate
    candidates = np.flatnonzero(allowed)
    score = {"bm25": bm25, "dense": dense, "hybrid": np.zeros(len(index))}
    score["hybrid"][candidates] = fuse(bm25[candidates], dense[candidates], index.settings.weight)
    for mode in MODES:
        found = index.search(query, k, mode, where).hits
        eligible = np.flatnonzero(allowed & (bm25 > 0)) if mode == "bm25" else candidates
        assert len(found) == min(k, len(eligible))
        numbers = [hit.passage.number for hit in found]
        assert allowed[numbers].all()
        np.testing.assert_allclose([hit.score for hit in found], score[mode][numbers], rtol=1e-4, atol=1e-5)
        best = np.sort(score[mode][eligible])[::-1][:k]
        np.testing.assert_allclose([hit.score for hit in found], best, rtol=1e-4, atol=1e-5)


def test_a_field_that_no_document_has_is_told(made):
    result = Index(made).search("apple", 3, "bm25", "versoin = 1")
    assert result.hits == []
    assert result.notes == ("no document has a field 'versoin'. Did you mean version?",)
    assert "notes" not in json.dumps(result.as_json())
    with pytest.raises(ConfigError, match="a value expected"):
        Index(made).search("apple", 3, "bm25", "version = ")
