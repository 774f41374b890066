import sqlite3

import numpy as np
import pytest
from stored_passages import passages, renumbered, stored

from bertpipe.errors import ArtefactError
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.passage_store import PassageStore
from bertpipe.retrieval.passage_writer import PassageWriter


@pytest.fixture
def path(tmp_path):
    return stored(tmp_path / "passages.sqlite")


def test_what_was_added_is_read_back(path):
    store = PassageStore.open(path)
    assert len(store) == 2500
    assert list(store.iterate()) == list(passages(2500))


def test_passages_come_in_the_order_asked_for(path):
    everything = list(passages(2500))
    asked = np.random.default_rng(0).permutation(2500)
    store = PassageStore.open(path)
    assert store.get_many(asked) == [everything[number] for number in asked]
    assert store.get_many([7, 3, 7]) == [everything[7], everything[3], everything[7]]
    assert store.get_many([]) == []
    with pytest.raises(KeyError):
        store.get_many([0, 2500])


def test_passages_of_a_document(path):
    store = PassageStore.open(path)
    assert [passage.number for passage in store.of_document("文档5")] == [15, 16, 17]
    assert store.of_document("nowhere") == []


def test_rows_in_another_store(path, tmp_path):
    """Seven texts repeat; of several passages with one text the first is taken."""
    everything = list(passages(2500))
    other = [Passage(0, "x#0", "x", everything[5].title, everything[5].text, 3, 4), *renumbered(everything[8:9], 1)]
    other.append(Passage(2, "y#0", "y", "", everything[5].text, 0, 1))
    with PassageWriter(tmp_path / "other") as store:
        store.add_many(other)
    assert PassageStore.open(tmp_path / "other").rows_in(PassageStore.open(path)).tolist() == [5, 1, -1]
    back = PassageStore.open(path).rows_in(PassageStore.open(tmp_path / "other"))
    assert back.tolist() == [{5: 0, 1: 1}.get(number % 7, -1) for number in range(2500)]


def test_rows_of_documents_that_have_not_changed(tmp_path):
    """A whole document's passages are those of the same document, also where an earlier one has the same text."""
    everything = list(passages(300))
    documents = [everything[start : start + 3] for start in range(0, 300, 3)]
    orders = {"earlier": range(100), "later": [*range(3, 60), 0, *range(70, 100)], "cut otherwise": range(2, 50)}
    for name, order in orders.items():
        with PassageWriter(tmp_path / name) as store:
            store.note("cut", "otherwise" if "otherwise" in name else "so")
            for number in order:
                own = documents[number]
                store.add_many(renumbered(own, len(store)), own[0].document.encode() if number != 80 else b"")
    earlier, later, other = (PassageStore.open(tmp_path / name) for name in orders)
    rows = later.rows_in(earlier)
    expected = [3 * number + place for number in orders["later"] for place in range(3)]
    unknown = range(expected.index(240), expected.index(240) + 3)  # of the document without a digest
    assert rows.tolist() == [row % 7 if place in unknown else row for place, row in enumerate(expected)]
    assert other.rows_in(earlier).tolist() == [number % 7 for number in range(6, 150)]
    for row, passage in zip(rows, later.iterate(), strict=True):
        assert everything[row].digest == passage.digest


def test_facts(tmp_path):
    with PassageWriter(tmp_path / "store") as store:
        store.note("cut", "so")
    assert PassageStore.open(tmp_path / "store").facts == {"cut": "so"}


def test_no_passages(tmp_path):
    with PassageWriter(tmp_path / "empty"):
        pass
    store = PassageStore.open(tmp_path / "empty")
    assert len(store) == 0
    assert list(store.iterate()) == []


def test_reading_does_not_write(path):
    before = path.read_bytes(), path.stat().st_mtime_ns
    with PassageStore.open(path) as store:
        store.get_many([1])
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


@pytest.mark.parametrize("kept", [0, 1, 99, 100, 4096, 50_000, -1])
def test_a_truncated_file_is_an_artefact_error(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ArtefactError, match="cannot be read") as caught:
        PassageStore.open(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_page_is_an_artefact_error(path):
    content = bytearray(path.read_bytes())
    content[4096 : len(content) // 2] = b"\xff" * (len(content) // 2 - 4096)
    path.write_bytes(content)
    with pytest.raises(ArtefactError):
        list(PassageStore.open(path).iterate())


def test_other_files_are_artefact_errors(tmp_path):
    with pytest.raises(ArtefactError, match="no passages at"):
        PassageStore.open(tmp_path / "nowhere")
    (tmp_path / "text").write_text("just a text, longer than a header. " * 10)
    with pytest.raises(ArtefactError, match="not a passage store"):
        PassageStore.open(tmp_path / "text")
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE passages (number)")
    other.close()
    with pytest.raises(ArtefactError, match="not a passage store"):
        PassageStore.open(tmp_path / "other.sqlite")


def test_names_with_signs_of_an_address_are_plain_paths(tmp_path):
    path = tmp_path / "a?b#c%20d 中.sqlite"
    with PassageWriter(path) as store:
        store.add_many(passages(1))
    assert len(PassageStore.open(path)) == 1
