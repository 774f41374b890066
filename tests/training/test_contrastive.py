from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.models.encoder import TextEncoder
from bertpipe.text.special_ids import OURS
from bertpipe.training.contrastive import Contrastive, distillation
from bertpipe.training.pairs import CorpusPairs
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
    assert len(batch.negatives) > 24
    module = contrastive(dimensions=(8,))
    vectors = module.encoder.encode_packed(batch.input_ids, batch.sequence_ids, batch.text_index, batch.texts)
    count = batch.pairs
    groups = torch.cat([batch.documents, batch.negatives]).tolist()
    losses = []
    for width in (8, 32):
        part = functional.normalize(vectors[:, :width], dim=-1)
        logits = part[:count] @ part[count:].T * module.log_scale.exp()
        for query in range(count):
            rivals = [place for place, group in enumerate(groups) if place == query or group != groups[query]]
            losses.append(logits[query, query] - logits[query, rivals].logsumexp(0))
            back = [place for place in rivals if place < count]
            losses.append(logits[query, query] - logits[back, query].logsumexp(0))
    expected = -torch.stack(losses).mean()
    assert module.training_step(batch, 0).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("chunk_tokens", [1, 48, 200])
def test_chunks_have_the_gradients_of_the_whole_batch(pairs, chunk_tokens):
    gradients = []
    for tokens in (0, chunk_tokens):
        module = contrastive(chunk_tokens=tokens).train()
        loss = module.training_step(pairs().batch(0), 0)
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
    scores = rng.standard_normal((batch.pairs, batch.pairs + len(batch.negatives))).astype(np.float32)

    def softmax(values):
        return np.exp(values) / np.exp(values).sum()

    losses = []
    for query in range(batch.pairs):
        beside = np.flatnonzero(batch.negative_queries.numpy() == query) + batch.pairs
        if len(beside):
            columns = [query, *beside]
            wanted = softmax(batch.teacher.numpy()[columns].astype(np.float64))
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
    assert batch.teacher[batch.pairs :].tolist() == (100 * asked + batch.negatives - behind).tolist()
    assert batch.teacher[: batch.pairs].tolist() == (101 * (batch.documents - behind)).tolist()


def test_without_a_teacher_there_is_nothing_to_learn_from_it(pairs):
    batch = pairs().batch(0)
    assert batch.teacher.isnan().all()
    assert distillation(torch.ones(batch.pairs, batch.pairs + len(batch.negatives)), batch).item() == 0.0
