from dataclasses import replace

import pytest
from stored_passages import passages, renumbered, stored

from bertpipe.errors import ArtefactError, InputError, StorageError
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.passage_store import PassageStore
from bertpipe.retrieval.passage_writer import PassageWriter
from bertpipe.retrieval.terms import passage_terms


@pytest.fixture
def path(tmp_path):
    return stored(tmp_path / "passages.sqlite")


def test_taking_over_gives_the_bytes_of_storing_anew(tmp_path):
    """Blocks, runs of documents and single ones, from other numbers than before."""
    everything = list(passages(3000))
    documents = [everything[start : start + 3] for start in range(0, 3000, 3)]
    with PassageWriter(tmp_path / "earlier") as store:
        for own in documents:
            store.add_many(own, own[0].document.encode())
    earlier = PassageStore.open(tmp_path / "earlier")
    assert earlier.documents()[7] == ("文档7", "文档7".encode())
    plan = [range(40, 800), documents[2], range(1), documents[990], range(3, 4), range(900, 980)]
    for name in ("taken", "anew"):
        with PassageWriter(tmp_path / name, earlier if name == "taken" else None) as store:
            for part in plan:
                if isinstance(part, range) and name == "taken":
                    store.take_over(part)
                    continue
                for own in [documents[number] for number in part] if isinstance(part, range) else [part]:
                    store.add_many(renumbered(own, len(store)), own[0].document.encode())
    assert (tmp_path / "taken").read_bytes() == (tmp_path / "anew").read_bytes()
    taken = PassageStore.open(tmp_path / "taken")
    assert taken.document_count == 760 + 1 + 1 + 1 + 1 + 80
    assert len(taken) == 3 * taken.document_count
    assert [terms for _, terms in taken.terms()] == [passage_terms(p.title, p.text) for p in taken.iterate()]


def test_documents_cannot_be_taken_from_a_damaged_store(path, tmp_path):
    earlier = PassageStore.open(path)
    content = bytearray(path.read_bytes())
    page = content.find("text 3 — é".encode(), len(content) // 2) // 4096 * 4096
    content[page : page + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    store = PassageWriter(tmp_path / "new", earlier)
    with pytest.raises(ArtefactError, match=r"passages\.sqlite cannot be read"):
        store.take_over(range(earlier.document_count))
    store.close()


def test_a_document_taken_over_twice_is_a_wrong_call(path, tmp_path):
    earlier = PassageStore.open(path)
    store = PassageWriter(tmp_path / "new", earlier)
    store.take_over(range(400))
    with pytest.raises(ValueError, match="stands twice"):
        store.take_over(range(399, 833))
    store.close()


def test_the_same_passages_give_the_same_bytes(path, tmp_path):
    with PassageWriter(tmp_path / "again") as store:
        store.add_many(passages(1500))
        store.add_many(passages(1000, first=1500))
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again", "passages.sqlite"]


def test_creating_starts_anew(path):
    with PassageWriter(path) as store:
        store.add_many(passages(2))
    assert len(PassageStore.open(path)) == 2


def failing():
    yield from passages(2000)
    raise RuntimeError


def test_writing_that_fails_leaves_no_store(tmp_path):
    with pytest.raises(RuntimeError), PassageWriter(tmp_path / "store") as store:
        store.add_many(failing())
    with pytest.raises(ArtefactError):
        PassageStore.open(tmp_path / "store")


def test_writing_that_is_not_finished_leaves_no_store(tmp_path):
    store = PassageWriter(tmp_path / "store")
    store.add_many(passages(2000))
    store.close()
    with pytest.raises(ArtefactError):
        PassageStore.open(tmp_path / "store")


def test_refuses_numbers_out_of_turn_and_documents_that_repeat(tmp_path):
    first, second = passages(2)
    with (
        pytest.raises(ValueError, match="passage 1 stands where number 0 should"),
        PassageWriter(tmp_path / "a") as store,
    ):
        store.add_many([second])
    other = Passage(1, "b#0", "b", "", "", 0, 0)
    with pytest.raises(ValueError, match="stands twice"), PassageWriter(tmp_path / "b") as store:
        store.add_many([first, other, replace(first, number=2)])


def test_a_lone_surrogate_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="'a#0' is not text"), PassageWriter(tmp_path / "store") as store:
        store.add_many([Passage(0, "a#0", "a", "", "\ud800", 0, 1)])


def test_a_path_that_cannot_be_written_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="cannot be written"):
        PassageWriter(tmp_path / "nowhere" / "store")


def test_a_full_disk_is_a_storage_error(tmp_path):
    with PassageWriter(tmp_path / "store") as store:
        store._connection.execute("PRAGMA max_page_count = 20")
        with pytest.raises(StorageError, match="full"):
            store.add_many(passages(2500))
