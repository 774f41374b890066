from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.models.encoder import TextEncoder
from bertpipe.text.special_ids import OURS
from bertpipe.training.contrastive import Contrastive, among_wrong_ones, distillation
from bertpipe.training.pairs import CorpusPairs, PairBatch
from bertpipe.training.user_pairs import UserPairs

SHAPE = {"vocab_size": 300, "width": 32, "layers": 2, "heads": 2, "inner": 64, "max_length": 64}


def contrastive(**changes) -> Contrastive:
    torch.manual_seed(0)
    encoder = TextEncoder(Bert(BertConfig(**SHAPE, dropout=0.0)))
    recipe = {
        "lr": 1e-3,
        "weight_decay": 0.0,
        "warmup": 0.1,
        "steps": 1,
        "pooling_lr_scale": 1.0,
        "token_lr_scale": 1.0,
    }
    return Contrastive(encoder, **recipe, **changes)


@pytest.fixture(scope="module")
def pairs(user_pairs):
    """Batches of the user's pairs alone."""

    def made(given=user_pairs, **changes):
        settings = {"batch_size": 24, "query_tokens": 16, "passage_tokens": 48, "seed": 1, "hard_negatives": 2}
        return CorpusPairs(user_pairs.store, OURS, user_pairs=given, user_share=1.0, **(settings | changes))

    return made


def test_the_loss_is_that_of_its_definition(pairs):
    batch = pairs().batch(0)
    assert batch.pairs < len(batch.negative_queries)
    assert len(batch.passages) < 2 * batch.pairs  # some passages are right for several queries
    module = contrastive(dimensions=(8,))
    vectors = module.encoder.encode_packed(batch.input_ids, batch.sequence_ids, batch.text_index, batch.texts)
    count = batch.pairs
    own, documents, passages = batch.own.tolist(), batch.documents.tolist(), batch.passages.tolist()
    losses = []
    for width in (8, 32):
        part = functional.normalize(vectors[:, :width], dim=-1)
        logits = part[:count] @ part[count:].T * module.log_scale.exp()
        for query in range(count):
            right = logits[query, own[query]]
            rivals = [place for place, one in enumerate(passages) if place == own[query] or one != documents[query]]
            losses.append(right - logits[query, rivals].logsumexp(0))
            back = [other for other in range(count) if other == query or documents[other] != documents[query]]
            losses.append(right - logits[back, own[query]].logsumexp(0))
    expected = -torch.stack(losses).mean()
    assert module.training_step(batch, 0).item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_passage_is_as_near_as_the_nearest_of_its_parts(pairs):
    batch = pairs(parts=3).batch(0)
    module = contrastive()
    vectors = module.encoder.encode_packed(batch.input_ids, batch.sequence_ids, batch.text_index, batch.texts)
    count, passages = batch.pairs, len(batch.passages)
    queries, whole, parts = vectors[:count], vectors[count : count + passages], vectors[count + passages :]
    assert len(parts) == 3 * passages
    scores = torch.empty(count, passages)
    for query in range(count):
        for passage in range(passages):
            near = [(whole[passage] + parts[3 * passage + part]) / 2 for part in range(3)]
            scores[query, passage] = max(queries[query] @ one for one in near) * module.log_scale.exp()
    there, back = among_wrong_ones(scores, batch)
    own = functional.cross_entropy(there, batch.own) + functional.cross_entropy(back, torch.arange(count))
    assert module.training_step(batch, 0).item() == pytest.approx(own.item() / 2, rel=1e-5)


def test_what_answers_the_same_query_is_no_negative():
    """Two pairs ask the same and have different passages; the third has one of these for another query."""
    nothing = torch.empty(0, dtype=torch.int64)
    batch = PairBatch(
        *[nothing[None]] * 3,
        queries=torch.tensor([0, 0, 1]),
        documents=torch.tensor([7, 8, 8]),
        own=torch.tensor([0, 1, 1]),
        passages=torch.tensor([7, 8, 9]),
        negative_queries=nothing,
        negative_passages=nothing,
        teacher=torch.full((3,), float("nan")),
    )
    there, back = among_wrong_ones(torch.zeros(3, 3), batch)
    assert there.isfinite().int().tolist() == [[1, 0, 1], [0, 1, 1], [1, 1, 1]]
    assert back.isfinite().int().tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(("chunk_tokens", "parts"), [(1, 1), (48, 1), (200, 1), (48, 3)])
