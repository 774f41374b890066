import subprocess
import sys
from bisect import bisect_right

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.errors import ArtefactError
from bertpipe.text.token_store import TokenStore, TokenStoreWriter

DOCUMENTS = [
    [[10, 11], [12, 13, 14], [15]],
    [[], [20, 21]],  # no title
    [[30, 31, 32]],  # nothing but a title
    [[40], [41, 42, 43, 44, 45, 46], [], [47]],  # a sentence that has no pieces
    [[], []],  # nothing at all, at the end of the stream
]


def write(folder, documents, vocab_size=100, shard_tokens=4):
    writer = TokenStoreWriter(folder, vocab_size, shard_tokens)
    for document in documents:
        writer.add(document)
    writer.close()
    return TokenStore(folder)


def check(store, documents):
    """Everything that a store says, against the plain lists."""
    flat = [piece for document in documents for sentence in document for piece in sentence]
    assert store.num_tokens == len(flat)
    assert store.num_documents == len(documents)
    owners, sentence_of, number = [], [], 0
    for index, document in enumerate(documents):
        assert store.title(index).tolist() == document[0]
        assert [store.sentence(one).tolist() for one in store.body(index)] == document[1:]
        for sentence in document:
            owners += [index] * len(sentence)
            sentence_of += [number] * len(sentence)
            number += 1
    assert [store.document_at(place) for place in range(len(flat))] == owners
    assert [store.sentence_at(place) for place in range(len(flat))] == sentence_of
    for limit in (1, 3, len(flat), len(flat) + 5):
        assert store.stream(limit).tolist() == flat[:limit]
    starts = [0]
    for document in documents:
        starts.append(starts[-1] + sum(map(len, document)))
    for start in range(len(flat)):
        end = starts[bisect_right(starts, start)]
        assert store.span(start, end).tolist() == flat[start:end]


@pytest.mark.parametrize("shard_tokens", [1, 4, 1000])
def test_reads_what_was_written(tmp_path, shard_tokens):
    store = write(tmp_path, DOCUMENTS, shard_tokens=shard_tokens)
    check(store, DOCUMENTS)
    assert (len(list(tmp_path.glob("tokens-*.npy"))) == 1) == (shard_tokens == 1000)


sentences = st.lists(st.integers(5, 99), max_size=5)


@given(documents=st.lists(st.lists(sentences, min_size=1, max_size=4), max_size=6), shard_tokens=st.integers(1, 12))
def test_any_documents(tmp_path_factory, documents, shard_tokens):
    check(write(tmp_path_factory.mktemp("store"), documents, shard_tokens=shard_tokens), documents)


def test_documents_in_which_a_piece_occurs(tmp_path):
    store = write(tmp_path, [[[5, 6, 6]], [[6], [7, 6]], [[]], [[5]]])
    assert store.document_frequencies(9).tolist() == [0, 0, 0, 0, 0, 2, 2, 1, 0]


@pytest.mark.parametrize(
    ("vocab_size", "dtype"), [(300, np.uint16), (1 << 16, np.uint16), ((1 << 16) + 1, np.uint32), (250_000, np.uint32)]
)
def test_ids_are_as_wide_as_the_vocabulary_asks(tmp_path, vocab_size, dtype):
    documents = [[[0], [vocab_size - 1, 5]]]
    store = write(tmp_path, documents, vocab_size)
    assert store.sentence(1).dtype == dtype
    check(store, documents)


def test_ids_beyond_the_vocabulary_are_refused(tmp_path):
    with pytest.raises(OverflowError):
        write(tmp_path, [[[70_000]]], vocab_size=300)


@pytest.mark.parametrize("documents", [[], [[[]]], [[[], []], [[]]]])
def test_no_tokens(tmp_path, documents):
    store = write(tmp_path, documents)
    assert store.num_tokens == 0
    assert store.num_documents == len(documents)
    assert store.stream(10).tolist() == []
    assert not store.document_frequencies(9).any()
    for index in range(len(documents)):
        assert store.title(index).tolist() == []


def test_writing_again_replaces_all(tmp_path):
    write(tmp_path, DOCUMENTS * 3, shard_tokens=1)
    check(write(tmp_path, DOCUMENTS[:2]), DOCUMENTS[:2])


def test_another_process_reads_at_the_same_time(tmp_path):
    store = write(tmp_path, DOCUMENTS)
    code = (
        "import sys; from pathlib import Path; from bertpipe.text.token_store import TokenStore;"
        "store = TokenStore(Path(sys.argv[1])); print(store.stream(99).sum(), store.num_documents)"
    )
    others = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    expected = f"{store.stream(99).sum()} {store.num_documents}\n"
    assert [other.communicate()[0] for other in others] == [expected, expected]


def test_reading_maps_and_does_not_write(tmp_path):
    store = write(tmp_path, DOCUMENTS)
    assert not store.sentence(0).flags.writeable
    assert isinstance(store.sentences, np.memmap)


@pytest.mark.parametrize("name", ["tokens-00000.npy", "sentences.npy", "documents.npy"])
@pytest.mark.parametrize("kept", [0, 5, 100, -1, None])
def test_truncated_or_missing_files(tmp_path, name, kept):
    write(tmp_path, DOCUMENTS)
    if kept is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:kept])
    with pytest.raises(ArtefactError, match="not a whole token store") as caught:
        TokenStore(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [np.zeros(0, np.int64), np.zeros((2, 2), np.int64), np.array([{}], dtype=object)])
def test_files_of_something_else(tmp_path, content):
    write(tmp_path, DOCUMENTS)
    np.save(tmp_path / "sentences.npy", content, allow_pickle=True)
    with pytest.raises(ArtefactError, match="not a whole token store"):
        TokenStore(tmp_path)


def test_no_store(tmp_path):
    with pytest.raises(ArtefactError):
        TokenStore(tmp_path / "nowhere")
