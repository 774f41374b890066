from dataclasses import fields

import numpy as np
import pytest
import torch

from bertpipe.errors import InputError
from bertpipe.text.special_ids import OURS
from bertpipe.text.token_store import TokenStore, TokenStoreWriter
from bertpipe.training.pairs import CorpusPairs, pack
from bertpipe.training.user_pairs import UserPairs


def drawn(store, **changes) -> CorpusPairs:
    settings = {"batch_size": 32, "query_tokens": 16, "passage_tokens": 64, "seed": 3}
    return CorpusPairs(store, OURS, **{**settings, **changes})


def texts_of(batch):
    """Piece ids of the queries of a batch, and then of the passage of each."""
    texts = [batch.input_ids[batch.text_index == text].tolist() for text in range(batch.texts)]
    return texts[: batch.pairs] + [texts[batch.pairs + own] for own in batch.own.tolist()]


def test_packing_keeps_every_sequence_whole():
    sequences = [[7] * 3, [8] * 10, [9] * 6, [6] * 4, [5] * 1]
    ids, sequence_ids, text_index = pack(sequences, 10, pad_id=99)
    assert ids.shape == (3, 10)
    for text, sequence in enumerate(sequences):
        assert ids[text_index == text].tolist() == sequence
        rows, columns = (text_index == text).nonzero()
        assert len(set(rows)) == 1
        assert columns.tolist() == list(range(columns[0], columns[0] + len(sequence)))
        assert len(set(sequence_ids[text_index == text])) == 1
    assert ((ids == 99) == (text_index == len(sequences))).all()
    assert ((ids == 99) == (sequence_ids == 0)).all()


def test_a_batch_is_a_pure_function_of_its_number(store):
    first, second = drawn(store).batch(5), drawn(store).batch(5)
    for field in fields(first):
        # No teacher has said anything: that is NaN.
        one, other = getattr(first, field.name), getattr(second, field.name)
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    assert not torch.equal(first.documents, drawn(store).batch(6).documents)


def test_word_dropout_leaves_pieces_out_and_nothing_else(store):
    """The same pairs with fewer pieces: in order, with their ends, and others in another batch."""
    whole, thinned = drawn(store).batch(1), drawn(store, word_dropout=0.3).batch(1)
    for name in ("queries", "documents", "own", "passages"):
        assert torch.equal(getattr(whole, name), getattr(thinned, name))
    before, after = 0, 0
    for text, rest in zip(texts_of(whole), texts_of(thinned), strict=True):
        pieces = iter(text)
        assert all(piece in pieces for piece in rest)
        assert (rest[0], rest[-1]) == (text[0], text[-1]) == (2, 3)
        assert len(rest) > 2
        before, after = before + len(text) - 2, after + len(rest) - 2
    assert 0.6 < after / before < 0.8
    again = drawn(store, word_dropout=0.3).batch(1)
    assert torch.equal(again.input_ids, thinned.input_ids)
    assert thinned.num_tokens < whole.num_tokens
    nearly_all = drawn(store, word_dropout=0.999).batch(1)
    assert all(len(text) > 2 for text in texts_of(nearly_all))


def test_queries_come_from_the_document_of_their_passage(store):
    batch = drawn(store).batch(2)
    texts = texts_of(batch)
    for pair, document in enumerate(batch.documents.tolist()):
        edges = store.sentences[store.documents[[document, document + 1]]]
        whole = set(store.span(int(edges[0]), int(edges[1])).tolist()) | {2, 3}
        query, passage = texts[pair], texts[batch.pairs + pair]
        assert set(query) <= whole
        assert set(passage) <= whole
        assert (query[0], query[-1], passage[0], passage[-1]) == (2, 3, 2, 3)
        assert len(query) <= 16
        assert len(passage) <= 64


def test_the_query_is_mostly_removed_from_its_passage(store):
    kept = total = 0
    for step in range(20):
        batch = drawn(store, query_tokens=64, passage_tokens=512).batch(step)
        texts = [" ".join(map(str, text[1:-1])) for text in texts_of(batch)]
        kept += sum(texts[pair] in texts[batch.pairs + pair] for pair in range(batch.pairs))
        total += batch.pairs
    assert 0 < kept / total < 0.15


def test_users_pairs_fill_half_a_batch(store, tmp_path):
    writer = TokenStoreWriter(tmp_path, 300)
    writer.add([[290, 291], [], [292, 293]])
    writer.close()
    batch = drawn(store, user_pairs=UserPairs(TokenStore(tmp_path), np.zeros(1, dtype=np.int64))).batch(0)
    texts = texts_of(batch)
    assert texts[:16] == [[2, 290, 291, 3]] * 16
    assert texts[32:48] == [[2, 292, 293, 3]] * 16
    assert batch.own[:16].tolist() == [0] * 16  # a passage is read once
    assert batch.texts == 32 + 17
    assert batch.documents[:16].min() >= store.num_documents


def test_a_corpus_without_pairs_is_told_so(tmp_path):
    writer = TokenStoreWriter(tmp_path, 300)
    for piece in range(30):
        writer.add([[5 + piece], [6, 7, 8]])  # a name for a title, and one sentence
    writer.close()
    pairs = drawn(TokenStore(tmp_path))
    assert not pairs.possible
    with pytest.raises(InputError, match=r"finetune\.pairs"):
        pairs.batch(0)


def test_possible_when_there_are_sentences(store):
    assert drawn(store).possible


def test_queries_may_be_longer_than_passages(store):
    batch = drawn(store, query_tokens=40, passage_tokens=16).batch(0)
    assert batch.input_ids.size(1) == 40
    assert max(map(len, texts_of(batch)[batch.pairs :])) <= 16


def test_parts_of_a_passage_are_texts_of_their_own(store):
    plain, cut = drawn(store).batch(0), drawn(store, parts=3).batch(0)
    assert (plain.parts, cut.parts) == (0, 3)
    assert cut.texts == cut.pairs + 4 * len(cut.passages)
    assert texts_of(cut) == texts_of(plain)
    texts = [cut.input_ids[cut.text_index == text].tolist() for text in range(cut.texts)]
    behind = cut.pairs + len(cut.passages)
    for place in range(len(cut.passages)):
        whole, parts = texts[cut.pairs + place], texts[behind + 3 * place : behind + 3 * place + 3]
        begin = whole.index(OURS.sep) + 1 if OURS.sep in whole[:-1] else 1
        assert all(part[:begin] == whole[:begin] and part[-1] == OURS.sep for part in parts)
        assert [piece for part in parts for piece in part[begin:-1]] == whole[begin:-1]
        sizes = [len(part) for part in parts]
        assert max(sizes) - min(sizes) <= 1


def test_a_passage_too_short_to_be_cut_is_each_of_its_parts(user_pairs):
    batch = drawn(user_pairs.store, user_pairs=user_pairs, user_share=1.0, passage_tokens=16, parts=16).batch(0)
    texts = [batch.input_ids[batch.text_index == text].tolist() for text in range(batch.texts)]
    behind = batch.pairs + len(batch.passages)
    for place in range(len(batch.passages)):
        assert texts[behind + 16 * place : behind + 16 * (place + 1)] == [texts[batch.pairs + place]] * 16
