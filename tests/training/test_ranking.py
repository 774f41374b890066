import numpy as np
import pytest
import torch
from torch.nn import functional

from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.models.cross_encoder import CrossEncoder
from bertpipe.models.cross_scorer import cross_scorer
from bertpipe.models.passage_ranker import RerankerSettings
from bertpipe.text.query_passage import QueryPassage
from bertpipe.text.special_ids import OURS
from bertpipe.training.ranked_pairs import RankedPairs
from bertpipe.training.ranking import Ranking, own_ranks
from bertpipe.training.user_pairs import UserPairs


class Words:
    """A tokenizer whose pieces are words."""

    special, pad_id = OURS, OURS.pad

    def __init__(self):
        self.ids = {}

    def encode_batch(self, texts):
        return [[self.ids.setdefault(word, 10 + len(self.ids)) for word in text.split()] for text in texts]


PAIRS = [
    QueryPassage(f"q{number}", "title" if number % 3 else "", f"p{number % 20} " + "w " * (number % 7))
    for number in range(40)
]


def ranked(mined, pairs=PAIRS, tokenizer=None, **changes):
    torch.manual_seed(0)
    model = CrossEncoder(Bert(BertConfig(200, width=32, layers=2, heads=4, inner=64, max_length=48, dropout=0.0)))
    ranker = cross_scorer(model, tokenizer or Words(), RerankerSettings(32, 8), "cpu")
    settings = {"batch_size": 6, "negatives": 4, "seed": 1} | changes
    return model, RankedPairs(pairs, mined, np.arange(len(pairs)), ranker, **settings)


@pytest.fixture
def mined(user_pairs):
    """Forty pairs over twenty passages; the first two have no hard negatives, the third has one."""
    negatives = np.full((40, 8), -1)
    rng = np.random.default_rng(0)
    for pair in range(3, 40):
        negatives[pair, :6] = rng.permutation(np.delete(np.arange(20), pair % 20))[:6]
    negatives[2, 0] = 5
    return UserPairs(user_pairs.store, np.arange(40) % 20, negatives)


def test_each_query_has_its_own_passage_and_others(mined):
    words = Words()
    _, batches = ranked(mined, tokenizer=words)
    seen = set()
    for step in range(7):
        batch = batches.batch(step)
        again = batches.batch(step)
        assert torch.equal(batch.input_ids, again.input_ids)
        assert batch.labels.tolist() == [1, 0, 0, 0, 0] * 6
        named = {number: word for word, number in words.ids.items()}
        for rows, index in zip(batch.input_ids.split(5), batch.index.split(5), strict=True):
            pair = int(index[0])
            seen.add(pair)
            texts = [[named[number] for number in row.tolist() if number in named] for row in rows]
            assert all(text[0] == f"q{pair}" for text in texts)
            # A title that only wrong passages have would give them away.
            assert "title" in texts[0] or not any("title" in text for text in texts)
            passages = [next(word for word in text if word[0] == "p") for text in texts]
            assert passages[0] == f"p{pair % 20}"
            assert len(set(passages)) == 5
            known = {f"p{one}" for one in mined.negatives[pair] if one >= 0}
            assert len(known & set(passages[1:])) == min(4, len(known))
    assert len(seen) > 30


def test_fewer_passages_than_are_wanted(user_pairs):
    few = UserPairs(user_pairs.store, np.arange(40) % 3)
    _, batches = ranked(few)
    assert batches.negatives == 2
    assert batches.batch(0).input_ids.shape[0] == 18
    with pytest.raises(ValueError, match="one passage"):
        ranked(UserPairs(user_pairs.store, np.zeros(40, dtype=np.int64)))


def test_the_loss_is_that_of_its_definition(mined):
    model, batches = ranked(mined)
    batch = batches.batch(3)
    recipe = {"lr": 1e-3, "weight_decay": 0.0, "warmup": 0.1, "steps": 1, "layer_scales": {}}
    loss = Ranking(model, dev_groups=[1], **recipe).training_step(batch, 0)
    scores = model(batch.input_ids, batch.attention_mask, batch.token_type_ids).view(6, 5)
    expected = -scores.log_softmax(-1)[:, 0].mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    gradient = model.head.classifier.weight.grad.clone()
    model.zero_grad()
    expected.backward()
    torch.testing.assert_close(gradient, model.head.classifier.weight.grad, rtol=1e-4, atol=1e-6)


def test_ranks_of_the_own_passage():
    assert own_ranks(np.array([3.0, 1, 2, 5, 5, 6, 0]), [3, 3, 1]).tolist() == [1, 3, 1]


def test_what_is_learned_improves_a_ranking(user_pairs):
    """Of two passages about the same, the one with the right word is right, and words of the query decide which."""
    rng = np.random.default_rng(0)
    colours, things = ["red", "blue"], [f"thing{number}" for number in range(12)]
    pairs = []
    for _ in range(120):
        colour, thing = rng.choice(colours), rng.choice(things)
        pairs.append(QueryPassage(f"{colour} {thing}", "", f"a {colour} one and {thing}"))
    first = {}
    passages = np.array([first.setdefault(pair.text, number) for number, pair in enumerate(pairs)])
    negatives = np.full((120, 1), -1)
    for number, pair in enumerate(pairs):
        swapped = (
            pair.text.translate(str.maketrans({})).replace("red", "RED").replace("blue", "red").replace("RED", "blue")
        )
        negatives[number, 0] = first.get(swapped, -1)
    words = Words()
    mined = UserPairs(user_pairs.store, passages, negatives)
    model, batches = ranked(mined, pairs, words, batch_size=24, negatives=1)
    ranker = batches.ranker
    query, others = "red thing3", [("", f"a {colour} one and thing3") for colour in ("blue", "red")]
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for step in range(80):
        batch = batches.batch(step)
        scores = model(batch.input_ids, batch.attention_mask, batch.token_type_ids).view(-1, 2)
        loss = functional.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    assert np.mean(losses[-10:]) < 0.3 < 0.6 < losses[0]
    right, wrong = 0, 0
    for thing in things:
        for place, colour in enumerate(colours):
            scores = ranker.scores(f"{colour} {thing}", [("", f"a {one} one and {thing}") for one in colours])
            right += int(scores.argmax() == place)
            wrong += int(scores.argmax() != place)
    assert right >= 20
    assert ranker.scores(query, others).argmax() == 1
