import numpy as np
import pytest
import pytorch_lightning as pl
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
from bertpipe.training.labelled_batches import LabelledBatches, LabelledSequence
from bertpipe.training.legs import LegData
from bertpipe.training.masking import Masking
from bertpipe.training.optimizer import adamw_with_warmup
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


class Scored(pl.LightningModule):
    """Weights that grow with every step, and a dev figure that says which leg is best."""

    def __init__(self, figures):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.figures = figures
        self.leg = 0

    def training_step(self, batch, batch_idx):
        return -self.weight.sum()

    def validation_step(self, batch, batch_idx):
        leg = (self.trainer.global_step - 1) // 5
        self.log("val_f1", self.figures[leg], batch_size=1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


class Noted(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def train_scored(figures, store, folder, patience=None, batches=None, progress=None):
    module = Scored(figures)
    data = LegData(batches or rows(store), rows(store), 1, Plan(30, 5))
    curve = fit(
        module, data, folder=folder, seed=0, progress=progress or Silent(), label="test", accelerator="cpu",
        best="val_f1", patience=patience,
    )  # fmt: skip
    return module.weight.item(), [point["step"] for point in curve]


RISING_AND_FALLING = [0.1, 0.5, 0.4, 0.5, 0.3, 0.2]


def test_the_best_legs_weights_are_kept(store, tmp_path):
    weight, steps = train_scored(RISING_AND_FALLING, store, tmp_path)
    assert weight == pytest.approx(10.0)  # of two equally good legs the first
    assert steps == [5, 10, 15, 20, 25, 30]


def test_training_stops_when_there_is_nothing_better(store, tmp_path):
    progress = Noted()
    weight, steps = train_scored(RISING_AND_FALLING, store, tmp_path, patience=2, progress=progress)
    assert weight == pytest.approx(10.0)
    assert steps == [5, 10, 15, 20]
    assert progress.notes == ["stopped at step 20: val_f1 has not risen in the last 2 legs"]
    # What was stopped stays stopped.
    assert train_scored(RISING_AND_FALLING, store, tmp_path, patience=2) == (weight, steps)


def test_nothing_right_yet_is_no_reason_to_stop(store, tmp_path):
    weight, steps = train_scored([0.0, 0.0, 0.0, 0.0, 0.1, 0.2], store, tmp_path, patience=2)
    assert (weight, steps[-1]) == (pytest.approx(30.0), 30)


@pytest.mark.parametrize("killed_at", [3, 12, 18])
def test_a_killed_run_stops_where_it_would_have(store, tmp_path, killed_at):
    with pytest.raises(Killed):
        train_scored(RISING_AND_FALLING, store, tmp_path, 2, KilledAt(rows(store), killed_at))
    weight, steps = train_scored(RISING_AND_FALLING, store, tmp_path, patience=2)
    assert weight == pytest.approx(10.0)
    assert steps == [5, 10, 15, 20]


def test_a_dev_figure_that_is_not_finite_stops_the_run(store, tmp_path):
    with pytest.raises(TrainingError, match="val_f1 became nan at step 10"):
        train_scored([0.1, float("nan"), 0.2, 0.2, 0.2, 0.2], store, tmp_path)


class Halves:
    """Every batch of another's cut into two."""

    def __init__(self, batches):
        self.batches = batches

    def batch(self, step):
        whole = self.batches.batch(step // 2)
        half = len(whole.index) // 2
        return self.batches.of(whole.index.tolist()[half:] if step % 2 else whole.index.tolist()[:half])


class Regression(pl.LightningModule):
    def __init__(self, dropout=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(10, 1)
        self.dropout = torch.nn.Dropout(dropout)

    def training_step(self, batch, batch_idx):
        return ((self.layer(self.dropout(batch.input_ids.float()))[:, 0] - batch.labels) ** 2).mean()

    def configure_optimizers(self):
        return adamw_with_warmup(self, lr=0.01, weight_decay=0.0, warmup=0.1, steps=23)


def regression_batches():
    rng = np.random.default_rng(0)
    items = [LabelledSequence(rng.integers(0, 9, 10).tolist(), [0] * 10, float(one)) for one in rng.normal(size=80)]
    return LabelledBatches(items, batch_tokens=80, pad_id=0, seed=0)


def train_accumulating(module, batches, folder, accumulate):
    data = LegData(batches, None, 0, Plan(23, 5), accumulate=accumulate)
    return fit(module, data, folder=folder, seed=0, progress=Silent(), label="test", accelerator="cpu")


def test_two_halves_are_a_whole(tmp_path):
    whole, halves = Regression(), Regression()
    curve = train_accumulating(whole, regression_batches(), tmp_path / "a", 1)
    curve_of_halves = train_accumulating(halves, Halves(regression_batches()), tmp_path / "b", 2)
    assert torch.allclose(whole.layer.weight, halves.layer.weight, atol=1e-6)
    assert [point["step"] for point in curve_of_halves] == [5, 10, 15, 20, 23]
    for one, other in zip(curve, curve_of_halves, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)


@pytest.mark.parametrize("killed_at", [3, 11, 21, 29])
def test_a_killed_run_of_halves_ends_with_the_same_weights(tmp_path, killed_at):
    undisturbed, resumed = Regression(0.3), Regression(0.3)
    curve = train_accumulating(undisturbed, Halves(regression_batches()), tmp_path / "a", 2)
    with pytest.raises(Killed):
        train_accumulating(Regression(0.3), KilledAt(Halves(regression_batches()), killed_at), tmp_path / "b", 2)
    assert train_accumulating(resumed, Halves(regression_batches()), tmp_path / "b", 2) == curve
    assert torch.equal(undisturbed.layer.weight, resumed.layer.weight)


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
