import numpy as np
import pytest
import torch

from bertpipe.training.labelled_batches import IGNORED, LabelledBatches, LabelledSequence

PAD = 7


def sequences(count=60, labels=lambda number, length: number % 3):
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        length = int(rng.integers(2, 30))
        ids = rng.integers(10, 300, length).tolist()
        made.append(LabelledSequence(ids, [0] * 2 + [1] * (length - 2), labels(number, length)))
    return made


def batches_of(items, **more):
    return LabelledBatches(items, **{"batch_tokens": 100, "pad_id": PAD, "seed": 0} | more)


def epoch(batches, number):
    first = number * batches.steps_per_epoch
    return [batches.batch(step) for step in range(first, first + batches.steps_per_epoch)]


@pytest.mark.parametrize("number", [0, 1, 5])
def test_an_epoch_sees_every_sequence_once(number):
    items = sequences()
    seen = []
    for batch in epoch(batches_of(items), number):
        assert batch.input_ids.numel() <= 100
        for row, index in enumerate(batch.index.tolist()):
            size = int(batch.attention_mask[row].sum())
            assert batch.input_ids[row, :size].tolist() == items[index].input_ids
            assert batch.token_type_ids[row, :size].tolist() == items[index].token_type_ids
            assert (batch.input_ids[row, size:] == PAD).all()
            assert (batch.token_type_ids[row, size:] == 0).all()
            assert batch.attention_mask[row, :size].all()
            assert batch.labels[row] == items[index].labels
            seen.append(index)
        assert batch.attention_mask.any(0).all()  # no column is only padding
        assert batch.num_tokens == sum(len(items[index].input_ids) for index in batch.index.tolist())
    assert sorted(seen) == list(range(60))


def test_epochs_differ_and_batches_are_functions_of_their_number():
    batches = batches_of(sequences())
    orders = [[batch.index.tolist() for batch in epoch(batches, number)] for number in (0, 1)]
    assert orders[0] != orders[1]
    again = batches_of(sequences())
    assert again.batch(batches.steps_per_epoch + 2).index.tolist() == orders[1][2]
    assert batches_of(sequences(), seed=1).batch(0).index.tolist() != orders[0][0]


def test_little_is_padding():
    found = epoch(batches_of(sequences(400), batch_tokens=400), 0)
    assert sum(batch.num_tokens for batch in found) > 0.93 * sum(batch.input_ids.numel() for batch in found)


def test_a_sequence_longer_than_a_batch_is_one_by_itself():
    items = [LabelledSequence([1] * 50, [0] * 50, 0), *sequences(4)]
    found = {tuple(batch.index.tolist()) for batch in epoch(batches_of(items, batch_tokens=20), 0)}
    assert (0,) in found


@pytest.mark.parametrize(
    ("label", "shape", "kind"),
    [(1, (), torch.int64), (0.5, (), torch.float32), ([1, 0, 1], (3,), torch.int64), ([0.5, 1.0], (2,), torch.float32)],
)
def test_kinds_of_labels(label, shape, kind):
    batch = batches_of(sequences(labels=lambda number, length: label)).batch(0)
    assert batch.labels.dtype == kind
    assert batch.labels.shape == (len(batch.index), *shape)
    assert batch.labels[0].tolist() == pytest.approx(label)


def test_labels_of_pieces_are_padded():
    items = sequences(labels=lambda number, length: list(range(length)))
    batch = batches_of(items, per_token=True).batch(3)
    assert batch.labels.shape == batch.input_ids.shape
    assert batch.labels.dtype == torch.int64
    for row, index in enumerate(batch.index.tolist()):
        size = len(items[index].input_ids)
        assert batch.labels[row, :size].tolist() == list(range(size))
        assert (batch.labels[row, size:] == IGNORED).all()


def test_a_batch_moves_as_a_whole():
    batch = batches_of(sequences()).batch(0).to(torch.device("meta"))
    assert {getattr(batch, name).device.type for name in ("input_ids", "labels", "index")} == {"meta"}


def test_nothing_to_batch():
    with pytest.raises(ValueError, match="no sequence"):
        batches_of([])
