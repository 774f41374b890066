from dataclasses import fields

import numpy as np
import pytest
import torch

from bertpipe.text.special_ids import OURS
from bertpipe.text.token_store import TokenStore, TokenStoreWriter
from bertpipe.training.masking import Masking
from bertpipe.training.sentence_pairs import SentencePairs

VOCAB = 300


def drawn(store, **changes) -> SentencePairs:
    masking = Masking(VOCAB, OURS, rate=0.15)
    settings = {"rows": 16, "length": 64, "masking": masking, "seed": 3}
    return SentencePairs(store, **{**settings, **changes})


def examples(batch):
    """(first, second, label) of every pair of a batch, with no token hidden."""
    flat_ids, flat_rows = batch.input_ids.flatten().numpy().copy(), batch.sequence_ids.flatten().numpy()
    flat_ids[batch.masked_index.numpy()] = batch.labels.numpy()
    types = batch.token_type_ids.flatten().numpy()
    length = batch.input_ids.size(1)
    for start, label in zip(batch.cls_index.tolist(), batch.next_sentence_label.tolist(), strict=True):
        stop = start
        while stop < len(flat_ids) and flat_rows[stop] == flat_rows[start] and stop // length == start // length:
            stop += 1
        middle = start + int(np.argmax(types[start:stop]))
        yield flat_ids[start:middle], flat_ids[middle:stop], label


def test_a_batch_is_a_pure_function_of_its_number(store):
    first, second = drawn(store), drawn(store)
    second.batch(0)
    for field in fields(first.batch(7)):
        assert torch.equal(getattr(first.batch(7), field.name), getattr(second.batch(7), field.name))
    assert not torch.equal(first.batch(7).input_ids, first.batch(8).input_ids)


def test_pairs_are_laid_out_as_bert_wants_them(store):
    count = 0
    for first, second, _ in examples(drawn(store).batch(0)):
        assert (first[0], first[-1], second[-1]) == (2, 3, 3)
        assert (first[1:-1] >= 5).all()
        assert (second[:-1] >= 5).all()
        assert len(first) > 2
        assert len(second) > 1
        count += 1
    assert count >= 16


def test_labels_tell_the_truth_and_are_balanced(store):
    stream = " ".join(map(str, store.stream(store.num_tokens)))
    labels = []
    for step in range(60):
        for first, second, label in examples(drawn(store).batch(step)):
            together = " ".join(map(str, [*first[1:-1], *second[:-1]]))
            assert (together in stream) == bool(label)
            labels.append(label)
    assert len(labels) > 1000
    assert np.mean(labels) == pytest.approx(0.5, abs=0.03)


def test_little_is_padding(store):
    batches = [drawn(store, length=128).batch(step) for step in range(20)]
    used = sum(batch.num_tokens for batch in batches) / sum(batch.input_ids.numel() for batch in batches)
    assert used > 0.93


def test_masking_rate_in_batches(store):
    batches = [drawn(store).batch(step) for step in range(40)]
    masked = sum(len(batch.labels) for batch in batches)
    candidates = sum(int((batch.input_ids >= 5).sum() + (batch.input_ids == 4).sum()) for batch in batches)
    assert masked / candidates == pytest.approx(0.15, abs=0.005)


@pytest.mark.parametrize("sentences", [[[]], [[], [7]], [[], [7, 8]], [[9], [7]]])
def test_the_smallest_corpora_work(tmp_path, sentences):
    writer = TokenStoreWriter(tmp_path, VOCAB)
    writer.add(sentences)
    writer.add([[], [10, 11, 12]])
    writer.close()
    batch = drawn(TokenStore(tmp_path), rows=2, length=32).batch(0)
    assert batch.num_tokens > 0
