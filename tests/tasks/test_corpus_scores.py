from __future__ import annotations

import json
import random

import numpy as np
import pytest

from bertpipe.tasks.corpus_scores import bleu, chrf

metrics = pytest.importorskip("sacrebleu.metrics")

WORDS = ["the", "cat", "dog", "sat", "ran", "on", "under", "mat", "tree", "quickly", "slowly", "."]


@pytest.fixture(scope="module")
def corpus() -> tuple[list[str], list[list[str]]]:
    """Predictions with a fifth of the words changed, and one or two references for each."""
    generator = random.Random(0)
    predictions, references = [], []
    for number in range(200):
        text = generator.choices(WORDS, k=generator.randint(5, 15))
        predictions.append(" ".join(generator.choice(WORDS) if generator.random() < 0.2 else word for word in text))
        references.append([" ".join(text), " ".join(reversed(text))][: 1 + number % 2])
    return predictions, references


def streams(references):
    return [[texts[0] for texts in references], [texts[1] if len(texts) > 1 else None for texts in references]]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(lambda *data, **how: bleu(*data, chinese=False, **how), "BLEU"), (chrf, "CHRF")],
    ids=["bleu", "chrf"],
)
def test_the_score_is_sacrebleu_s_and_the_interval_agrees_with_its(corpus, ours, theirs):
    predictions, references = corpus
    found = ours(predictions, references, seed=3, resamples=4000)
    metric = getattr(metrics, theirs)()
    score = metric.corpus_score(predictions, streams(references), n_bootstrap=4000)
    told = json.loads(score.format(width=6, signature=str(metric.get_signature()), is_json=True))
    assert found.value == score.score
    half = told["confidence_var"]
    assert half > 0.5
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)
    assert (found.high + found.low) / 2 == pytest.approx(told["confidence_mean"], abs=0.1 * half)
    assert found.low < found.value < found.high
    assert "nrefs:var" in found.signature


def test_the_interval_is_that_of_resampled_corpora(corpus):
    """Drawing the items themselves and scoring each corpus anew gives the same spread."""
    predictions, references = corpus
    found = bleu(predictions, references, chinese=False, seed=0)
    generator = np.random.default_rng(1)
    scores = []
    for _ in range(100):
        drawn = generator.integers(len(predictions), size=len(predictions))
        again = streams([references[place] for place in drawn])
        scores.append(metrics.BLEU(force=True).corpus_score([predictions[place] for place in drawn], again).score)
    assert np.std(scores) == pytest.approx((found.high - found.low) / (2 * 1.96), rel=0.25)


def test_the_interval_is_a_function_of_the_seed(corpus, monkeypatch):
    first = chrf(*corpus, seed=1, resamples=50)
    assert chrf(*corpus, seed=2, resamples=50)[1:3] != first[1:3]
    # Smaller blocks draw the same.
    monkeypatch.setattr("bertpipe.tasks.corpus_scores._COUNTED_AT_ONCE", 700)
    assert chrf(*corpus, seed=1, resamples=50) == first


def test_a_few_items_some_without_a_match():
    """sacrebleu's own bootstrap raises a TypeError here."""
    found = chrf(["a  b", "c", "x"], [["a b"], ["y"], ["z"]], seed=0)
    assert 0 == found.low < found.value < found.high <= 100


def test_chinese_is_taken_apart():
    text, other = "今天下雨我们去看电影", "今天下雨我们不去看电影"
    assert bleu([text], [[other]], chinese=True, seed=0).value > 50
    assert bleu([text], [[other]], chinese=False, seed=0).value < 1
    assert "tok:zh" in bleu([text], [[other]], chinese=True, seed=0).signature
