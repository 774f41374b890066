import numpy as np
import pytest
import torch

from bertpipe.text.token_store import TokenStore, TokenStoreWriter
from bertpipe.training.sequence_pairs import SequencePairs

PAD, START, END = 0, 2, 3
SETTINGS = {
    "batch_tokens": 200, "max_source": 40, "max_target": 12, "pad_id": PAD, "start_id": START, "end_id": END, "seed": 0,
}  # fmt: skip


def write(folder, documents):
    """A store of documents, each a title and sentences."""
    writer = TokenStoreWriter(folder, 300, shard_tokens=500)
    for document in documents:
        writer.add(document)
    writer.close()
    return TokenStore(folder)


@pytest.fixture(scope="module")
def documents():
    """Pairs of all lengths, some too long; every fifth is no pair, for it lacks a side."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(150):
        title = rng.integers(5, 300, rng.integers(1, 16)).tolist()
        body = [rng.integers(5, 300, size).tolist() for size in rng.integers(1, 20, rng.integers(1, 5))]
        if number % 5 == 0:
            title, body = ([], body) if number % 2 else (title, [[], []] if number % 3 else [])
        found.append([title, *body])
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory, documents):
    return write(tmp_path_factory.mktemp("pairs"), documents)


def expected(documents, max_source=40, max_target=12):
    """The sources and targets as they should be learned from."""
    pairs = []
    for title, *body in documents:
        source = [piece for sentence in body for piece in sentence]
        if source and title:
            pairs.append(((*source[: max_source - 1], END), (*title[: max_target - 1], END)))
    return pairs


def rows_of(batch):
    """The sources and targets of a batch; checks what does not depend on the pairs."""
    assert batch.src_ids.dtype == batch.tgt_ids.dtype == batch.labels.dtype == torch.int64
    assert batch.src_mask.dtype == torch.bool
    rows = []
    for src, mask, tgt, labels in zip(batch.src_ids, batch.src_mask, batch.tgt_ids, batch.labels, strict=True):
        size, length = int(mask.sum()), int((labels >= 0).sum())
        assert mask[:size].all()  # padding is on the right
        assert (src[size:] == PAD).all()
        assert (labels[length:] == -100).all()
        assert tgt[0] == START
        assert torch.equal(tgt[1:length], labels[: length - 1])  # the decoder reads what it had to write before
        assert (tgt[length:] == PAD).all()
        rows.append((tuple(src[:size].tolist()), tuple(labels[:length].tolist())))
    assert batch.src_mask.any(0).all()  # no column is only padding
    assert (batch.labels >= 0).any(0).all()
    assert batch.num_tokens == sum(len(source) + len(target) for source, target in rows)
    return rows


def epoch(pairs, number):
    first = number * pairs.steps_per_epoch
    return [rows_of(pairs.batch(step)) for step in range(first, first + pairs.steps_per_epoch)]


@pytest.mark.parametrize("number", [0, 1, 7])
def test_an_epoch_sees_every_pair_once(store, documents, number):
    pairs = SequencePairs(store, **SETTINGS)
    wanted = expected(documents)
    assert pairs.num_pairs == len(wanted) == 120
    seen = [row for batch in epoch(pairs, number) for row in batch]
    assert sorted(seen) == sorted(wanted)


def test_a_long_source_may_lose_its_beginning_instead(store, documents):
    sources = {source for batch in epoch(SequencePairs(store, **SETTINGS, to_the_end=True), 0) for source, _ in batch}
    bodies = [[piece for sentence in body for piece in sentence] for title, *body in documents if title]
    assert sources == {(*body[-39:], END) for body in bodies if body}
    assert any(len(body) > 39 for body in bodies)


@pytest.mark.parametrize("batch_tokens", [1, 64, 200, 1000, 10**6])
def test_batches_keep_to_their_size(store, documents, batch_tokens):
    pairs = SequencePairs(store, **{**SETTINGS, "batch_tokens": batch_tokens})
    sizes = []
    for step in range(2 * pairs.steps_per_epoch):
        batch = pairs.batch(step)
        count, source = batch.src_ids.shape
        size = count * (source + batch.tgt_ids.shape[1])
        assert count == 1 or size <= batch_tokens
        sizes.append(size)
    assert pairs.steps_per_epoch == {1: 120, 10**6: 1}.get(batch_tokens, pairs.steps_per_epoch)
    if batch_tokens in (200, 1000):  # and are not much smaller
        assert np.mean(sizes) > 0.7 * batch_tokens


def test_like_lengths_share_a_batch(store):
    """So that little is padding."""
    pairs = SequencePairs(store, **{**SETTINGS, "batch_tokens": 400})
    padded = tokens = 0
    for step in range(pairs.steps_per_epoch):
        batch = pairs.batch(step)
        padded += batch.src_ids.numel() + batch.labels.numel()
        tokens += batch.num_tokens
    assert tokens > 0.7 * padded


def test_cut_pairs_are_counted_and_end_with_the_end_piece(tmp_path):
    lengths = [(3, 4), (4, 4), (5, 4), (9, 4), (4, 5), (20, 20)]  # sources and targets, without the end piece
    made = [[list(range(5, 5 + target)), list(range(5, 5 + source))] for source, target in lengths]
    pairs = SequencePairs(write(tmp_path, made), **{**SETTINGS, "max_source": 5, "max_target": 5})
    assert pairs.cut_sources == 3  # 5, 9 and 20 pieces, and the end, are more than 5
    assert pairs.cut_targets == 2
    rows = rows_of(pairs.of_pairs(np.arange(6)))
    assert [(len(source), len(target)) for source, target in rows] == [(4, 5), (5, 5), (5, 5), (5, 5), (5, 5), (5, 5)]
    assert all(source[-1] == target[-1] == END for source, target in rows)
    assert rows[5] == ((5, 6, 7, 8, END), (5, 6, 7, 8, END))


def test_what_has_no_title_or_no_text_is_left_out(tmp_path):
    made = [[[], [7, 8]], [[9]], [[9], []], [[10], [11]], [[], []], [[12], [], [13]], []]
    pairs = SequencePairs(write(tmp_path, made), **SETTINGS)
    assert pairs.num_pairs == 2
    assert rows_of(pairs.of_pairs(np.arange(2))) == [((11, END), (10, END)), ((13, END), (12, END))]


def test_a_store_without_pairs(tmp_path):
    pairs = SequencePairs(write(tmp_path, [[[], [7, 8]]]), **SETTINGS)
    assert (pairs.num_pairs, pairs.steps_per_epoch, pairs.cut_sources, pairs.cut_targets) == (0, 0, 0, 0)


def test_a_batch_depends_on_its_number_alone(store):
    one, other = SequencePairs(store, **SETTINGS), SequencePairs(store, **SETTINGS)
    steps = list(range(3 * one.steps_per_epoch))
    rows = {step: rows_of(one.batch(step)) for step in steps}
    for step in np.random.default_rng(0).permutation(steps).tolist():
        assert rows_of(other.batch(step)) == rows[step]


def test_epochs_and_seeds_differ(store):
    pairs = SequencePairs(store, **SETTINGS)
    first, second = epoch(pairs, 0), epoch(pairs, 1)
    other = epoch(SequencePairs(store, **{**SETTINGS, "seed": 1}), 0)
    assert first != second
    assert first != other
    # Not only the order of the batches: pairs of equal lengths share batches with others than before.
    together = [{frozenset(batch) for batch in one} for one in (first, second, other)]
    assert together[0] != together[1]
    assert together[0] != together[2]


def test_long_batches_are_spread_over_the_epoch(store):
    """Not the short ones first."""
    pairs = SequencePairs(store, **SETTINGS)
    lengths = [batch[0][1] for batch in epoch(pairs, 0)]
    places = np.argsort([len(target) for target in lengths])
    assert abs(np.corrcoef(places, np.arange(len(places)))[0, 1]) < 0.6


def test_pieces_around_sources_and_in_front_of_targets(store, documents):
    framed = SequencePairs(store, **SETTINGS, source_prefix=(7,), source_suffix=(8, 9), first_id=6)
    plain = SequencePairs(store, **{**SETTINGS, "max_source": 37, "max_target": 11})
    assert framed.num_pairs == plain.num_pairs
    assert (framed.cut_sources, framed.cut_targets) == (plain.cut_sources, plain.cut_targets) > (0, 0)
    pairs = np.arange(framed.num_pairs)
    mine, yours = framed.of_pairs(pairs), plain.of_pairs(pairs)
    for row in range(framed.num_pairs):
        source = yours.src_ids[row][yours.src_mask[row]].tolist()
        assert mine.src_ids[row][mine.src_mask[row]].tolist() == [7, *source, 8, 9]
        target = yours.labels[row][yours.labels[row] >= 0].tolist()
        assert mine.labels[row][mine.labels[row] >= 0].tolist() == [6, *target]
        assert mine.tgt_ids[row][: len(target) + 1].tolist() == [START, 6, *target[:-1]]
