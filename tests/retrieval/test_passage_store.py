import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from bertpipe.errors import ArtefactError, InputError, StorageError
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.passage_store import PassageStore
from bertpipe.retrieval.terms import passage_terms


def passages(count, first=0):
    for number in range(first, first + count):
        document, place = divmod(number, 3)
        yield Passage(
            number,
            f"文档{document}#{place}",
            f"文档{document}",
            "标题 'quoted\"; DROP TABLE passages; --",
            f"text {number % 7} — é\n第二行" + "x" * 50,
            place * 10,
            place * 10 + 60,
            {"日期": "2026-01-01", "n": document, "share": 0.5, "flag": True, "none": None},
            f"组{document // 2}" if document % 2 else "",
        )


@pytest.fixture
def path(tmp_path):
    with PassageStore.create(tmp_path / "passages.sqlite") as store:
        assert store.add_many(passages(1500)) == 1500
        assert store.add_many(passages(1000, first=1500)) == 1000
    return tmp_path / "passages.sqlite"


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
    with PassageStore.create(tmp_path / "other") as store:
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
        with PassageStore.create(tmp_path / name) as store:
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


def renumbered(some, first):
    return [replace(passage, number=number) for number, passage in enumerate(some, start=first)]


def test_taking_over_gives_the_bytes_of_storing_anew(tmp_path):
    """Blocks, runs of documents and single ones, from other numbers than before."""
    everything = list(passages(3000))
    documents = [everything[start : start + 3] for start in range(0, 3000, 3)]
    with PassageStore.create(tmp_path / "earlier") as store:
        for own in documents:
            store.add_many(own, own[0].document.encode())
    earlier = PassageStore.open(tmp_path / "earlier")
    assert earlier.documents()[7] == ("文档7", "文档7".encode())
    plan = [range(40, 800), documents[2], range(1), documents[990], range(3, 4), range(900, 980)]
    for name in ("taken", "anew"):
        with PassageStore.create(tmp_path / name, earlier if name == "taken" else None) as store:
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
    store = PassageStore.create(tmp_path / "new", earlier)
    with pytest.raises(ArtefactError, match=r"passages\.sqlite cannot be read"):
        store.take_over(range(earlier.document_count))
    store.close()


def test_a_document_taken_over_twice_is_a_wrong_call(path, tmp_path):
    earlier = PassageStore.open(path)
    store = PassageStore.create(tmp_path / "new", earlier)
    store.take_over(range(400))
    with pytest.raises(ValueError, match="stands twice"):
        store.take_over(range(399, 833))
    store.close()


def test_facts(tmp_path):
    with PassageStore.create(tmp_path / "store") as store:
        store.note("cut", "so")
    assert PassageStore.open(tmp_path / "store").facts == {"cut": "so"}


def test_the_same_passages_give_the_same_bytes(path, tmp_path):
    with PassageStore.create(tmp_path / "again") as store:
        store.add_many(passages(1500))
        store.add_many(passages(1000, first=1500))
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again", "passages.sqlite"]


def test_creating_starts_anew(path):
    with PassageStore.create(path) as store:
        store.add_many(passages(2))
    assert len(PassageStore.open(path)) == 2


def test_no_passages(tmp_path):
    with PassageStore.create(tmp_path / "empty"):
        pass
    store = PassageStore.open(tmp_path / "empty")
    assert len(store) == 0
    assert list(store.iterate()) == []


def test_reading_does_not_write(path):
    before = path.read_bytes(), path.stat().st_mtime_ns
    with PassageStore.open(path) as store:
        store.get_many([1])
        with pytest.raises(StorageError, match="readonly"):
            store.add_many(passages(1, first=2500))
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def failing():
    yield from passages(2000)
    raise RuntimeError


def test_writing_that_fails_leaves_no_store(tmp_path):
    with pytest.raises(RuntimeError), PassageStore.create(tmp_path / "store") as store:
        store.add_many(failing())
    with pytest.raises(ArtefactError):
        PassageStore.open(tmp_path / "store")


def test_writing_that_is_not_finished_leaves_no_store(tmp_path):
    store = PassageStore.create(tmp_path / "store")
    store.add_many(passages(2000))
    store.close()
    with pytest.raises(ArtefactError):
        PassageStore.open(tmp_path / "store")


def test_refuses_numbers_out_of_turn_and_documents_that_repeat(tmp_path):
    first, second = passages(2)
    with (
        pytest.raises(ValueError, match="passage 1 stands where number 0 should"),
        PassageStore.create(tmp_path / "a") as store,
    ):
        store.add_many([second])
    other = Passage(1, "b#0", "b", "", "", 0, 0)
    with pytest.raises(ValueError, match="stands twice"), PassageStore.create(tmp_path / "b") as store:
        store.add_many([first, other, replace(first, number=2)])


def test_a_lone_surrogate_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="'a#0' is not text"), PassageStore.create(tmp_path / "store") as store:
        store.add_many([Passage(0, "a#0", "a", "", "\ud800", 0, 1)])


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


def test_a_path_that_cannot_be_written_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="cannot be written"):
        PassageStore.create(tmp_path / "nowhere" / "store")


def test_a_full_disk_is_a_storage_error(tmp_path):
    with PassageStore.create(tmp_path / "store") as store:
        store._connection.execute("PRAGMA max_page_count = 20")
        with pytest.raises(StorageError, match="full"):
            store.add_many(passages(2500))


def test_names_with_signs_of_an_address_are_plain_paths(tmp_path):
    path = tmp_path / "a?b#c%20d 中.sqlite"
    with PassageStore.create(path) as store:
        store.add_many(passages(1))
    assert len(PassageStore.open(path)) == 1
