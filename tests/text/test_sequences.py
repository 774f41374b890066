import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.text.sequences import MAX_TITLE_TOKENS, padded, passage_sequence, query_sequence, ranked_sequence
from bertpipe.text.special_ids import SpecialIds

SPECIAL = SpecialIds(pad=6, unk=1, cls=2, sep=3, mask=4)
CLS, SEP = 2, 3


def test_a_query():
    assert query_sequence([7, 8], 10, SPECIAL) == [CLS, 7, 8, SEP]
    assert query_sequence([7, 8, 9], 4, SPECIAL) == [CLS, 7, 8, SEP]
    assert query_sequence([], 4, SPECIAL) == [CLS, SEP]


def test_a_query_with_a_passage():
    ids, types = ranked_sequence([7, 8], [9], [10, 11], 8, 20, SPECIAL)
    assert ids == [CLS, 7, 8, SEP, 9, SEP, 10, 11, SEP]
    assert types == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert ranked_sequence([7], [], [10], 8, 20, SPECIAL) == ([CLS, 7, SEP, 10, SEP], [0, 0, 0, 1, 1])


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(3, 20), st.integers(24, 60))
def test_the_passage_gives_way_to_the_query(query, title, text, query_tokens, limit):
    asked = list(range(100, 100 + query))
    ids, types = ranked_sequence(asked, [7] * title, [8] * text, query_tokens, limit, SPECIAL)
    assert len(ids) == len(types) <= limit
    head = [CLS, *asked[: query_tokens - 2], SEP]
    assert ids[: len(head)] == head
    assert types == [0] * len(head) + [1] * (len(ids) - len(head))
    assert ids[-1] == SEP
    room = limit - len(head) - 1
    if not title:
        assert ids[len(head) : -1] == [8] * min(text, room)


def test_a_passage():
    assert passage_sequence([7], [8, 9], 10, SPECIAL) == [CLS, 7, SEP, 8, 9, SEP]
    assert passage_sequence([], [8, 9], 10, SPECIAL) == [CLS, 8, 9, SEP]
    assert passage_sequence([7], [8, 9, 10], 5, SPECIAL) == [CLS, 7, SEP, 8, SEP]
    assert passage_sequence([], [], 5, SPECIAL) == [CLS, SEP]


def test_a_long_title_leaves_room_for_the_text():
    sequence = passage_sequence([7] * 500, [8] * 500, 200, SPECIAL)
    assert sequence == [CLS, *[7] * MAX_TITLE_TOKENS, SEP, *[8] * (200 - MAX_TITLE_TOKENS - 3), SEP]
    assert passage_sequence([7] * 500, [8] * 500, 20, SPECIAL) == [CLS, *[7] * 10, SEP, *[8] * 7, SEP]


@given(
    title=st.lists(st.integers(5, 99), max_size=80),
    text=st.lists(st.integers(5, 99), max_size=80),
    limit=st.integers(6, 100),
)
def test_no_sequence_is_longer_than_its_limit(title, text, limit):
    for sequence in (passage_sequence(title, text, limit, SPECIAL), query_sequence(text, limit, SPECIAL)):
        assert len(sequence) <= limit
        assert sequence[0] == CLS
        assert sequence[-1] == SEP
    assert passage_sequence(np.array(title), np.array(text), limit, SPECIAL) == passage_sequence(
        title, text, limit, SPECIAL
    )


def test_batches_are_padded_at_the_end():
    input_ids, attention_mask = padded([[2, 7, 3], [2, 3], [2, 0, 9, 3]], 6)
    assert input_ids.tolist() == [[2, 7, 3, 6], [2, 3, 6, 6], [2, 0, 9, 3]]
    assert attention_mask.tolist() == [[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]]
    assert input_ids.dtype == attention_mask.dtype == np.int64


def test_a_batch_needs_a_sequence():
    with pytest.raises(ValueError, match="empty"):
        padded([], 0)
