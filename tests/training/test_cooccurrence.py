import numpy as np
import pytest
import torch
from scipy import sparse

from bertpipe.text.special_ids import OURS
from bertpipe.text.token_store import TokenStore, TokenStoreWriter
from bertpipe.training.cooccurrence import (
    cooccurrence_counts,
    inverse_document_frequencies,
    positive_pmi,
    token_vectors,
    truncated_svd,
)


def test_counts_agree_with_two_loops():
    rng = np.random.default_rng(0)
    tokens, vocab, window = rng.integers(0, 12, 300), 12, 4
    expected = np.zeros((vocab, vocab))
    for place, one in enumerate(tokens):
        for distance in range(1, window + 1):
            if place + distance < len(tokens):
                other = tokens[place + distance]
                expected[one, other] += (window + 1 - distance) / window
                expected[other, one] += (window + 1 - distance) / window
    np.testing.assert_allclose(cooccurrence_counts(tokens, vocab, window).toarray(), expected, rtol=1e-5)


def test_positive_pmi_agrees_with_the_formula():
    rng = np.random.default_rng(1)
    counts = cooccurrence_counts(rng.integers(0, 9, 200), 9, 3)
    dense = counts.toarray().astype(float)
    row, context = dense.sum(1), dense.sum(1) ** 0.75 / (dense.sum(1) ** 0.75).sum()
    with np.errstate(divide="ignore"):
        expected = np.maximum(np.log(dense / row[:, None] / context[None]), 0)
    np.testing.assert_allclose(positive_pmi(counts).toarray(), expected, atol=1e-4)


def test_truncated_svd_agrees_with_numpys():
    rng = np.random.default_rng(3)
    # A few strong directions over noise, as counts of words have.
    dense = (rng.normal(size=(80, 6)) * [30, 20, 12, 8, 5, 3]) @ rng.normal(size=(6, 80)) + rng.normal(
        size=(80, 80)
    ) * 0.1
    left, singular = truncated_svd(sparse.csr_array(dense.astype(np.float32)), 6, seed=0)
    expected_left, expected, _ = np.linalg.svd(dense)
    np.testing.assert_allclose(singular.numpy(), expected[:6], rtol=1e-3)
    overlap = np.abs(np.sum(left.numpy() * expected_left[:, :6], axis=0))
    np.testing.assert_allclose(overlap, 1, atol=1e-3)


@pytest.fixture
def two_topics(tmp_path) -> TokenStore:
    """Pieces 5 to 14 stand only with each other, and so do 15 to 24."""
    rng = np.random.default_rng(2)
    writer = TokenStoreWriter(tmp_path, 30)
    for document in range(300):
        low = 5 if document % 2 else 15
        writer.add([[], rng.integers(low, low + 10, 40).tolist()])
    writer.close()
    return TokenStore(tmp_path)


def test_pieces_of_one_topic_are_near(two_topics):
    vectors = torch.nn.functional.normalize(token_vectors(two_topics, 30, 8, OURS), dim=1)
    near = vectors @ vectors.T
    within = (near[5:15, 5:15].sum() - 10) / 90
    assert within > 0.5
    assert near[5:15, 15:25].mean() < within - 0.3


def test_vectors_have_berts_scale_and_are_repeatable(two_topics):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    vectors = token_vectors(two_topics, 30, 8, OURS)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(vectors, token_vectors(two_topics, 30, 8, OURS))
    assert torch.isfinite(vectors).all()
    torch.testing.assert_close(vectors.std(dim=1), torch.full((30,), 0.02))


def test_a_vocabulary_smaller_than_the_width(two_topics):
    assert token_vectors(two_topics, 30, 64, OURS).shape == (30, 64)


def test_rare_pieces_weigh_more(tmp_path):
    writer = TokenStoreWriter(tmp_path, 10)
    for document in range(8):
        writer.add([[], [6, 7] if document == 0 else [6]])
    writer.close()
    weights = inverse_document_frequencies(TokenStore(tmp_path), 10, OURS)
    assert weights[7].item() == pytest.approx(np.log(9))
    assert weights[6].item() == pytest.approx(np.log(2))
    assert (weights > 0).all()
    assert weights[2] < weights[6]
