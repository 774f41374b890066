import math

import numpy as np
import pytest
import torch

from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.models.heads import BertForPretraining
from bertpipe.progress import Silent
from bertpipe.text.special_ids import OURS
from bertpipe.text.token_store import TokenStore, TokenStoreWriter
from bertpipe.text.word_bounds import WordBounds
from bertpipe.training.budget import Plan
from bertpipe.training.doc_sentences import DocSentences
from bertpipe.training.fit import fit
from bertpipe.training.legs import LegData
from bertpipe.training.masking import Masking
from bertpipe.training.pretraining import Pretraining
from bertpipe.training.sentence_pairs import SentencePairs

VOCAB = 65
SOURCES = {"bert": SentencePairs, "roberta": DocSentences}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> TokenStore:
    """Forty documents out of ten sentences of six pieces; no two have a piece in common."""
    rng = np.random.default_rng(0)
    writer = TokenStoreWriter(tmp_path_factory.mktemp("small"), VOCAB)
    for _ in range(40):
        writer.add([[], *(list(range(start, start + 6)) for start in 5 + 6 * rng.integers(0, 10, 5))])
    writer.close()
    return TokenStore(writer.folder)


def trained(store, folder, objective, kind, steps):
    torch.manual_seed(0)
    shape = BertConfig(vocab_size=VOCAB, width=64, layers=2, heads=4, inner=128, max_length=48, dropout=0.0)
    model = BertForPretraining(Bert(shape))
    begins = np.arange(VOCAB) % 2 == 0
    masking = Masking(VOCAB, OURS, rate=0.15, kind=kind, words=WordBounds(begins, np.zeros_like(begins)))
    source = SOURCES[objective](store, rows=8, length=48, masking=masking, seed=1)
    module = Pretraining(model, lr=3e-3, weight_decay=0.01, warmup=0.1, steps=steps)
    data = LegData(source, source, 2, Plan(steps, -(-steps // 5)))
    return model, fit(module, data, folder=folder, seed=0, progress=Silent(), label="test", accelerator="cpu")


@pytest.mark.parametrize("kind", ["token", "word", "span"])
@pytest.mark.parametrize("objective", ["bert", "roberta"])
def test_what_is_hidden_can_be_learned(small, tmp_path, objective, kind):
    """Sixty pieces are about equally frequent; what lies below log 60, the context has told."""
    _, curve = trained(small, tmp_path, objective, kind, 120)
    guessing = math.log(60)
    assert curve[0]["val_mlm_loss"] > 0.7 * guessing
    assert curve[-1]["val_mlm_loss"] < 0.7 * guessing
    assert curve[-1].get("val_nsp_accuracy", 1.0) > 0.8


def test_without_next_sentences_their_head_is_left_alone(small, tmp_path):
    torch.manual_seed(0)
    model, curve = trained(small, tmp_path / "roberta", "roberta", "token", 3)
    assert curve[-1].keys() == {"step", "loss", "val_mlm_loss", "val_mlm_accuracy"}
    other, curve = trained(small, tmp_path / "bert", "bert", "token", 3)
    assert "val_nsp_accuracy" in curve[-1]
    torch.manual_seed(0)
    fresh = BertForPretraining(Bert(model.bert.config))
    assert torch.equal(model.next_sentence.pooler.weight, fresh.next_sentence.pooler.weight)
    assert not torch.equal(other.next_sentence.pooler.weight, fresh.next_sentence.pooler.weight)
    assert not torch.equal(model.masked_language.transform.weight, fresh.masked_language.transform.weight)


def test_the_loss_is_that_of_the_masked_tokens_alone(small):
    """Against a pass over every position, one logit a token."""
    torch.manual_seed(0)
    model = BertForPretraining(Bert(BertConfig(vocab_size=VOCAB, width=32, layers=1, heads=2, inner=64, max_length=48)))
    source = DocSentences(small, rows=2, length=48, masking=Masking(VOCAB, OURS, rate=0.15), seed=1)
    batch = source.batch(0)
    module = Pretraining(model.eval(), lr=1e-3, weight_decay=0.0, warmup=0.0, steps=1)
    losses = []
    for row in range(2):
        for number in range(1, int(batch.sequence_ids[row].max()) + 1):
            places = (batch.sequence_ids[row] == number).nonzero().squeeze(1)
            hidden = model.bert(batch.input_ids[row, places][None])[0]
            logits = model.masked_language(hidden, model.bert.token_embedding.weight).log_softmax(-1)
            for place, chances in zip(places.tolist(), logits, strict=True):
                at = (batch.masked_index == row * 48 + place).nonzero()
                losses += [-chances[batch.labels[at[0, 0]]]] if len(at) else []
    assert len(losses) == len(batch.labels) > 5
    assert torch.allclose(module.training_step(batch, 0), torch.stack(losses).mean(), atol=1e-5)
