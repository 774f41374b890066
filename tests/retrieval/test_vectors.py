import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.errors import ArtefactError
from bertpipe.retrieval.vectors import Effort, VectorIndex


def unit(shape, seed=0):
    vectors = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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


@given(passages=st.integers(1, 60), share=st.floats(0, 1), k=st.integers(1, 80), seed=st.integers(0, 99))
def test_only_allowed_passages_are_found_and_as_many_as_there_are(passages, share, k, seed):
    vectors, query = unit((passages, 5), seed), unit(5, seed + 100)
    among = np.random.default_rng(seed).random(passages) < share
    numbers, scores = VectorIndex.build(vectors).search(query, k, among)
    expected = np.sort((vectors @ query)[among])[::-1][:k]
    assert among[numbers].all()
    assert len(set(numbers.tolist())) == len(numbers)
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    np.testing.assert_allclose(scores, vectors[numbers] @ query, atol=1e-6)


@pytest.mark.parametrize("structure", ["Flat", "IVF4,SQ8"])
@given(passages=st.integers(20, 60), parts=st.integers(2, 5), k=st.integers(1, 80), seed=st.integers(0, 99))
def test_a_passage_is_as_near_as_the_nearest_of_its_vectors(structure, passages, parts, k, seed):
    vectors, query = unit((passages, parts, 6), seed), unit(6, seed + 100)
    every = VectorIndex.build(vectors.reshape(passages, parts * 6), structure, parts=parts)
    index = every.with_effort(Effort(4, 8))
    expected = (vectors @ query).max(axis=1)
    assert (len(index), index.width, index.parts) == (passages, 6, parts)
    for among in (None, np.random.default_rng(seed).random(passages) < 0.5):
        allowed = expected if among is None else expected[among]
        numbers, scores = index.search(query, k, among)
        assert len(set(numbers.tolist())) == len(numbers) == min(k, len(allowed))
        assert among is None or among[numbers].all()
        np.testing.assert_allclose(scores, np.sort(allowed)[::-1][:k], atol=1e-6)
        np.testing.assert_allclose(scores, expected[numbers], atol=1e-6)
        np.testing.assert_allclose(index.scores(query, numbers), scores, atol=1e-6)


@pytest.mark.parametrize("structure", ["Flat", "IVF4,PQ4x4fs"])
def test_parts_are_kept(tmp_path, structure):
    vectors, query = unit((500, 3, 8)).reshape(500, 24), unit(8, 1)
    built = VectorIndex.build(vectors, structure, parts=3).with_effort(Effort(4, 4))
    built.save(tmp_path / "vectors")
    opened = VectorIndex.open(tmp_path / "vectors")
    again = opened.with_vectors(vectors[::-1].copy())
    assert opened.parts == again.parts == 3
    for one, two in zip(built.search(query, 9), opened.search(query, 9), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (499 - again.search(query, 3)[0]).tolist() == built.search(query, 3)[0].tolist()
    settings = json.loads((tmp_path / "vectors" / "structure.json").read_text())
    (tmp_path / "vectors" / "structure.json").write_text(json.dumps(settings | {"parts": 5}))
    with pytest.raises(ArtefactError, match="24 numbers are no 5 vectors"):
        VectorIndex.open(tmp_path / "vectors")


def test_given_passages_get_their_true_scores():
    vectors, query = unit((50, 8)), unit(8, 1)
    index = VectorIndex.build(vectors)
    numbers = np.array([7, 3, 3, 49, 0])
    np.testing.assert_allclose(index.scores(query, numbers), vectors[numbers] @ query, atol=1e-6)
    assert index.scores(query, np.empty(0, np.int64)).shape == (0,)
    found, scores = index.search(query, 50)
    np.testing.assert_allclose(index.scores(query, found), scores, atol=1e-6)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("numbers", [[0, 50], [-1], [3, 1 << 40]])
def test_passages_that_there_are_not_have_no_scores(parts, numbers):
    vectors = unit((50, 8 * parts))
    index = VectorIndex.build(vectors, parts=parts)
    with pytest.raises(IndexError, match=f"{numbers[-1]}"):
        index.scores(vectors[0, :8], np.array(numbers))


@pytest.mark.parametrize("width", [0, 7, 9])
def test_a_query_of_another_width_has_no_scores(width):
    index = VectorIndex.build(unit((50, 8)))
    with pytest.raises(ValueError, match=f"{width}"):
        index.scores(np.zeros(width, np.float32), np.arange(3))


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
    built.save(tmp_path / "vectors")
    opened = VectorIndex.open(tmp_path / "vectors")
    assert (len(opened), opened.width) == (30, 8)
    for one, other in zip(opened.search(query, 9), built.search(query, 9), strict=True):
        assert one.tobytes() == other.tobytes()
    built.save(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "vectors")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, (1 << 16) + 1])
