import numpy as np
import pytest
import torch

from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.models.encoder import TextEncoder
from bertpipe.training.hard_negatives import DEPTH, KEPT, encode_texts, hard_negatives


def unit(rng, *shape):
    vectors = rng.standard_normal(shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("below", [0.8, 0.95, 1.1])
def test_the_most_misleading_of_both_sides(below):
    rng = np.random.default_rng(0)
    passages = unit(rng, 400, 8)
    own = rng.integers(0, 400, 2500)
    queries = passages[own] + 0.5 * unit(rng, 2500, 8)
    queries /= np.linalg.norm(queries, axis=-1, keepdims=True)
    words = rng.permuted(np.tile(np.arange(400), (2500, 1)), axis=1)[:, :60]
    found = hard_negatives(queries, passages, own, np.arange(2500), lambda query: words[query, : query % 60], below)
    assert found.shape == (2500, KEPT)
    for query in range(0, 2500, 97):
        cosine = passages @ queries[query]
        nearest = np.argsort(-cosine, kind="stable")[:DEPTH].tolist()
        lexical = words[query, : query % 60][:DEPTH].tolist()
        turns = []
        for place in range(DEPTH):
            turns += nearest[place : place + 1] + lexical[place : place + 1]
        right = cosine[own[query]]
        wrong = [one for one in dict.fromkeys(turns) if one != own[query] and cosine[one] < below * right]
        row = found[query]
        assert row[row >= 0].tolist() == wrong[:KEPT]


def test_nothing_misleads_among_equals():
    vectors = np.tile(np.float32([1, 0]), (3, 1))
    assert (hard_negatives(vectors, vectors, np.arange(3), np.arange(3), lambda query: np.arange(3), 0.95) == -1).all()


def test_what_answers_a_query_once_is_never_wrong_for_it():
    rng = np.random.default_rng(2)
    passages = unit(rng, 6, 8)
    own = np.array([0, 1, 2, 3])
    # The first two pairs ask the same; passage 1 is much farther from the query than passage 0.
    found = hard_negatives(
        passages[[0, 0, 2, 3]], passages, own, np.array([0, 0, 1, 2]), lambda query: np.arange(6), 0.95
    )
    assert set(found[0][found[0] >= 0]) == {2, 3, 4, 5}
    assert not {0, 1} & set(found[1])
    assert {0, 1} <= set(found[2])


@pytest.mark.parametrize("bf16", [False, True])
def test_texts_are_encoded_as_if_alone(bf16):
    torch.manual_seed(0)
    shape = {"vocab_size": 100, "width": 32, "layers": 2, "heads": 2, "inner": 64, "max_length": 64}
    encoder = TextEncoder(Bert(BertConfig(**shape, dropout=0.5))).train()
    rng = np.random.default_rng(1)
    sequences = [rng.integers(5, 100, size).tolist() for size in rng.integers(3, 60, 300)]
    told = []
    vectors = encode_texts(encoder, sequences, pad_id=0, device=torch.device("cpu"), bf16=bf16, advance=told.append)
    assert sum(told) == 300
    assert encoder.training
    encoder.eval()
    for number in (0, 150, 299):
        ids = torch.tensor([sequences[number]])
        alone = encoder(ids, torch.ones_like(ids))[0].detach().numpy()
        assert np.allclose(vectors[number], alone, atol=2e-2 if bf16 else 1e-5)
