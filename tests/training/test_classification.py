from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Categorical, kl_divergence
from torch.nn import functional

from bertpipe.errors import TrainingError
from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.models.encoder import TextEncoder
from bertpipe.models.text_classifier import TextClassifier
from bertpipe.models.token_tagger import TokenTagger
from bertpipe.progress import Silent
from bertpipe.training.budget import Plan
from bertpipe.training.classification import (
    Classification,
    balanced_weights,
    divergence,
    negative_log_likelihood,
)
from bertpipe.training.dev_scored import dev_outputs
from bertpipe.training.fit import fit
from bertpipe.training.labelled_batches import IGNORED, LabelledBatches, LabelledSequence
from bertpipe.training.legs import LegData
from bertpipe.training.similarity import Similarity
from bertpipe.training.tagging import Tagging

RECIPE = {"lr": 3e-3, "weight_decay": 0.01, "warmup": 0.1, "steps": 60, "layer_scales": {"head.": 3.0}}


def bert(seed=0):
    torch.manual_seed(seed)
    return Bert(BertConfig(vocab_size=40, width=32, layers=1, heads=2, inner=64, max_length=32, dropout=0.0))


def texts(count=96, multi_label=False):
    """Texts whose class is which of three pieces is in them."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        length = int(rng.integers(4, 12))
        ids = [2, *rng.integers(10, 40, length).tolist(), 3]
        kind = number % 3
        ids[int(rng.integers(1, length))] = 5 + kind
        label = [float(one == kind) for one in range(3)] if multi_label else kind
        made.append(LabelledSequence(ids, [0] * len(ids), label))
    return made


def batches_of(sequences, tokens=256, **more):
    return LabelledBatches(sequences, batch_tokens=tokens, pad_id=0, seed=0, **more)


def module(sequences, model=None, weights=None, **more):
    truth = np.array([sequence.labels for sequence in sequences])
    model = model or TextClassifier(bert(), 3)
    return Classification(
        model, labels=["a", "b", "c"], truth=truth, multi_label=truth.ndim == 2, weights=weights, **RECIPE | more
    )


@pytest.mark.parametrize("multi_label", [False, True])
def test_classes_are_learned(tmp_path, multi_label):
    sequences = texts(multi_label=multi_label)
    batches = batches_of(sequences)
    trained = module(sequences)
    data = LegData(batches, batches, batches.steps_per_epoch, Plan(60, 20))
    curve = fit(trained, data, folder=tmp_path, seed=0, progress=Silent(), label="test", accelerator="cpu")
    assert curve[-1]["val_accuracy"] > 0.95
    assert curve[-1]["val_macro_f1"] > 0.95
    assert curve[-1]["val_loss"] < curve[0]["val_loss"]
    outputs = dev_outputs(trained, batches, torch.device("cpu"))
    figures = trained.figures(outputs)
    assert figures["accuracy"] == pytest.approx(curve[-1]["val_accuracy"])
    alone = trained.outputs(batches.of([7]))[0].detach().numpy()
    assert outputs[7] == pytest.approx(alone, abs=1e-5)


def test_weights_count():
    sequences = texts()
    batch = batches_of(sequences).batch(0)
    plain, weighted = module(sequences), module(sequences, weights=torch.tensor([1.0, 2.0, 0.5]))
    logits = plain.outputs(batch)
    assert plain.loss(batch).item() == pytest.approx(functional.cross_entropy(logits, batch.labels).item())
    wanted = functional.cross_entropy(logits, batch.labels, weight=torch.tensor([1.0, 2.0, 0.5]))
    assert weighted.loss(batch).item() == pytest.approx(wanted.item())


def test_two_readings_are_drawn_together():
    sequences = texts()
    batch = batches_of(sequences).batch(0)
    torch.manual_seed(0)
    model = TextClassifier(Bert(replace(bert().config, dropout=0.3)), 3)
    twice = module(sequences, model, consistency=0.5).train()
    torch.manual_seed(1)
    one, other = twice.outputs(batch), twice.outputs(batch)
    torch.manual_seed(1)
    loss = twice.loss(batch).item()
    likelihood = sum(functional.cross_entropy(logits, batch.labels) for logits in (one, other)) / 2
    said = [Categorical(logits=logits) for logits in (one, other)]
    apart = (kl_divergence(*said) + kl_divergence(*reversed(said))).mean() / 2
    assert apart > 1e-4
    assert loss == pytest.approx((likelihood + 0.5 * apart).item(), rel=1e-5)


def test_each_label_s_divergence_counts_where_there_are_several():
    one, other = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    said = [Bernoulli(logits=logits) for logits in (one, other)]
    apart = (kl_divergence(*said) + kl_divergence(*reversed(said))).mean() / 2
    assert divergence(one, other, multi_label=True).item() == pytest.approx(apart.item(), rel=1e-5)


def test_balanced_weights_are_as_scikit_learn_defines_them():
    labels = [["a"]] * 6 + [["b"]] * 3 + [["c"]]
    assert balanced_weights(labels, ["a", "b", "c"], multi_label=False) == pytest.approx([10 / 18, 10 / 9, 10 / 3])
    found = balanced_weights([["a", "b"], ["a"], [], ["a"]], ["a", "b"], multi_label=True)
    assert found == pytest.approx([1 / 3, 3.0])


def test_the_loss_is_the_mean_likelihood():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(9, 3))
    truth = rng.integers(0, 3, 9)
    wanted = functional.cross_entropy(torch.tensor(logits), torch.tensor(truth)).item()
    assert negative_log_likelihood(logits, truth) == pytest.approx(wanted)
    several = rng.integers(0, 2, (9, 3)).astype(float)
    wanted = functional.binary_cross_entropy_with_logits(torch.tensor(logits), torch.tensor(several)).item()
    assert negative_log_likelihood(logits, several) == pytest.approx(wanted)


def test_dev_scores_that_are_no_numbers_stop_the_run(tmp_path):
    sequences = texts()
    broken = module(sequences)
    with torch.no_grad():
        broken.model.head.classifier.bias[0] = float("nan")
    broken.loss = lambda batch: sum(parameter.sum() * 0 for parameter in broken.model.bert.parameters()) + 1.0
    batches = batches_of(sequences)
    data = LegData(batches, batches, 1, Plan(2, 2))
    with pytest.raises(TrainingError, match="scores of the dev set are no longer numbers at step 2"):
        fit(broken, data, folder=tmp_path, seed=0, progress=Silent(), label="test", accelerator="cpu")


def test_tags_are_learned_where_they_are_read():
    sequences = []
    for one in texts(12):
        labels = [IGNORED, *(min(piece, 8) % 5 for piece in one.input_ids[1:-1]), IGNORED]
        sequences.append(LabelledSequence(one.input_ids, one.token_type_ids, labels))
    batches = batches_of(sequences, per_token=True)

    class Dev:
        def __init__(self):
            self.sequences = sequences

    tagging = Tagging(TokenTagger(bert(), 5), dev=Dev(), **RECIPE)
    batch = batches.batch(0)
    logits = tagging.outputs(batch)
    known = batch.labels >= 0
    wanted = functional.cross_entropy(logits[known], batch.labels[known])
    assert tagging.loss(batch).item() == pytest.approx(wanted.item(), rel=1e-5)
    outputs = dev_outputs(tagging, batches, torch.device("cpu"))
    assert [len(one) for one in outputs] == [len(one.input_ids) for one in sequences]


def pairs(count=20):
    rng = np.random.default_rng(1)
    made = []
    for number in range(count):
        sides = [[2, *rng.integers(10, 40, rng.integers(1, 9)).tolist(), 3] for _ in range(2)]
        types = [0] * len(sides[0]) + [1] * len(sides[1])
        made.append((sides, LabelledSequence([*sides[0], *sides[1]], types, number / count)))
    return made


@pytest.mark.parametrize("loss", ["cosent", "mse"])
def test_both_texts_are_encoded_apart(loss):
    made = pairs()
    sequences = [sequence for _, sequence in made]
    encoder = TextEncoder(bert()).eval()
    similarity = Similarity(encoder, truth=np.arange(20.0), loss=loss, pad_id=0, **RECIPE | {"layer_scales": {}})
    batch = batches_of(sequences, tokens=400).batch(0)
    cosines = similarity.outputs(batch)
    for row, index in enumerate(batch.index.tolist()):
        vectors = [encoder(torch.tensor([side]), torch.ones(1, len(side)))[0] for side in made[index][0]]
        assert cosines[row].item() == pytest.approx((vectors[0] @ vectors[1]).item(), abs=1e-5)
    labels = batch.labels
    if loss == "mse":
        wanted = ((cosines - labels) ** 2).mean().item()
    else:
        terms = [
            torch.exp(20 * (cosines[j] - cosines[i]))
            for i in range(len(labels))
            for j in range(len(labels))
            if labels[i] > labels[j]
        ]
        wanted = torch.log(1 + sum(terms)).item()
    assert similarity.loss(batch).item() == pytest.approx(wanted, rel=1e-4)
    figures = similarity.figures([np.float32(number) for number in range(20)])
    assert figures["spearman"] == pytest.approx(1.0)
