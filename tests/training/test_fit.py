import pytest
import torch

from bertpipe.errors import ConfigError, TrainingError
from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.models.encoder import TextEncoder
from bertpipe.models.heads import BertForPretraining
from bertpipe.progress import Silent
from bertpipe.text.special_ids import OURS
from bertpipe.training.budget import Plan
from bertpipe.training.contrastive import Contrastive
from bertpipe.training.fit import CHECKPOINT, fit
from bertpipe.training.legs import LegData
from bertpipe.training.masking import Masking
from bertpipe.training.pairs import CorpusPairs
from bertpipe.training.pretraining import Pretraining
from bertpipe.training.sentence_pairs import SentencePairs

VOCAB = 300
SHAPE = {"vocab_size": VOCAB, "width": 32, "layers": 2, "heads": 2, "inner": 64, "max_length": 64}


def pretraining(steps, dropout=0.1, lr=1e-3) -> Pretraining:
    torch.manual_seed(0)
    model = BertForPretraining(Bert(BertConfig(**SHAPE, dropout=dropout)))
    return Pretraining(model, lr=lr, weight_decay=0.01, warmup=0.1, steps=steps)


def rows(store) -> SentencePairs:
    masking = Masking(VOCAB, OURS, rate=0.15)
    return SentencePairs(store, rows=4, length=48, masking=masking, seed=1)


class OneBatch:
    """The same batch at every step."""

    def __init__(self, batches) -> None:
        self.only = batches.batch(0)

    def batch(self, step):
        return self.only


class Killed(Exception):
    pass


class KilledAt:
    """Batches that stop the run at a step, as a kill would: nothing is saved on the way out."""

    def __init__(self, batches, step) -> None:
        self.batches, self.step = batches, step

    def batch(self, step):
        if step == self.step:
            raise Killed
        return self.batches.batch(step)


def train(module, batches, plan, folder, validation=None):
    data = LegData(batches, validation, 2, plan)
    return fit(module, data, folder=folder, seed=0, progress=Silent(), label="test", accelerator="cpu")


def test_one_batch_is_learned_by_heart(store, tmp_path):
    module = pretraining(300, dropout=0.0, lr=5e-3)
    curve = train(module, OneBatch(rows(store)), Plan(300, 30), tmp_path)
    assert curve[0]["loss"] > 4
    assert curve[-1]["loss"] < 0.05


def test_one_batch_of_pairs_is_learned_by_heart(store, tmp_path):
    torch.manual_seed(0)
    encoder = TextEncoder(Bert(BertConfig(**SHAPE, dropout=0.0)))
    pairs = CorpusPairs(store, OURS, batch_size=16, query_tokens=16, passage_tokens=64, seed=0)
    module = Contrastive(
        encoder, lr=3e-3, weight_decay=0.01, warmup=0.1, steps=100, pooling_lr_scale=10, token_lr_scale=1
    )
    curve = train(module, OneBatch(pairs), Plan(100, 10), tmp_path)
    assert curve[-1]["loss"] < 0.05 < 1 < curve[0]["loss"]


@pytest.mark.parametrize("killed_at", [1, 7, 10, 22])
def test_a_killed_run_ends_with_the_same_weights(store, tmp_path, killed_at):
    plan = Plan(23, 5)
    undisturbed = pretraining(23)
    curve = train(undisturbed, rows(store), plan, tmp_path / "a", validation=rows(store))
    with pytest.raises(Killed):
        train(pretraining(23), KilledAt(rows(store), killed_at), plan, tmp_path / "b", validation=rows(store))
    assert (tmp_path / "b" / CHECKPOINT).is_file() == (killed_at > 5)
    resumed = pretraining(23)
    resumed_curve = train(resumed, rows(store), plan, tmp_path / "b", validation=rows(store))
    for name, tensor in undisturbed.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name
    assert resumed_curve == curve
    assert [point["step"] for point in curve] == [5, 10, 15, 20, 23]


def test_a_finished_run_is_not_trained_on(store, tmp_path):
    first, again = pretraining(10), pretraining(10)
    train(first, rows(store), Plan(10, 5), tmp_path)
    curve = train(again, rows(store), Plan(10, 5), tmp_path)
    assert [point["step"] for point in curve] == [5, 10]
    for name, tensor in first.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_validation_figures_are_in_the_curve(store, tmp_path):
    curve = train(pretraining(10), rows(store), Plan(10, 5), tmp_path, validation=rows(store))
    assert {"step", "loss", "val_mlm_loss", "val_mlm_accuracy", "val_nsp_accuracy"} <= curve[-1].keys()
    assert 0 <= curve[-1]["val_nsp_accuracy"] <= 1


def test_a_loss_that_is_not_finite_stops_the_run(store, tmp_path):
    module = pretraining(10)
    with torch.no_grad():
        module.model.bert.embedding_norm.weight[0] = float("nan")
    with pytest.raises(TrainingError, match="the loss became nan at step 1"):
        train(module, rows(store), Plan(10, 5), tmp_path)
    assert not (tmp_path / CHECKPOINT).exists()


def test_a_weight_that_breaks_in_the_last_step_is_noticed(store, tmp_path):
    module = pretraining(1)
    module.model.unused = torch.nn.Parameter(torch.tensor(float("inf")))
    with pytest.raises(TrainingError, match="not finite after the last step"):
        train(module, rows(store), Plan(1, 5), tmp_path)


def test_ctrl_c_stays_ctrl_c(store, tmp_path):
    class Interrupted:
        def batch(self, step):
            if step == 3:
                raise KeyboardInterrupt
            return rows(store).batch(step)

    with pytest.raises(KeyboardInterrupt):
        train(pretraining(10), Interrupted(), Plan(10, 5), tmp_path)


def test_mixed_precision_trains(store, tmp_path):
    data = LegData(rows(store), None, 0, Plan(3, 5))
    curve = fit(
        pretraining(3), data, folder=tmp_path, seed=0, progress=Silent(), label="test", accelerator="cpu",
        precision="bf16-mixed",
    )  # fmt: skip
    assert curve[-1]["step"] == 3


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_told_in_words(store, tmp_path):
    data = LegData(rows(store), None, 0, Plan(3, 5))
    with pytest.raises(ConfigError, match="torch finds none here"):
        fit(pretraining(3), data, folder=tmp_path, seed=0, progress=Silent(), label="test", accelerator="gpu")
