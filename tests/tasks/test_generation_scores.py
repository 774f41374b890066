from __future__ import annotations

import json
import math
import random
import sys

import pytest

from bertpipe.errors import BertpipeError, InputError
from bertpipe.tasks.bootstrap import bootstrap_interval
from bertpipe.tasks.estimate import Estimate
from bertpipe.tasks.generation_scores import score_generation
from bertpipe.tasks.rouge import rouge_values

WORDS = ["the", "a", "cat", "dog", "sat", "ran", "on", "under", "mat", "tree", ",", ".", "quickly", "slowly"]
CHARACTERS = "今天下雨明晴我们去看电影吧，。"


def noisy(texts: list[list[str]], generator: random.Random, joint: str) -> list[str]:
    """The texts with a fifth of the words changed."""
    return [joint.join(generator.choice(text) if generator.random() < 0.2 else word for word in text) for text in texts]


def made(words, joint: str, count: int = 60) -> tuple[list[str], list[str]]:
    generator = random.Random(0)
    texts = [generator.choices(words, k=generator.randint(5, 15)) for _ in range(count)]
    return noisy(texts, generator, joint), [joint.join(text) for text in texts]


ENGLISH, CHINESE = made(WORDS, " "), made(CHARACTERS, "")


@pytest.fixture(autouse=True)
def libraries():
    pytest.importorskip("sacrebleu")
    pytest.importorskip("rouge_score")


@pytest.mark.parametrize(("data", "tokenize", "language"), [(ENGLISH, "13a", "other"), (CHINESE, "zh", "zh")])
def test_bleu_and_chrf_are_sacrebleu_s(data, tokenize, language):
    from sacrebleu.metrics import BLEU, CHRF

    predictions, references = data
    found = score_generation(predictions, references)
    assert found.language == language
    for name, metric in (("bleu", BLEU(tokenize=tokenize)), ("chrf", CHRF())):
        expected = metric.corpus_score(predictions, [references])
        assert found.scores[name].value == expected.score
        assert 20 < expected.score < 95
    assert f"tok:{tokenize}" in found.signatures["bleu"]
    assert "nrefs:1|" in found.signatures["bleu"]
    # The other tokenizer gives another score, so the choice matters.
    other = score_generation(predictions, references, language="other" if language == "zh" else "zh")
    assert abs(other.scores["bleu"].value - found.scores["bleu"].value) > 0.5 or language == "other"


def test_several_references_of_different_number():
    from sacrebleu.metrics import BLEU

    predictions = ["the cat sat on the mat", "a dog ran under the tree", "so it is"]
    references = [["a cat sat on a mat", "the cat sat there on the mat"], ["the dog ran under a tree"], ["so is it"]]
    found = score_generation(predictions, references)
    streams = [[texts[0] for texts in references], [references[0][1], None, None]]
    assert found.scores["bleu"].value == BLEU().corpus_score(predictions, streams).score
    assert "nrefs:var" in found.signatures["bleu"]
    assert (found.items, found.references) == (3, 4)
    one = score_generation(predictions, [texts[0] for texts in references])
    assert one.scores["bleu"].value < found.scores["bleu"].value
    assert one.scores["rougeL"].value < found.scores["rougeL"].value


def test_means_have_the_interval_of_their_items():
    found = score_generation(*CHINESE, seed=3)
    values = rouge_values(CHINESE[0], [[text] for text in CHINESE[1]])["rougeL"]
    assert found.scores["rougeL"] == Estimate(float(values.mean()), bootstrap_interval(values, 3))


def test_exact_matches_up_to_white_space():
    found = score_generation(["a  b", "c", "D", "x"], [["a b"], ["y", "c "], ["d"], ["x y"]])
    assert found.scores["exact"].value == 50
    low, high = found.scores["exact"].interval
    assert 0 <= low < 50 < high <= 100


def test_distinct_counts_the_words_of_the_predictions():
    found = score_generation(["I don't know.", "I know!"], ["x", "y"])
    # i don t know i know: 4 different of 6; "i don", "don t", "t know", "i know".
    assert found.scores["distinct1"] == Estimate(pytest.approx(100 * 4 / 6))
    assert found.scores["distinct2"] == Estimate(pytest.approx(100 * 4 / 6))


def test_perfect_and_empty_predictions():
    texts = ["the cat sat on the mat", "a dog ran under the tree"]
    perfect = score_generation(texts, texts)
    for name in ("bleu", "chrf", "rouge1", "rouge2", "rougeL", "exact"):
        assert perfect.scores[name].value == pytest.approx(100)
        assert perfect.scores[name].interval == pytest.approx((100, 100))
    nothing = score_generation(["", " "], texts)
    assert nothing.empty == 2
    for score in nothing.scores.values():
        assert score.value == 0
        assert score.interval in (None, (0, 0))


def test_the_result_is_a_function_of_the_arguments(monkeypatch):
    first = score_generation(*ENGLISH, seed=1)
    monkeypatch.setenv("SACREBLEU_SEED", "99")
    assert score_generation(*ENGLISH, seed=1) == first
    other = score_generation(*ENGLISH, seed=2)
    for name in ("bleu", "chrf", "rouge1"):
        assert other.scores[name].value == first.scores[name].value
        assert other.scores[name].interval != first.scores[name].interval


def test_as_json():
    found = score_generation(*CHINESE).as_json()
    assert json.loads(json.dumps(found)) == found
    assert list(found) == ["items", "references", "empty", "language", "scores", "signatures"]
    assert set(found["scores"]["bleu"]) == {"value", "low", "high"}
    assert set(found["scores"]["distinct1"]) == {"value"}
    assert found["scores"]["bleu"]["low"] <= found["scores"]["bleu"]["value"] <= found["scores"]["bleu"]["high"]


@pytest.mark.parametrize(
    ("predictions", "references", "words"),
    [
        ([], [], "there is nothing to score"),
        (["a", "b"], ["a"], "2 predictions do not fit 1 references"),
        (["a"], [], "1 predictions do not fit 0"),
        (["a", "b"], ["a", []], "prediction 2 has no reference"),
        (["a", "b"], ["a", " \n"], "the reference of prediction 2 is empty"),
        (["a"], [["b", ""]], "the reference of prediction 1 is empty"),
        (["a", math.nan], ["a", "b"], r"prediction 2 is not text \(it is nan\)"),
        (["a", None], ["a", "b"], r"prediction 2 is not text \(it is None\)"),
        (["a"], [[math.nan]], r"the reference of prediction 1 is not text \(it is nan\)"),
    ],
)
def test_what_cannot_be_scored_is_refused(predictions, references, words):
    with pytest.raises(InputError, match=words):
        score_generation(predictions, references)


@pytest.mark.parametrize("missing", ["sacrebleu", "rouge_score"])
def test_a_missing_library_says_how_to_install_it(monkeypatch, missing):
    for name in [name for name in sys.modules if name.split(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(BertpipeError, match=r"pip install bertpipe\[evaluate\]"):
        score_generation(["a"], ["b"])