def test_values_that_are_not_finite_are_refused(bad, row):
    vectors = np.ones((row + 2, 2), np.float32)
    vectors[row, 1] = bad
    with pytest.raises(ValueError, match="not finite"):
        VectorIndex.build(vectors)


def test_no_passages_or_none_wanted(tmp_path):
    empty = VectorIndex.build(np.empty((0, 8), np.float32))
    empty.save(tmp_path / "empty")
    for index in (empty, VectorIndex.open(tmp_path / "empty")):
        assert len(index) == 0
        assert [part.shape for part in index.search(unit(8), 5)] == [(0,), (0,)]
    assert len(VectorIndex.build(unit((3, 8))).search(unit(8), 0)[0]) == 0


@pytest.mark.parametrize("structure", ["Flat", "IVF4,SQ8"])
@pytest.mark.parametrize("missing", [1, 100, 300])
def test_a_file_that_finds_no_room_is_an_error(tmp_path, structure, missing):
    """FAISS itself does not notice when its last bytes find none."""
    resource = pytest.importorskip("resource")
    index = VectorIndex.build(unit((60, 8)), structure)
    index.save(tmp_path / "vectors")
    size = (tmp_path / "vectors" / ("vectors.npy" if structure == "Flat" else "codes.faiss")).stat().st_size
    assert structure == "Flat" or size < (tmp_path / "vectors" / "vectors.npy").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - missing, limits[1]))
        with pytest.raises(OSError, match="large"):
            index.save(tmp_path / "again")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


FILES = ["vectors.npy", "codes.faiss", "structure.json"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [None, 0, 3, 20, 100, -1])
def test_truncated_and_missing_files(tmp_path, name, kept):
    VectorIndex.build(unit((30, 8)), "IVF2,SQ8").save(tmp_path / "vectors")
    path = tmp_path / "vectors" / name
    if kept is None:
        path.unlink()
    elif name == "structure.json" and kept in (100, -1):
        path.write_text(path.read_text()[:-3])
    else:
        path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ArtefactError, match=name) as caught:
        VectorIndex.open(tmp_path / "vectors")
    assert "\n" not in str(caught.value)


def test_files_that_do_not_fit_each_other(tmp_path):
    vectors = unit((30, 8))
    VectorIndex.build(vectors, "SQ8").save(tmp_path / "one")
    VectorIndex.build(vectors[:20], "SQ8").save(tmp_path / "other")
    (tmp_path / "one" / "vectors.npy").write_bytes((tmp_path / "other" / "vectors.npy").read_bytes())
    with pytest.raises(ArtefactError, match="its codes are not those of"):
        VectorIndex.open(tmp_path / "one")
    for table in (np.zeros(8, np.float32), vectors.astype(np.float64), np.array([{}], dtype=object)):
        np.save(tmp_path / "other" / "vectors.npy", table)
        with pytest.raises(ArtefactError, match=r"vectors\.npy is"):
            VectorIndex.open(tmp_path / "other")
    with pytest.raises(ArtefactError, match="missing or damaged"):
        VectorIndex.open(tmp_path / "nowhere")
    with pytest.raises(ArtefactError, match="missing or damaged"):
        VectorIndex.open(tmp_path / "one" / "vectors.npy")


def test_codes_whose_bytes_were_changed_are_an_error_or_found_exactly_scored(tmp_path):
    """Whatever a flipped byte does, no process dies of it, and scores stay true: they come from the full vectors."""
    vectors, query = unit((300, 8)), unit(8, 1)
    VectorIndex.build(vectors, "IVF4,SQ8").save(tmp_path / "vectors")
    path = tmp_path / "vectors" / "codes.faiss"
    whole = path.read_bytes()
    refused = 0
    for place in range(12):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            numbers, scores = VectorIndex.open(tmp_path / "vectors").search(query, 5)
        except ArtefactError:
            refused += 1
        else:
            np.testing.assert_allclose(scores, vectors[numbers] @ query, atol=1e-6)
    assert refused