def test_chunks_have_the_gradients_of_the_whole_batch(pairs, chunk_tokens, parts):
    gradients = []
    for tokens in (0, chunk_tokens):
        module = contrastive(chunk_tokens=tokens).train()
        loss = module.training_step(pairs(parts=parts).batch(0), 0)
        loss.backward()
        gradients.append([loss, *(one.grad for one in module.parameters() if one.grad is not None)])
    assert len(gradients[0]) == len(gradients[1]) > 20
    for whole, pieces in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, pieces, rtol=1e-4, atol=1e-5)


def test_another_passage_of_the_same_document_is_no_negative(user_pairs, pairs):
    batch = pairs(UserPairs(user_pairs.store, user_pairs.passages * 0), batch_size=4).batch(0)
    assert contrastive().training_step(batch, 0).item() == 0.0


def test_the_teacher_s_loss_is_that_of_its_definition(pairs, user_pairs):
    rng = np.random.default_rng(3)
    told = np.full((60, 9), np.nan, dtype=np.float32)
    told[1:, :6] = 3 * rng.standard_normal((59, 6))
    told[0, 0] = 1.0  # without negatives, there is nothing to choose
    batch = pairs(replace(user_pairs, teacher=told)).batch(0)
    scores = rng.standard_normal((batch.pairs, len(batch.passages))).astype(np.float32)

    def softmax(values):
        return np.exp(values) / np.exp(values).sum()

    losses = []
    for query in range(batch.pairs):
        beside = np.flatnonzero(batch.negative_queries.numpy() == query)
        if len(beside):
            told_here = batch.teacher.numpy()[[query, *(batch.pairs + beside)]]
            columns = [batch.own[query].item(), *batch.negative_passages[beside].tolist()]
            wanted = softmax(told_here.astype(np.float64))
            said = softmax(scores[query, columns].astype(np.float64))
            losses.append((wanted * np.log(wanted / said)).sum())
    assert 10 < len(losses) < batch.pairs or len(losses) == batch.pairs
    given = torch.tensor(scores, requires_grad=True)
    loss = distillation(given, batch)
    assert loss.item() == pytest.approx(np.mean(losses), rel=1e-5)
    loss.backward()
    assert given.grad.isfinite().all()
    assert (given.grad != 0).any()
    module = contrastive()
    without = module.training_step(batch, 0).item()
    module.teacher_weight = 0.5
    assert module.training_step(batch, 0).item() > without


def test_what_the_teacher_says_stands_beside_what_it_is_about(pairs, user_pairs):
    """A score of 100 times the query's passage, plus the passage that was read."""
    own = user_pairs.passages
    told = np.full((60, 9), np.nan, dtype=np.float32)
    told[:, 0] = 100 * own + own
    for pair in range(1, 60):
        told[pair, 1:6] = 100 * own[pair] + own[user_pairs.negatives[pair, :5]]
    batch = pairs(replace(user_pairs, teacher=told)).batch(2)
    behind = int(user_pairs.store.num_documents)
    asked = (batch.documents - behind)[batch.negative_queries]
    read = (batch.passages - behind)[batch.negative_passages]
    assert batch.teacher[batch.pairs :].tolist() == (100 * asked + read).tolist()
    assert batch.teacher[: batch.pairs].tolist() == (101 * (batch.documents - behind)).tolist()


def test_without_a_teacher_there_is_nothing_to_learn_from_it(pairs):
    batch = pairs().batch(0)
    assert batch.teacher.isnan().all()
    assert distillation(torch.ones(batch.pairs, len(batch.passages)), batch).item() == 0.0
