from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from bertpipe.text.special_ids import OURS
from bertpipe.text.token_store import TokenStore, TokenStoreWriter
from bertpipe.training.denoising import SENTINELS, Denoising

VOCAB = 300
OBJECTIVES = ("t5", "bart")


def drawn(store, objective, **changes) -> Denoising:
    settings = {"rows": 8, "length": 64, "vocab_size": VOCAB, "special": OURS, "seed": 3}
    return Denoising(store, objective=objective, **{**settings, **changes})


def rows(batch):
    """(source, target) of every row, without padding, as lists."""
    for ids, mask, labels in zip(batch.src_ids, batch.src_mask, batch.labels, strict=True):
        yield ids[mask].tolist(), labels[labels != -100].tolist()


def stored(folder, documents) -> TokenStore:
    writer = TokenStoreWriter(folder, VOCAB)
    for sentences in documents:
        writer.add(sentences)
    writer.close()
    return TokenStore(folder)


def mended(source, target) -> list[int]:
    """The text of a T5 example."""
    spans, sentinel = {}, 0
    for token in target:
        if token >= VOCAB:
            sentinel = token
            spans[sentinel] = []
        else:
            spans[sentinel].append(token)
    return [restored for token in source for restored in spans.get(token, [token])]


@pytest.fixture(scope="module")
def texts(store) -> set[tuple[int, ...]]:
    """Every run of whole sentences of every document."""
    found = set()
    for document in range(store.num_documents):
        ends = store.sentences[store.documents[document] : store.documents[document + 1] + 1].tolist()
        for place, start in enumerate(ends):
            found |= {tuple(store.span(start, stop).tolist()) for stop in ends[place + 1 :]}
    return found


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_batch_is_a_pure_function_of_its_number(store, objective):
    first, second = drawn(store, objective), drawn(store, objective)
    second.batch(0)
    for field in fields(first.batch(7)):
        assert torch.equal(getattr(first.batch(7), field.name), getattr(second.batch(7), field.name))
    for other in (first.batch(8), drawn(store, objective, seed=4).batch(7)):
        assert other.src_ids.shape != first.batch(7).src_ids.shape or not torch.equal(
            other.src_ids, first.batch(7).src_ids
        )


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_batches_are_laid_out_as_a_decoder_wants_them(store, objective):
    for step in range(10):
        batch = drawn(store, objective).batch(step)
        assert {getattr(batch, name).dtype for name in ("src_ids", "tgt_ids", "labels")} == {torch.int64}
        assert batch.src_mask.dtype == torch.bool
        assert batch.src_ids.shape == batch.src_mask.shape
        assert batch.tgt_ids.shape == batch.labels.shape
        assert max(batch.src_ids.size(1), batch.tgt_ids.size(1)) <= 64
        # Padding stands on the right and nowhere else, and no column is all padding.
        assert torch.equal(batch.src_mask, batch.src_ids != OURS.pad)
        assert torch.equal(batch.labels != -100, batch.tgt_ids != OURS.pad)
        assert torch.equal(batch.src_mask, batch.src_mask.sort(dim=1, descending=True, stable=True).values)
        assert batch.src_mask[:, -1].any()
        assert (batch.labels[:, -1] != -100).any()
        for row in range(8):
            count = int((batch.labels[row] != -100).sum())
            assert count >= 2
            assert batch.tgt_ids[row, 0] == OURS.cls
            assert torch.equal(batch.tgt_ids[row, 1:count], batch.labels[row, : count - 1])
            assert batch.labels[row, count - 1] == OURS.sep
            assert batch.src_ids[row][batch.src_mask[row]][-1] == OURS.sep


def test_t5_restores_a_text_of_the_corpus(store, texts):
    for step in range(20):
        for source, target in rows(drawn(store, "t5").batch(step)):
            assert tuple(mended(source[:-1], target[:-1])) in texts
            assert max(source) < VOCAB + SENTINELS


def test_barts_target_is_a_text_of_the_corpus(store, texts):
    moved = 0
    for step in range(20):
        for source, target in rows(drawn(store, "bart").batch(step)):
            assert tuple(target[:-1]) in texts
            left = [token for token in source[:-1] if token != OURS.mask]
            assert set(left) <= set(target)
            places = iter(target)
            moved += not all(token in places for token in left)
    assert moved > 100  # the sentences were shuffled in most of the 160


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_all_of_the_corpus_is_visited(store, objective):
    visited = set()
    for step in range(100):
        for source, target in rows(drawn(store, objective).batch(step)):
            text = mended(source[:-1], target[:-1]) if objective == "t5" else target[:-1]
            visited |= set(pairwise(text))
    pairs = set(pairwise(store.stream(store.num_tokens).tolist()))
    assert len(visited & pairs) / len(pairs) > 0.95


