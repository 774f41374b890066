import numpy as np

from bertpipe.text.special_ids import OUR_PIECES, OURS, SpecialIds


def test_ours_come_first():
    assert OURS.all == (0, 1, 2, 3, 4)
    assert [OUR_PIECES[index] for index in (OURS.pad, OURS.mask)] == ["[PAD]", "[MASK]"]


def test_ordinary_pieces_are_the_rest():
    special = SpecialIds(pad=0, unk=7, cls=8, sep=9, mask=10, unused=(1, 2))
    assert np.flatnonzero(special.ordinary(12)).tolist() == [3, 4, 5, 6, 11]
