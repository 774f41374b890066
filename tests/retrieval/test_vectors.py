import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.errors import ArtefactError
from bertpipe.retrieval.vectors import VectorIndex


def unit(shape, seed=0):
    vectors = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@given(passages=st.integers(1, 60), width=st.integers(2, 12), k=st.integers(1, 80), seed=st.integers(0, 99))
def test_finds_what_brute_force_finds(passages, width, k, seed):
    vectors, query = unit((passages, width), seed), unit(width, seed + 100)
    numbers, scores = VectorIndex.build(vectors).search(query, k)
    expected = vectors.astype(np.float64) @ query
    order = np.argsort(-expected, kind="stable")[:k]
    assert numbers.dtype == np.int64
    assert len(numbers) == len(set(numbers.tolist())) == min(k, passages)
    # Scores equal to the last bit may stand in any order; what is asked is that no better one was left out.
    np.testing.assert_allclose(scores, expected[order], atol=1e-6)
    np.testing.assert_allclose(scores, expected[numbers], atol=1e-6)


def test_given_passages_get_their_true_scores():
    vectors, query = unit((50, 8)), unit(8, 1)
    index = VectorIndex.build(vectors)
    numbers = np.array([7, 3, 3, 49, 0])
    np.testing.assert_allclose(index.scores(query, numbers), vectors[numbers] @ query, atol=1e-6)
    assert index.scores(query, np.empty(0, np.int64)).shape == (0,)
    found, scores = index.search(query, 50)
    np.testing.assert_allclose(index.scores(query, found), scores, atol=1e-6)


def test_more_passages_than_are_added_at_once():
    vectors = unit(((1 << 16) + 100, 4))
    index = VectorIndex.build(vectors)
    assert len(index) == len(vectors)
    for number in (0, (1 << 16) - 1, 1 << 16, len(vectors) - 1):
        assert index.search(vectors[number], 1)[0].tolist() == [number]


def test_vectors_may_come_from_a_file_and_in_any_layout(tmp_path):
    vectors, query = unit((30, 8)), unit(8, 1)
    expected = VectorIndex.build(vectors).search(query, 5)
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    for layout in (mapped, np.asfortranarray(vectors), vectors.astype(np.float64)):
        numbers, scores = VectorIndex.build(layout).search(query, 5)
        assert numbers.tolist() == expected[0].tolist()
        np.testing.assert_allclose(scores, expected[1], atol=1e-6)


def test_opens_what_was_saved(tmp_path):
    vectors, query = unit((30, 8)), unit(8, 1)
    built = VectorIndex.build(vectors)
    built.save(tmp_path / "vectors.faiss")
    opened = VectorIndex.open(tmp_path / "vectors.faiss")
    assert (len(opened), opened.width) == (30, 8)
    for one, other in zip(opened.search(query, 9), built.search(query, 9), strict=True):
        assert one.tobytes() == other.tobytes()
    built.save(tmp_path / "again.faiss")
    assert (tmp_path / "again.faiss").read_bytes() == (tmp_path / "vectors.faiss").read_bytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, (1 << 16) + 1])
def test_values_that_are_not_finite_are_refused(bad, row):
    vectors = np.ones((row + 2, 2), np.float32)
    vectors[row, 1] = bad
    with pytest.raises(ValueError, match="not finite"):
        VectorIndex.build(vectors)


def test_no_passages_or_none_wanted(tmp_path):
    empty = VectorIndex.build(np.empty((0, 8), np.float32))
    empty.save(tmp_path / "empty.faiss")
    for index in (empty, VectorIndex.open(tmp_path / "empty.faiss")):
        assert len(index) == 0
        assert [part.shape for part in index.search(unit(8), 5)] == [(0,), (0,)]
    assert len(VectorIndex.build(unit((3, 8))).search(unit(8), 0)[0]) == 0


@pytest.mark.parametrize("missing", [1, 100, 500])
def test_a_file_that_finds_no_room_is_an_error(tmp_path, missing):
    """FAISS itself does not notice when its last bytes find none."""
    resource = pytest.importorskip("resource")
    index = VectorIndex.build(unit((30, 8)))
    index.save(tmp_path / "vectors.faiss")
    size = (tmp_path / "vectors.faiss").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - missing, limits[1]))
        with pytest.raises(OSError, match="large"):
            index.save(tmp_path / "again.faiss")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("kept", [0, 3, 20, 100, -1])
def test_truncated_files(tmp_path, kept):
    path = tmp_path / "vectors.faiss"
    VectorIndex.build(unit((30, 8))).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ArtefactError, match=r"vectors\.faiss is missing or damaged") as caught:
        VectorIndex.open(path)
    assert "\n" not in str(caught.value)


def test_other_files(tmp_path):
    with pytest.raises(ArtefactError, match="missing or damaged"):
        VectorIndex.open(tmp_path / "nowhere")
    (tmp_path / "text").write_text("hello " * 99)
    with pytest.raises(ArtefactError, match="missing or damaged"):
        VectorIndex.open(tmp_path / "text")
    faiss.write_index(faiss.IndexHNSWFlat(8, 4), str(tmp_path / "graph"))
    with pytest.raises(ArtefactError, match="not an index of ours"):
        VectorIndex.open(tmp_path / "graph")