def test_numbers_of_passages_that_there_are_not_are_damage(tmp_path):
    vectors = unit((300, 8))
    index = VectorIndex.build(vectors, "IVF1,SQ8")
    index.save(tmp_path / "vectors")
    path = tmp_path / "vectors" / "codes.faiss"
    numbers = np.arange(300, dtype=np.int64).tobytes()  # the one list holds all passages in order
    assert path.read_bytes().count(numbers) == 1
    path.write_bytes(path.read_bytes().replace(numbers, (np.arange(300, dtype=np.int64) + 300).tobytes()))
    with pytest.raises(ArtefactError, match=r"codes\.faiss is damaged .it proposes passages that there are not"):
        VectorIndex.open(tmp_path / "vectors").search(vectors[0], 5)


STRUCTURES = ["Flat", "IVF16,PQ8x4fs", "IVF16,RaBitQfs", "IVF16,SQ8", "HNSW16,SQ8", "SQ8", "PQ8x4fs", "PCA14,IVF16,SQ8"]


@pytest.fixture(scope="module")
def clustered():
    """Vectors as encoders make them: in clusters. Queries lie near them."""
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(40, 16))
    vectors = centres[rng.integers(40, size=4000)] + 0.5 * rng.normal(size=(4000, 16))
    queries = vectors[rng.integers(4000, size=30)] + 0.2 * rng.normal(size=(30, 16))
    return tuple((each / np.linalg.norm(each, axis=1, keepdims=True)).astype(np.float32) for each in (vectors, queries))


@pytest.fixture(scope="module")
def structures(clustered, tmp_path_factory):
    folder = tmp_path_factory.mktemp("structures")
    opened = {}
    for number, structure in enumerate(STRUCTURES):
        probes = {"HNSW16,SQ8": 64, "Flat": 0, "SQ8": 0, "PQ8x4fs": 0}.get(structure, 8)
        VectorIndex.build(clustered[0], structure).with_effort(Effort(probes, 8)).save(folder / str(number))
        opened[structure] = VectorIndex.open(folder / str(number))
    return opened


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("density", [1.0, 0.99, 0.5, 0.1, 0.01, 0.001, 0.0])
def test_filtered_search(clustered, structures, structure, density):
    """k allowed passages wherever there are k, with their true scores, and nearly those that brute force finds."""
    vectors, queries = clustered
    index = structures[structure]
    assert (index.structure, len(index), index.width) == (structure, 4000, 16)
    among = np.random.default_rng(1).random(len(vectors)) < density
    found = 0
    for query in queries:
        numbers, scores = index.search(query, 10, among)
        truth = vectors @ query
        expected = np.argsort(np.where(among, -truth, np.inf), kind="stable")[: min(10, among.sum())]
        assert among[numbers].all()
        assert len(numbers) == len(set(numbers.tolist())) == len(expected)
        np.testing.assert_allclose(scores, truth[numbers], atol=1e-6)
        assert (np.diff(scores) <= 0).all()
        found += len(set(numbers.tolist()) & set(expected.tolist()))
    share = found / (len(queries) * max(1, min(10, among.sum())))
    assert share >= (1.0 if structure == "Flat" or not density > 0.01 else 0.9) or not among.any()


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("k", [1, 999, 4000, 5000])
def test_as_many_as_are_asked_for(clustered, structures, structure, k):
    vectors, queries = clustered
    numbers, scores = structures[structure].search(queries[0], k)
    assert len(set(numbers.tolist())) == len(numbers) == min(k, len(vectors))
    np.testing.assert_allclose(scores, vectors[numbers] @ queries[0], atol=1e-6)


def test_allowed_passages_far_from_the_query_are_found(clustered, structures):
    """The clusters that are near hold none of them."""
    vectors, queries = clustered
    for query in queries[:5]:
        truth = vectors @ query
        among = np.zeros(len(vectors), dtype=bool)
        among[np.argsort(truth)[:500]] = True
        for structure in STRUCTURES:
            numbers, _ = structures[structure].search(query, 10, among)
            assert among[numbers].all()
            assert len(numbers) == 10, structure


def test_equal_scores_come_by_number():
    vectors = np.repeat(unit((3, 8)), 400, axis=0)
    index = VectorIndex.build(vectors, "IVF2,SQ8").with_effort(Effort(2, 4))
    numbers, _ = index.search(vectors[0], 30)
    assert numbers.tolist() == sorted(numbers.tolist())
    among = np.zeros(1200, dtype=bool)
    among[100:390] = True
    assert index.search(vectors[0], 30, among)[0].tolist() == list(range(100, 130))
