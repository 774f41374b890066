from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
import torch

from bertpipe.text.special_ids import OURS
from bertpipe.text.token_store import TokenStore, TokenStoreWriter
from bertpipe.training.doc_sentences import DocSentences
from bertpipe.training.masking import Masking

VOCAB = 300


def drawn(store, **changes) -> DocSentences:
    settings = {"rows": 16, "length": 64, "masking": Masking(VOCAB, OURS, rate=0.15), "seed": 3}
    return DocSentences(store, **{**settings, **changes})


def examples(batch):
    """The ids of every example of a batch, with no token hidden."""
    ids = batch.input_ids.numpy().copy()
    ids.reshape(-1)[batch.masked_index.numpy()] = batch.labels.numpy()
    for row, numbers in zip(ids, batch.sequence_ids.numpy(), strict=True):
        for number in range(1, numbers.max() + 1):
            yield row[numbers == number]


def test_a_batch_is_a_pure_function_of_its_number(store):
    first, second = drawn(store), drawn(store)
    second.batch(0)
    for field in fields(first.batch(7)):
        one, other = (getattr(source.batch(7), field.name) for source in (first, second))
        assert one is other is None or torch.equal(one, other)
    assert not torch.equal(first.batch(7).input_ids, first.batch(8).input_ids)
    assert not torch.equal(first.batch(7).input_ids, drawn(store, seed=4).batch(7).input_ids)


def test_examples_are_contiguous_text_of_one_document(store):
    documents = [
        " ".join(["", *map(str, store.span(int(start), int(stop))), ""])
        for start, stop in zip(store.sentences[store.documents[:-1]], store.sentences[store.documents[1:]], strict=True)
    ]
    count = 0
    for step in range(5):
        for ids in examples(drawn(store).batch(step)):
            assert (ids[0], ids[-1]) == (2, 3)
            text = " ".join(["", *map(str, ids[1:-1]), ""])
            assert (ids[1:-1] >= 5).all()
            assert len(ids) > 2
            assert any(text in document for document in documents)
            count += 1
    assert count > 80


def test_all_of_the_corpus_is_visited(store):
    visited = {pair for step in range(60) for ids in examples(drawn(store).batch(step)) for pair in pairwise(ids)}
    pairs = set(pairwise(store.stream(store.num_tokens).tolist()))
    assert len(visited & pairs) / len(pairs) > 0.95


def test_there_is_no_second_segment_and_no_next_sentence(store):
    batch = drawn(store).batch(0)
    assert batch.cls_index is None
    assert batch.next_sentence_label is None
    assert not batch.token_type_ids.any()
    assert batch.to(torch.device("cpu")).cls_index is None


def test_little_is_padding(store):
    batches = [drawn(store, length=128).batch(step) for step in range(20)]
    used = sum(batch.num_tokens for batch in batches) / sum(batch.input_ids.numel() for batch in batches)
    assert used > 0.9


def test_the_same_text_is_masked_differently_each_time(tmp_path):
    writer = TokenStoreWriter(tmp_path, VOCAB)
    writer.add([[5, 6], list(range(10, 40))])
    writer.close()
    source = drawn(TokenStore(tmp_path), rows=1, length=40)
    hidden = {tuple(source.batch(step).masked_index.tolist()) for step in range(20)}
    assert len(hidden) > 15
    assert {tuple(next(examples(source.batch(step)))) for step in range(20)} == {(2, 5, 6, *range(10, 40), 3)}


@pytest.mark.parametrize("documents", [[[[]], [[], [7]]], [[[], [7, 8]]], [[[9], [], [7]]], [[[], [9] * 500]]])
def test_the_smallest_corpora_work(tmp_path, documents):
    writer = TokenStoreWriter(tmp_path, VOCAB)
    for sentences in documents:
        writer.add(sentences)
    writer.close()
    for step in range(5):
        batch = drawn(TokenStore(tmp_path), rows=2, length=32).batch(step)
        assert batch.num_tokens > 0
        assert len(batch.labels) > 0
        assert all(np.isin(ids[1:-1], [7, 8, 9]).all() for ids in examples(batch))


def test_an_epoch_sees_most_of_the_corpus(tmp_path):
    """More than places drawn at random would, of which a third is not seen."""
    rng = np.random.default_rng(0)
    with_sentences = TokenStoreWriter(tmp_path / "long", 100)
    for _ in range(300):
        with_sentences.add([[50] * int(rng.integers(10, 30)) for _ in range(50)])
    with_sentences.close()
    store = TokenStore(tmp_path / "long")
    seen = np.zeros(store.num_tokens, dtype=bool)
    original = store.span

    def span(start, end):
        seen[start:end] = True
        return original(start, end)

    store.span = span
    batches = DocSentences(store, rows=32, length=128, masking=Masking(100, OURS, rate=0.15), seed=0)
    for step in range(store.num_tokens // (32 * 128)):
        batches.batch(step)
    assert seen.mean() > 0.7
