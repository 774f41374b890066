import pytest
import torch

from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.models.encoder import TextEncoder
from bertpipe.progress import Silent
from bertpipe.text.special_ids import OURS
from bertpipe.training.context_scale import SCALES, set_context_scale
from bertpipe.training.contrastive import Contrastive
from bertpipe.training.pairs import CorpusPairs
from bertpipe.training.warm_start import warm_start

SHAPE = {"vocab_size": 300, "width": 32, "layers": 2, "heads": 2, "inner": 64, "max_length": 64, "dropout": 0.0}


@pytest.fixture
def pairs(store) -> CorpusPairs:
    return CorpusPairs(store, OURS, batch_size=32, query_tokens=16, passage_tokens=64, seed=0)


def contrastive(encoder) -> Contrastive:
    return Contrastive(
        encoder, lr=1e-3, weight_decay=0.0, warmup=0.1, steps=1, pooling_lr_scale=1.0, token_lr_scale=1.0
    )


def warm(pairs, folder):
    torch.manual_seed(0)
    bert = Bert(BertConfig(**SHAPE))
    weights = warm_start(bert, pairs, folder=folder, seed=0, progress=Silent(), accelerator="cpu")
    return bert, weights


def test_it_finds_better_than_a_random_start_and_is_repeatable(pairs, tmp_path):
    bert, weights = warm(pairs, tmp_path / "a")
    encoder = TextEncoder(bert)
    encoder.pooling.set_weights(weights)
    batch = pairs.batch(999)
    torch.manual_seed(0)
    chance = contrastive(TextEncoder(Bert(BertConfig(**SHAPE)))).eval().training_step(batch, 0)
    assert contrastive(encoder).eval().training_step(batch, 0) < 0.8 * chance
    again, same_weights = warm(pairs, tmp_path / "b")
    assert torch.equal(bert.token_embedding.weight, again.token_embedding.weight)
    assert torch.equal(weights, same_weights)


def test_layers_are_there_and_do_nothing_yet(pairs, tmp_path):
    bert, weights = warm(pairs, tmp_path)
    assert len(bert.layers) == 2
    assert not bert.layers[0].attention.output.weight.any()
    assert not bert.layers[1].feed_forward.output.weight.any()
    assert weights.shape == (300,)
    assert (weights > 0).all()


@pytest.mark.parametrize("spoiled", [True, False])
def test_context_that_only_disturbs_is_turned_down(pairs, tmp_path, spoiled):
    bert, weights = warm(pairs, tmp_path)
    ends = [layer.feed_forward.output for layer in bert.layers]
    if spoiled:
        for end in ends:
            torch.nn.init.normal_(end.weight, std=2.0)
    before = [end.weight.clone() for end in ends]
    encoder = TextEncoder(bert)
    encoder.pooling.set_weights(weights)
    scale = set_context_scale(contrastive(encoder), pairs, "cpu")
    assert scale == (min(SCALES) if spoiled else 1.0)
    for end, original in zip(ends, before, strict=True):
        torch.testing.assert_close(end.weight, original * scale)
