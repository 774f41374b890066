from itertools import pairwise

import numpy as np
import pytest

from bertpipe.text.special_ids import OURS
from bertpipe.training.pairs import CorpusPairs


def test_a_passage_is_its_title_and_its_text(user_pairs):
    store = user_pairs.store
    title, text = (store.sentence(index).tolist() for index in store.body(7))
    assert user_pairs.passage(7, 200, OURS) == [OURS.cls, *title, OURS.sep, *text, OURS.sep]
    assert user_pairs.query(7, 4, OURS) == [OURS.cls, *store.title(7)[:2].tolist(), OURS.sep]


def test_all_pairs_are_drawn_alike(user_pairs):
    drawn = [user_pairs.drawn(counter, 5) for counter in range(10 * len(user_pairs))]
    counts = np.bincount(drawn, minlength=len(user_pairs))
    assert counts.min() >= 9
    assert counts.max() <= 11


def test_pairs_of_a_passage_are_drawn_together(user_pairs):
    passages = [int(user_pairs.passages[user_pairs.drawn(counter, 5)]) for counter in range(len(user_pairs))]
    assert sum(one != next_one for one, next_one in pairwise(passages)) <= 20


@pytest.mark.parametrize("together", [1, 5, 60, 1000])
def test_so_many_neighbours_come_together(user_pairs, together):
    count = len(user_pairs)
    order = np.argsort(user_pairs.passages, kind="stable").tolist()
    places = [order.index(user_pairs.drawn(counter, 5, together)) for counter in range(count)]
    longest = min(together, count)
    for first in range(0, count - longest + 1, longest):
        run = places[first : first + longest]
        assert all((next_one - one) % count == 1 for one, next_one in pairwise(run))


def test_hard_negatives_are_drawn_anew_but_repeatably(user_pairs):
    known = set(user_pairs.negatives[3][user_pairs.negatives[3] >= 0].tolist())
    seen = set()
    for counter in range(40):
        chosen = user_pairs.hard_negatives(3, 2, 0, counter)
        assert chosen == user_pairs.hard_negatives(3, 2, 0, counter)
        assert len(set(chosen)) == 2
        seen |= set(chosen)
    assert seen == known
    assert user_pairs.hard_negatives(0, 2, 0, 0) == []  # the first has none


@pytest.mark.parametrize(("share", "count"), [(0.25, 1), (1.0, 0), (0.5, 2)])
def test_a_batch_of_both_sources(user_pairs, store, share, count):
    made = CorpusPairs(
        store,
        OURS,
        batch_size=16,
        query_tokens=16,
        passage_tokens=48,
        seed=1,
        user_pairs=user_pairs,
        user_share=share,
        hard_negatives=count,
    ).batch(3)
    own = made.documents >= store.num_documents
    assert (made.pairs, int(own.sum())) == (16, round(16 * share))
    assert len(made.negative_queries) == len(made.negative_passages) <= count * own.sum()
    assert (len(made.negative_queries) > 0) == (count > 0)
    assert int(made.text_index[made.sequence_ids > 0].max()) == made.texts - 1
    assert (made.text_index[made.sequence_ids == 0] == made.texts).all()
