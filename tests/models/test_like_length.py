import random

import pytest

from bertpipe.models.like_length import like_length


@pytest.mark.parametrize("window", [8192, 1638])
def test_batches_keep_to_their_size_and_give_out_in_turn(window):
    rng = random.Random(3)
    lengths = [30 * rng.randint(1, 60) for _ in range(400)]
    batches = list(like_length(lengths, window))
    assert sorted(number for batch in batches for number in batch) == list(range(400))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[number] for number in batch) <= window
    # Nothing waits for more than a few batches.
    done, waiting, due = set(), 0, 0
    for batch in batches:
        done |= set(batch)
        while due in done:
            due += 1
        waiting = max(waiting, sum(lengths[number] for number in done if number >= due))
    assert waiting <= 6 * window


def test_nothing_and_too_much():
    assert list(like_length([], 1)) == []
    assert list(like_length([10**6, 1, 10**6], 1)) == [[0], [1], [2]]