@pytest.mark.parametrize(("objective", "rate"), [("t5", 0.15), ("bart", 0.3)])
def test_the_share_that_is_taken(store, objective, rate):
    taken = total = 0
    for step in range(60):
        for source, target in rows(drawn(store, objective, length=128).batch(step)):
            if objective == "t5":
                kept, text = sum(token < VOCAB for token in source), len(mended(source, target[:-1]))
            else:
                kept, text = sum(token != OURS.mask for token in source), len(target)
            taken += text - kept
            total += text - 1  # the source's own end is not text
    assert total > 20_000
    assert taken / total == pytest.approx(rate, abs=0.01)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(
    "documents",
    [[[[7]]], [[[], [7]], [[]]], [[[], [], [7], [], [8, 9]]], [[[], [9] * 500]], [[[7, 8]] * 40]],
    ids=["one token", "an empty document", "empty sentences", "one long sentence", "many sentences"],
)
def test_the_smallest_corpora_work(tmp_path, objective, documents):
    source = drawn(stored(tmp_path, documents), objective, length=8)
    for step in range(20):
        batch = source.batch(step)
        assert max(batch.src_ids.size(1), batch.tgt_ids.size(1)) <= 8
        assert (batch.labels != -100).sum(1).min() >= 2
        assert batch.num_tokens >= 8 * 3


def test_a_document_of_one_token(tmp_path):
    store = stored(tmp_path, [[[7]]])
    assert next(rows(drawn(store, "t5").batch(0))) == ([VOCAB, 3], [VOCAB, 7, VOCAB + 1, 3])
    assert next(rows(drawn(store, "bart").batch(0))) == ([OURS.mask, 3], [7, 3])


def test_a_length_without_room_for_text(store):
    with pytest.raises(ValueError, match="leaves no room for a text"):
        drawn(store, "t5", length=7)


class Mender(nn.Module):
    """A small encoder-decoder."""

    def __init__(self, width=48) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCAB + SENTINELS, width)
        self.places = nn.Embedding(64, width)
        self.layers = nn.Transformer(width, 4, 1, 1, 96, dropout=0.0, batch_first=True, norm_first=True)

    def loss(self, batch):
        source, target = (
            self.tokens(ids) + self.places.weight[: ids.size(1)] for ids in (batch.src_ids, batch.tgt_ids)
        )
        unseen = ~batch.src_mask
        ahead = torch.ones(target.size(1), target.size(1), dtype=torch.bool).triu(1)
        decoded = self.layers(
            source, target, tgt_mask=ahead, src_key_padding_mask=unseen, memory_key_padding_mask=unseen
        )
        logits = decoded @ self.tokens.weight.T / decoded.size(-1) ** 0.5
        return functional.cross_entropy(logits.flatten(0, 1), batch.labels.flatten())


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_what_was_taken_can_be_learned(tmp_path, objective):
    """Forty documents out of ten sentences of six pieces; every visible piece tells which sentence it is in."""
    rng = np.random.default_rng(0)
    documents = [[[], *(list(range(start, start + 6)) for start in 5 + 6 * rng.integers(0, 10, 4))] for _ in range(40)]
    source = drawn(stored(tmp_path, documents), objective, rows=12, length=25)
    torch.manual_seed(0)
    model = Mender()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for step in range(200):
        loss = model.loss(source.batch(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[:5]) > 3
    assert np.mean(losses[-20:]) < 1


def test_pieces_around_sources_and_in_front_of_targets(store):
    around = {"start_id": 300, "source_prefix": (301,), "source_suffix": (302,), "first_id": 303}
    batch = drawn(store, "bart", length=20, **around).batch(0)
    for source, target in rows(batch):
        assert (source[0], source[-2:]) == (301, [OURS.sep, 302])
        assert (target[0], target[-1]) == (303, OURS.sep)
        assert not {301, 302, 303} & set(source[1:-2] + target[1:-1])
    assert (batch.tgt_ids[:, 0] == 300).all()
    assert (batch.tgt_ids[:, 1] == 303).all()
    assert max(batch.src_ids.shape[1], batch.tgt_ids.shape[1]) <= 20
