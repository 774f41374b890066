"""The whole training of a Transformer: what it learns, and that a killed run ends with the same bytes."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from bertpipe.models.sampling import write
from bertpipe.models.transformer import Transformer
from bertpipe.models.transformer_config import TransformerConfig
from bertpipe.progress import Silent
from bertpipe.text.token_store import TokenStore, TokenStoreWriter
from bertpipe.training.budget import Plan
from bertpipe.training.fit import fit
from bertpipe.training.legs import LegData
from bertpipe.training.sequence_pairs import SequencePairs
from bertpipe.training.sequence_to_sequence import SequenceToSequence
from bertpipe.training.weight_history import WeightHistory

START, END, VOCAB = 2, 3, 24
SHAPE = TransformerConfig(
    vocab_size=VOCAB, width=32, encoder_layers=1, decoder_layers=1, heads=2, inner=64, max_length=16, dropout=0.0
)


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    """60 pairs whose target is the source, the other way round."""
    folder = tmp_path_factory.mktemp("turned")
    rng = np.random.default_rng(0)
    writer = TokenStoreWriter(folder, VOCAB)
    for _ in range(60):
        source = rng.integers(5, VOCAB, rng.integers(2, 6)).tolist()
        writer.add([source[::-1], source])
    writer.close()
    return SequencePairs(
        TokenStore(folder), batch_tokens=300, max_source=16, max_target=16, pad_id=0, start_id=START, end_id=END, seed=0
    )


def recipe(steps, dropout=0.0, **changes) -> SequenceToSequence:
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(**{**SHAPE.__dict__, "dropout": dropout, "inner_dropout": dropout}))
    settings = {"lr": 5e-3, "weight_decay": 0.0, "warmup": 0.1, "schedule": "linear", "label_smoothing": 0.0}
    return SequenceToSequence(model, steps=steps, **{**settings, **changes})


def train(module, batches, plan, folder, **settings):
    validation = settings.pop("validation", None)
    data = LegData(batches, validation, 2, plan)
    settings = {"seed": 0, "progress": Silent(), "label": "test", "accelerator": "cpu", **settings}
    return fit(module, data, folder=folder, **settings)


def share_right(model, batches):
    """How many pairs the model writes as they are, greedily."""
    right = 0
    for step in range(batches.steps_per_epoch):
        batch = batches.batch(step)
        written = write(model.eval(), batch.src_ids, batch.src_mask, max_length=10)
        for (pieces, _), labels in zip(written, batch.labels, strict=True):
            right += [*pieces, END] == labels[labels >= 0].tolist()
    return right / batches.num_pairs


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_small_task_is_learned_by_heart(batches, tmp_path, precision):
    module = recipe(130, lr=1e-2)
    curve = train(module, batches, Plan(130, 26), tmp_path, validation=batches, precision=precision)
    assert curve[0]["loss"] > 1
    assert curve[-1]["loss"] < 0.1
    assert curve[-1]["val_loss"] < 0.1
    assert share_right(module.model, batches) > 0.95


def test_smoothed_labels_are_learned_too(batches, tmp_path):
    module = recipe(130, lr=1e-2, label_smoothing=0.1)
    curve = train(module, batches, Plan(130, 26), tmp_path, validation=batches)
    # The entropy of smoothed labels: no loss can be lower, and validation is measured without smoothing.
    others = 0.1 / VOCAB
    lowest = -(1 - 0.1 + others) * math.log(1 - 0.1 + others) - (VOCAB - 1) * others * math.log(others)
    assert lowest < curve[-1]["loss"] < lowest + 0.1
    assert curve[-1]["val_loss"] < 0.25
    assert share_right(module.model, batches) > 0.95


def test_the_loss_is_that_of_all_target_pieces(batches):
    module = recipe(1, label_smoothing=0.2)
    batch = batches.batch(0)
    assert (batch.labels < 0).any()
    logits = module.model(batch.src_ids, batch.tgt_ids, batch.src_mask)
    flat, labels = logits.flatten(0, 1), batch.labels.flatten()
    expected = functional.cross_entropy(flat, labels, ignore_index=-100, label_smoothing=0.2)
    torch.testing.assert_close(module.training_step(batch, 0), expected)
    logged = {}
    module.log = lambda name, value, batch_size: logged.update({name: (value, batch_size)})
    module.validation_step(batch, 0)
    torch.testing.assert_close(logged["val_loss"][0], functional.cross_entropy(flat, labels, ignore_index=-100))
    assert logged["val_loss"][1] == int((batch.labels >= 0).sum())  # batches count by their pieces


class Killed(Exception):
    pass


class KilledAt:
    """Batches that stop the run at a step, as a kill would."""

    def __init__(self, batches, step) -> None:
        self.batches, self.step = batches, step

    def batch(self, step):
        if step == self.step:
            raise Killed
        return self.batches.batch(step)


@pytest.mark.parametrize("killed_at", [3, 10, 17, 22])
def test_a_killed_run_ends_with_the_same_weights(batches, tmp_path, killed_at):
    """With dropout, and the mean of the weights after the last three legs."""
    plan, more = Plan(23, 5), {"average": 3, "validation": batches}
    undisturbed, disturbed = recipe(23, dropout=0.2), recipe(23, dropout=0.2)
    curve = train(undisturbed, batches, plan, tmp_path / "a", **more)
    with pytest.raises(Killed):
        train(recipe(23, dropout=0.2), KilledAt(batches, killed_at), plan, tmp_path / "b", **more)
    assert train(disturbed, batches, plan, tmp_path / "b", **more) == curve
    for name, tensor in undisturbed.state_dict().items():
        assert torch.equal(disturbed.state_dict()[name], tensor), name


def test_a_kill_between_the_weights_and_the_checkpoint(batches, tmp_path, monkeypatch):
    plan = Plan(20, 5)
    undisturbed, disturbed = recipe(20), recipe(20)
    train(undisturbed, batches, plan, tmp_path / "a", average=2)
    add = WeightHistory.add

    def sabotaged(self, step, module):
        add(self, step, module)
        if step == 15:
            raise Killed

    monkeypatch.setattr(WeightHistory, "add", sabotaged)
    with pytest.raises(Killed):
        train(recipe(20), batches, plan, tmp_path / "b", average=2)
    monkeypatch.undo()
    train(disturbed, batches, plan, tmp_path / "b", average=2)
    for name, tensor in undisturbed.state_dict().items():
        assert torch.equal(disturbed.state_dict()[name], tensor), name


def test_the_mean_is_of_the_weights_after_the_last_legs(batches, tmp_path):
    plan = Plan(12, 4)
    after = {}

    class Watched(SequenceToSequence):
        def on_train_epoch_end(self):
            after[self.trainer.global_step] = [one.detach().clone() for one in self.parameters()]

    last, mean = recipe(12), recipe(12)
    last.__class__ = Watched
    train(last, batches, plan, tmp_path / "a")
    assert sorted(after) == [4, 8, 12]
    assert all(torch.equal(one, two) for one, two in zip(after[12], last.parameters(), strict=True))
    assert not (tmp_path / "a" / "weights").exists()
    train(mean, batches, plan, tmp_path / "b", average=2)
    for one, two, got in zip(after[8], after[12], mean.parameters(), strict=True):
        torch.testing.assert_close(got.detach(), (one + two) / 2)
        assert got.numel() < 100 or not torch.equal(got, two)


def test_a_finished_run_gives_the_mean_again(batches, tmp_path):
    first, again = recipe(10), recipe(10)
    train(first, batches, Plan(10, 5), tmp_path, average=2)
    train(again, batches, Plan(10, 5), tmp_path, average=2)
    for name, tensor in first.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gradients_are_clipped(batches, tmp_path, precision):
    """Lightning does not clip for a fused optimizer under mixed precision: then the optimizer must not be fused."""
    module = recipe(2, lr=1e-3)
    norms = []
    module.on_before_optimizer_step = lambda optimizer: norms.append(
        torch.nn.utils.get_total_norm([one.grad for one in module.parameters()]).item()
    )
    clipped = []
    configure = module.configure_gradient_clipping

    def spied(*arguments, **named):
        configure(*arguments, **named)
        clipped.append(torch.nn.utils.get_total_norm([one.grad for one in module.parameters()]).item())

    module.configure_gradient_clipping = spied
    train(module, batches, Plan(2, 5), tmp_path, precision=precision)
    assert max(norms) > 1.05
    assert max(clipped) < 1.01


def test_throughput_can_be_measured(batches):
    from bertpipe.training.budget import measure_throughput

    for precision in ("32-true", "bf16-mixed"):
        module = recipe(1)
        before = [one.detach().clone() for one in module.parameters()]
        steps, tokens = measure_throughput(module, batches, "cpu", precision)
        assert tokens > steps > 0
        assert all(torch.equal(one, two) for one, two in zip(before, module.parameters(), strict=True))
