import itertools

import numpy as np
import pytest

from bertpipe.errors import ConfigError
from bertpipe.text.special_ids import OURS
from bertpipe.text.windows import QuestionFrame, most_context, sliding_windows


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 23, 100])
@pytest.mark.parametrize(("size", "stride"), [(8, 0), (8, 3), (8, 7), (1, 0)])
def test_windows_hold_every_piece_and_share_as_many_as_asked_for(count, size, stride):
    windows = sliding_windows(count, size, stride)
    held = sorted({piece for first, last in windows for piece in range(first, last)})
    assert held == list(range(count))
    assert all(last - first <= size for first, last in windows)
    for (_, end), (start, _) in itertools.pairwise(windows):
        assert end - start == stride
    assert len(windows) == 1 or all(last > before for (_, before), (_, last) in itertools.pairwise(windows))


@pytest.mark.parametrize(("size", "stride"), [(8, 8), (8, -1), (0, 0)])
def test_windows_that_would_leave_pieces_out_or_stand_still(size, stride):
    with pytest.raises(ValueError, match="stride"):
        sliding_windows(20, size, stride)


def test_a_piece_counts_where_most_is_seen_around_it():
    windows = [(0, 8), (4, 12), (8, 14)]
    owner = most_context(windows, 14)
    context = [
        max(min(piece - first, last - 1 - piece) for first, last in windows if first <= piece < last)
        for piece in range(14)
    ]
    for piece, number in enumerate(owner):
        first, last = windows[number]
        assert first <= piece < last
        assert min(piece - first, last - 1 - piece) == context[piece]
    assert owner.tolist() == sorted(owner.tolist())


def test_a_sequence_holds_the_question_and_the_window():
    frame = QuestionFrame(max_tokens=16, stride=2, question_tokens=4)
    ids, types = frame.sequence([21, 22], [31, 32, 33], OURS)
    assert ids == [OURS.cls, 21, 22, OURS.sep, 31, 32, 33, OURS.sep]
    assert types == [0, 0, 0, 0, 1, 1, 1, 1]
    assert ids[frame.context_place(2)] == 31


def test_a_long_question_is_cut_and_a_long_context_is_not():
    frame = QuestionFrame(max_tokens=16, stride=6, question_tokens=4)
    question, context = list(range(20, 30)), list(range(30, 70))
    seen = []
    for first, last in frame.windows(len(question), len(context)):
        ids, _ = frame.sequence(question, context[first:last], OURS)
        assert len(ids) <= 16
        assert ids[1:5] == [20, 21, 22, 23]
        place = frame.context_place(len(question))
        assert ids[place : place + last - first] == context[first:last]
        seen += context[first:last]
    assert set(seen) == set(context)


def test_windows_stay_apart_where_the_question_leaves_little_room():
    """Half of a window is new, however much they are to share."""
    frame = QuestionFrame(max_tokens=20, stride=14, question_tokens=7)
    windows = np.array(frame.windows(7, 100))
    assert (np.diff(windows[:, 0]) >= 5).all()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (QuestionFrame(65, 8, 8), "more than the model can read"),
        (QuestionFrame(32, 8, 24), "leaves no room"),
        (QuestionFrame(32, 32, 8), "as much as a window"),
    ],
)
def test_impossible_frames(frame, message):
    with pytest.raises(ConfigError, match=message):
        frame.check(64)


def test_a_possible_frame():
    QuestionFrame(64, 16, 24).check(64)
