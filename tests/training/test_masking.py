import numpy as np
import pytest

from bertpipe.training.masking import IGNORED, mask_tokens

VOCAB = 1000


@pytest.fixture(scope="module")
def large():
    rng = np.random.default_rng(0)
    ids = rng.integers(0, VOCAB, (500, 1000))
    masked, labels = mask_tokens(ids, VOCAB, 0.15, rng)
    return ids, masked, labels


def test_rates_hold_on_half_a_million_tokens(large):
    ids, masked, labels = large
    chosen = labels != IGNORED
    candidates = ids >= 5
    assert chosen.sum() / candidates.sum() == pytest.approx(0.15, abs=0.002)
    hidden, was = masked[chosen], ids[chosen]
    assert (hidden == 4).mean() == pytest.approx(0.8, abs=0.005)
    assert (hidden == was).mean() == pytest.approx(0.1 + 0.1 / VOCAB, abs=0.005)
    other = (hidden != 4) & (hidden != was)
    assert other.mean() == pytest.approx(0.1, abs=0.005)
    # Replacements are drawn evenly from all real pieces.
    assert hidden[other].min() >= 5
    assert np.bincount(hidden[other], minlength=VOCAB)[5:].std() < 10


def test_special_pieces_are_left_alone(large):
    ids, masked, labels = large
    special = ids < 5
    assert (masked[special] == ids[special]).all()
    assert (labels[special] == IGNORED).all()


def test_labels_are_the_hidden_pieces(large):
    ids, masked, labels = large
    chosen = labels != IGNORED
    assert (labels[chosen] == ids[chosen]).all()
    assert (masked[~chosen] == ids[~chosen]).all()


def test_a_batch_always_has_something_to_guess():
    _, labels = mask_tokens(np.array([[2, 9, 3]]), 10, 1e-9, np.random.default_rng(0))
    assert labels.tolist() == [[IGNORED, 9, IGNORED]]
    nothing = np.array([[2, 3, 0]])
    _, labels = mask_tokens(nothing, 10, 0.5, np.random.default_rng(0))
    assert (labels == IGNORED).all()
