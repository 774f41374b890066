import json

import numpy as np
import pytest
import torch

from bertpipe.errors import ArtefactError
from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.models.cross_encoder import CrossEncoder
from bertpipe.models.cross_scorer import cross_scorer
from bertpipe.models.passage_ranker import BATCH_TOKENS, SETTINGS, PassageRanker, RerankerSettings
from bertpipe.text.special_ids import OURS


class Letters:
    """A tokenizer whose pieces are letters."""

    special, pad_id = OURS, OURS.pad

    def encode_batch(self, texts):
        return [[10 + ord(letter) % 50 for letter in text] for text in texts]


@pytest.fixture(scope="module")
def ranker():
    torch.manual_seed(0)
    model = CrossEncoder(Bert(BertConfig(60, width=32, layers=2, heads=4, inner=64, max_length=64, dropout=0.5)))
    return cross_scorer(model, Letters(), RerankerSettings(48, 12), "cpu")


def test_a_passage_is_scored_as_if_alone(ranker):
    rng = np.random.default_rng(0)
    texts = ["x" * int(size) + "yz"[: size % 3] for size in rng.integers(0, 300, 400)]
    passages = [("a title" if number % 2 else "", text) for number, text in enumerate(texts)]
    scores = ranker.scores("what", passages)
    assert scores.shape == (400,)
    assert np.ptp(scores) > 1e-4
    for number in (0, 7, 399):
        np.testing.assert_allclose(scores[number], ranker.scores("what", passages[number : number + 1])[0], atol=1e-5)
    assert ranker.scores("what", []).shape == (0,)


def test_many_queries_in_a_batch_are_as_one_by_one(ranker):
    pairs = [("a", "t", "some text"), ("bcd", "", "some text"), ("a", "", "x" * 90)]
    alone = [ranker.scores(query, [(title, text)])[0] for query, title, text in pairs]
    np.testing.assert_allclose(ranker.pair_scores(pairs), alone, atol=1e-5)


def test_the_query_is_read_before_the_passage_and_within_limits():
    seen = []

    def run(input_ids, attention_mask, token_type_ids):
        assert input_ids.size <= BATCH_TOKENS
        seen.append((input_ids, attention_mask, token_type_ids))
        return np.zeros(len(input_ids), dtype=np.float32)

    ranker = PassageRanker(Letters(), RerankerSettings(20, 6), run)
    ranker.scores("abcdefgh", [("tt", "p" * 50)])
    (ids, mask, types) = (array[0].tolist() for array in seen[0])
    query, title, text = Letters().encode_batch(["abcd", "tt", "p" * 10])
    assert ids == [OURS.cls, *query, OURS.sep, *title, OURS.sep, *text, OURS.sep]
    assert types == [0] * 6 + [1] * 14
    assert mask == [1] * 20
    seen.clear()
    ranker.scores("a" * 100_000, [("", "p" * 1_000_000)] * 1000)
    assert all(ids.shape[1] == 20 for ids, _, _ in seen)


def test_batches_keep_to_their_size():
    sizes = []

    def run(input_ids, attention_mask, token_type_ids):
        sizes.append(input_ids.size)
        return attention_mask.sum(1).astype(np.float32)

    passages = [("", "p" * length) for length in (3, 30, 12, 4, 25)]
    ranker = PassageRanker(Letters(), RerankerSettings(40, 6), run, batch_tokens=50)
    few = ranker.scores("abc", passages)
    assert len(sizes) > 1
    assert max(sizes) <= 50
    whole = PassageRanker(Letters(), RerankerSettings(40, 6), run).scores("abc", passages)
    np.testing.assert_array_equal(few, whole)


def test_settings(tmp_path):
    RerankerSettings(192, 32).save(tmp_path)
    assert RerankerSettings.load(tmp_path) == RerankerSettings(192, 32)
    for broken in ("{", "[]", json.dumps({"max_tokens": 8, "query_tokens": 8}), '{"max_tokens": 9.5}'):
        (tmp_path / SETTINGS).write_text(broken)
        with pytest.raises(ArtefactError, match="cannot be read"):
            RerankerSettings.load(tmp_path)
