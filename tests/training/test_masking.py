import numpy as np
import pytest

from bertpipe.text.special_ids import OURS, SpecialIds
from bertpipe.training.masking import IGNORED, mask_tokens

VOCAB = 1000
# As in BERT's vocabularies: the special pieces do not stand together, and some pieces are in reserve.
BERT = SpecialIds(pad=0, unk=100, cls=101, sep=102, mask=103, unused=tuple(range(1, 100)))


@pytest.fixture(scope="module", params=[OURS, BERT], ids=["ours", "bert"])
def large(request):
    rng = np.random.default_rng(0)
    ids = rng.integers(0, VOCAB, (500, 1000))
    masked, labels = mask_tokens(ids, VOCAB, request.param, 0.15, rng)
    return ids, masked, labels, request.param


def test_rates_hold_on_half_a_million_tokens(large):
    ids, masked, labels, special = large
    chosen = labels != IGNORED
    ordinary = special.ordinary(VOCAB)
    assert chosen.sum() / ordinary[ids].sum() == pytest.approx(0.15, abs=0.002)
    hidden, was = masked[chosen], ids[chosen]
    assert (hidden == special.mask).mean() == pytest.approx(0.8, abs=0.005)
    assert (hidden == was).mean() == pytest.approx(0.1 + 0.1 / VOCAB, abs=0.005)
    other = (hidden != special.mask) & (hidden != was)
    assert other.mean() == pytest.approx(0.1, abs=0.005)
    # Replacements are drawn evenly from all real pieces.
    assert ordinary[hidden[other]].all()
    assert np.bincount(hidden[other], minlength=VOCAB)[ordinary].std() < 10


def test_special_pieces_are_left_alone(large):
    ids, masked, labels, special = large
    alone = np.isin(ids, special.all)
    assert (masked[alone] == ids[alone]).all()
    assert (labels[alone] == IGNORED).all()


def test_labels_are_the_hidden_pieces(large):
    ids, masked, labels, _ = large
    chosen = labels != IGNORED
    assert (labels[chosen] == ids[chosen]).all()
    assert (masked[~chosen] == ids[~chosen]).all()


def test_a_batch_always_has_something_to_guess():
    _, labels = mask_tokens(np.array([[2, 9, 3]]), 10, OURS, 1e-9, np.random.default_rng(0))
    assert labels.tolist() == [[IGNORED, 9, IGNORED]]
    nothing = np.array([[2, 3, 0]])
    _, labels = mask_tokens(nothing, 10, OURS, 0.5, np.random.default_rng(0))
    assert (labels == IGNORED).all()
