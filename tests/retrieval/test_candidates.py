import numpy as np
import pytest

from bertpipe.retrieval.candidates import find_candidates
from bertpipe.retrieval.fusion import fuse
from bertpipe.retrieval.lexical import LexicalIndex
from bertpipe.retrieval.vectors import VectorIndex

WORDS = ["apple", "banana", "cherry", "damson", "elder", "fig", "grape", "hazel"]
PASSAGES = 300


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 30))) for _ in range(PASSAGES)]
    lexical = LexicalIndex.build(
        tmp_path_factory.mktemp("candidates") / "lexical", ((number, "", text) for number, text in enumerate(texts))
    )
    vectors = rng.normal(size=(PASSAGES, 8)).astype(np.float32)
    return lexical, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("query", ["apple", "grape fig apple", "hazel hazel", "unheard of", ""])
@pytest.mark.parametrize("depth", [1, 10, 100, PASSAGES, 10_000])
def test_every_candidate_has_both_of_its_true_scores(sides, query, depth):
    lexical, vectors = sides
    vector = vectors[17] * np.float32(0.5)
    found = find_candidates(lexical, VectorIndex.build(vectors), query, vector, depth)
    everything = np.arange(PASSAGES)
    bm25, dense = lexical.scores(query, everything), vectors @ vector
    by_words = [number for number in np.argsort(-bm25, kind="stable")[:depth] if bm25[number] > 0]
    by_vector = np.argsort(-dense, kind="stable")[:depth]
    assert found.numbers.tolist() == sorted({*by_words, *by_vector.tolist()})
    np.testing.assert_allclose(found.bm25, bm25[found.numbers], rtol=1e-5)
    np.testing.assert_allclose(found.dense, dense[found.numbers], atol=1e-6)


def test_what_each_score_adds_to_the_hybrids(sides):
    lexical, vectors = sides
    index, vector = VectorIndex.build(vectors), vectors[17]
    found = find_candidates(lexical, index, "grape fig apple", vector, 20, near=True)
    np.testing.assert_allclose(found.near, lexical.nearness("grape fig apple", found.numbers))
    assert set(found.scores) == {"bm25", "dense", "nearness"}
    plain = fuse(found.bm25, found.dense, 0.3)
    np.testing.assert_array_equal(found.hybrid(0.3), plain)
    np.testing.assert_allclose(found.hybrid(0.3, 0.5), plain + 0.5 * found.near / found.near.std())
    assert sum(found.parts(0.3, 0.5).values()) == pytest.approx(found.hybrid(0.3, 0.5))
    nowhere = find_candidates(lexical, index, "unheard of", vector, 20, near=True)
    assert not nowhere.near.any()
    np.testing.assert_array_equal(nowhere.hybrid(0.3, 0.5), nowhere.hybrid(0.3))
    unasked = find_candidates(lexical, index, "grape", vector, 20)
    assert set(unasked.scores) == {"bm25", "dense"}
    with pytest.raises(ValueError, match="not looked for"):
        unasked.hybrid(0.3, 0.5)


def test_a_passage_that_only_the_vectors_propose_keeps_its_words(sides):
    lexical, vectors = sides
    bm25 = lexical.scores("apple", np.arange(PASSAGES))
    matching = np.flatnonzero(bm25 > 0)
    weakest = int(matching[np.argmin(bm25[matching])])
    found = find_candidates(lexical, VectorIndex.build(vectors), "apple", vectors[weakest], depth=5)
    assert weakest not in lexical.search("apple", 5)[0]
    assert found.bm25[found.numbers == weakest] == pytest.approx(bm25[weakest])
