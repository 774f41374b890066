import numpy as np
import pytest

from bertpipe.tasks.rouge import rouge_signature, rouge_values

rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")


def test_by_hand():
    # Chinese characters are words: 4 of 4 and 4 of 5 for ROUGE-1; "天下" is the only pair that both have.
    values = rouge_values(["今天下雨"], [["天下雨今天"]])
    assert values["rouge1"][0] == pytest.approx(100 * 2 * 4 / (4 + 5))
    assert values["rouge2"][0] == pytest.approx(100 * 2 * 3 / (3 + 4))
    assert values["rougeL"][0] == pytest.approx(100 * 2 * 3 / (4 + 5))


def test_ascii_scores_are_those_of_rouge_score():
    predictions = ["The cat sat on the mat.", "A dog!", "", "We propose a model, and test it."]
    references = [
        ["The cat is on the mat.", "A cat sits there."],
        ["Two dogs"],
        ["Nothing was written"],
        ["We test a model", "A model is proposed and tested", "it"],
    ]
    values = rouge_values(predictions, references)
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])
    for name, found in values.items():
        expected = [
            100 * scorer.score_multi(texts, text)[name].fmeasure
            for text, texts in zip(predictions, references, strict=True)
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert values["rouge1"][2] == 0


def test_the_best_reference_counts():
    worse, better = rouge_values(["a b c d"] * 2, [["a x y z"], ["a x y z", "a b c x"]])["rouge1"]
    assert (worse, better) == pytest.approx((25, 75))


def test_the_signature_names_the_version():
    assert "version:rouge-score-" in rouge_signature()
