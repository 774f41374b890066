import torch
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.models.repetition import forbid_repeated

PIECES = 4


@given(
    written=st.lists(st.integers(0, PIECES - 1), max_size=14),
    other=st.lists(st.integers(0, PIECES - 1), min_size=14, max_size=14),
    size=st.integers(1, 4),
)
def test_a_piece_is_forbidden_where_it_would_repeat_a_run(written, other, size):
    """Two targets of the same length, each with rules of its own."""
    rows = [written, other[: len(written)]]
    logits = torch.zeros(2, PIECES)
    forbid_repeated(logits, torch.tensor(rows, dtype=torch.int64).view(2, -1), size)
    for row, pieces in enumerate(rows):
        before = {tuple(pieces[start : start + size]) for start in range(len(pieces) - size + 1)}
        for piece in range(PIECES):
            repeats = tuple([*pieces, piece][-size:]) in before if len(pieces) + 1 >= size else False
            assert (logits[row, piece] == float("-inf")) == repeats
