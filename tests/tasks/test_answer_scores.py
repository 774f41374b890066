"""Answers are scored as the programs of SQuAD 1.1, SQuAD 2.0 and CMRC 2018 score them.

The oracles below are written from the published definitions, in another way than the package: words are compared by
sorting, runs are found by trying all of them, thresholds by counting anew at each.
"""

import json
import math
import random
import string
import unicodedata

import numpy as np
import pytest

from bertpipe.errors import InputError
from bertpipe.tasks.answer_scores import answer_values, best_threshold, plain_answer, score_answers
from bertpipe.tasks.mixed_tokens import mixed_tokens


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The  Cat, a dog!", "cat dog"),
        ("an", ""),
        ("the", ""),
        ("...", ""),
        ("theatre", "theatre"),
        ("A-team", "ateam"),  # the mark goes first, and then there is no article
        ("the-cat", "thecat"),
        ("U.S.A.", "usa"),
        ("“quoted” 東京、", "“quoted” 東京、"),  # only ASCII marks go
        ("ＴＨＥ ｃａｔ", "ｔｈｅ ｃａｔ"),
        ("\u3000a\u00a0b\t", "b"),
    ],
)
def test_what_squad_compares(text, plain):
    assert plain_answer(text) == plain


CASES = [  # rules, prediction, answers, exact, F1
    ("squad", "the cat sat", ["a cat", "The Cat Sat!"], 1, 1),
    ("squad", "cat on mat", ["the cat"], 0, 2 * (1 / 3) * 1 / (4 / 3)),
    ("squad", "cat cat", ["cat"], 0, 2 * 0.5 / 1.5),
    ("squad", "", ["cat"], 0, 0),
    ("squad", "the", ["a"], 1, 0),  # nothing is left of both: equal, but there are no words in common
    ("squad2", "the", ["a"], 1, 1),
    ("squad2", "!", [], 1, 1),
    ("squad2", "", [], 1, 1),
    ("squad2", "cat", [], 0, 0),
    ("squad2", "cat", ["the", "cat"], 1, 1),
    ("squad2", "", ["the", "cat"], 0, 0),  # an answer of which nothing is left does not count
    ("squad2", "東京都", ["東京"], 0, 0),
    ("cmrc", "东京都。", ["东京都"], 1, 1),
    ("cmrc", "东京都", ["东京"], 0, 2 * (2 / 3) / (5 / 3)),
    ("cmrc", "东西京", ["东京"], 0, 2 * (1 / 3) * 0.5 / (1 / 3 + 0.5)),  # runs in common, not sequences
    ("cmrc", "1998年", ["1998 年", "1999年"], 0, 1),
    ("cmrc", "《围城》", ["围城"], 1, 1),
    ("cmrc", "", ["围城"], 0, 0),
    ("cmrc", "。", ["，"], 1, 0),
    ("cmrc", "。", [], 1, 1),
    ("cmrc", "x", [], 0, 0),
]


@pytest.mark.parametrize(("rules", "prediction", "answers", "exact", "f1"), CASES)
def test_one_answer(rules, prediction, answers, exact, f1):
    values = answer_values([prediction], [answers], rules)
    assert values["exact"].tolist() == [100 * exact]
    assert values["f1"].tolist() == pytest.approx([100 * f1])


def test_scores():
    predictions = ["the cat", "dog", "", "bird"]
    answers = [["cat"], ["a small dog"], [], []]
    found = score_answers(predictions, answers, rules="squad2")
    scores = {name: score.value for name, score in found.scores.items()}
    assert scores == pytest.approx(
        {
            "exact": 50,
            "f1": (100 + 200 / 3 + 100) / 4,
            "exact_answerable": 50,
            "f1_answerable": (100 + 200 / 3) / 2,
            "exact_impossible": 50,
        }
    )
    assert (found.items, found.impossible, found.empty, found.best) == (4, 2, 1, {})
    for name, score in found.scores.items():
        assert score.interval[0] <= score.value <= score.interval[1], name
    assert json.loads(json.dumps(found.as_json()))["scores"]["f1"]["value"] == 66.67
    assert set(score_answers(["x"], [["x"]], rules="squad").scores) == {"exact", "f1"}
    without = score_answers(predictions, answers, rules="squad2", resamples=0).scores
    assert {name: score.value for name, score in without.items()} == scores
    assert {score.interval for score in without.values()} == {None}
    assert set(score_answers(["x"], [[]], rules="squad2").scores) == {"exact", "f1"}


def test_the_best_threshold_by_hand():
    predictions = ["cat", "dog", "bird", "fish"]
    answers = [["cat"], ["small dog"], [], ["whale"]]
    found = score_answers(predictions, answers, rules="squad2", no_answer=[0.1, -3.0, 0.5, 0.2])
    # Taken in the order dog (F1 2/3), cat (1), fish (0), bird (-1), from the 1 of 4 that is right for saying nothing.
    assert found.best["f1"] == pytest.approx((100 * (1 + 2 / 3 + 1) / 4, 0.1))
    assert found.best["exact"] == pytest.approx((50, 0.1))
    assert json.loads(json.dumps(found.as_json()))["best"]["exact"] == {"value": 50.0, "threshold": 0.1}
    # Where nothing is worth answering, the threshold is 0 as in the official program, and not below all.
    assert best_threshold([0, 0], [1.0, 2.0], [True, False], [False, False]) == (50, 0)


def test_what_cannot_be_scored():
    with pytest.raises(InputError, match="nothing to score"):
        score_answers([], [], rules="squad")
    with pytest.raises(InputError, match=r"question 2 has no answer, which SQuAD 1\.1 does not know"):
        score_answers(["x", "y"], [["x"], []], rules="squad")
    with pytest.raises(ValueError, match="2 predictions do not fit 1 questions"):
        score_answers(["x", "y"], [["x"]], rules="squad")
    with pytest.raises(ValueError, match="no rules 'squad3'"):
        score_answers(["x"], [["x"]], rules="squad3")
    with pytest.raises(ValueError, match="rows of the same length"):
        score_answers(["x"], [["x"]], rules="squad2", no_answer=[1.0, 2.0])
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="no-answer scores are not finite"):
            score_answers(["x"], [["x"]], rules="squad2", no_answer=[bad])


PIECES = [
    "the",
    "The",
    "a",
    "an",
    "AN",
    "cat",
    "Cats",
    "dog.",
    "dog",
    "U.S.",
    "1,000",
    "3.5",
    "50%",
    "-",
    "--",
    "!",
    "?",
]
PIECES += [
    "...",
    "'s",
    "don't",
    '"',
    "东京",
    "北京大学",
    "。",
    "，",
    "《",
    "》",
    "ＡＢＣ",
    "１２３",
    "！",
    "（",
    "）",
    "\u3000",
]
PIECES += [
    "　the",
    "\u00a0",
    "\t",
    "\n",
    "é",
    "É",
    "ß",
    "_",
    "`",
    "…",
    "·",
    "ﬁ",
    "a.",
    ".a",
    "theatre",
    "a-an",
    "",
    " ",
]


def made(count: int, impossible: float, seed: int) -> tuple[list[str], list[list[str]]]:
    """Predictions and answers: near each other, far, empty, of punctuation only, of articles only, of full width."""
    generator = random.Random(seed)

    def text() -> str:
        joint = generator.choice(["", " ", "  "])
        return joint.join(generator.choices(PIECES, k=generator.randint(0, 6)))

    predictions, answers = [], []
    for _ in range(count):
        true = [text() for _ in range(generator.randint(1, 4))] if generator.random() >= impossible else []
        ours = text()
        if true and generator.random() < 0.6:
            words = generator.choice(true).split(" ")
            ours = " ".join(w for w in words if generator.random() < 0.8) + generator.choice(["", ".", "。", " the"])
        predictions.append(generator.choice([ours, ours, ours, "", "!", "the", ours.upper()]))
        answers.append(true)
    return predictions, answers


def squad_words(text: str) -> list[str]:
    """SQuAD's normalisation, word by word: lower, without ASCII punctuation, without articles."""
    kept = "".join(character for character in text.lower() if character not in set(string.punctuation))
    # A word in the sense of a regular expression's \b: a run of letters, digits and underscores.
    words, runs, run = [], [], ""
    for character in f"{kept} ":
        is_word = character == "_" or unicodedata.category(character)[0] in "LN"
        if not is_word:
            runs.append("" if run in ("a", "an", "the") else run)
            runs.append(" " if run in ("a", "an", "the") else "")
            runs.append(character)
            run = ""
        else:
            run += character
    for word in "".join(runs).split():
        words.append(word)
    return words


def squad_oracle(prediction: str, answer: str, version: int) -> tuple[float, float]:
    ours, true = squad_words(prediction), squad_words(answer)
    exact = float(" ".join(ours) == " ".join(true))
    if version == 2 and (ours == [] or true == []):
        return exact, float(ours == true)
    left, same = list(true), 0
    for word in ours:
        if word in left:
            left.remove(word)
            same += 1
    return exact, 0.0 if same == 0 else 2 * same / (len(ours) + len(true))


def cmrc_oracle(prediction: str, answer: str) -> tuple[float, float]:
    marks = "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"
    plain = ["".join(c for c in text.lower().strip() if c not in marks) for text in (prediction, answer)]
    ours, true = mixed_tokens(prediction), mixed_tokens(answer)  # held against NLTK in their own tests
    longest = max(
        (end - start for start in range(len(ours)) for end in range(start + 1, len(ours) + 1)
         if any(true[at : at + end - start] == ours[start:end] for at in range(len(true)))),
        default=0,
    )  # fmt: skip
    return float(plain[0] == plain[1]), 0.0 if longest == 0 else 2 * longest / (len(ours) + len(true))


@pytest.mark.parametrize("rules", ["squad", "squad2", "cmrc"])
def test_a_thousand_random_predictions(rules):
    predictions, answers = made(1000, 0.3 if rules == "squad2" else 0.0, seed=1)
    values = answer_values(predictions, answers, rules)
    seen = set()
    for number, (prediction, true) in enumerate(zip(predictions, answers, strict=True)):
        if rules == "squad2":
            true = [text for text in true if squad_words(text)] or [""]
        pairs = [
            cmrc_oracle(prediction, text)
            if rules == "cmrc"
            else squad_oracle(prediction, text, 1 + (rules == "squad2"))
            for text in true
        ]
        expected = (100 * max(exact for exact, _ in pairs), 100 * max(f1 for _, f1 in pairs))
        assert (values["exact"][number], values["f1"][number]) == pytest.approx(expected), (prediction, true)
        seen.add((expected[0] > 0, 0 < expected[1] < 100))
    assert len(seen) >= 3  # right, half right and wrong ones have been there


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_of_a_thousand_random_predictions(seed):
    predictions, answers = made(1000, 0.5, seed=seed)
    no_answer = np.random.default_rng(seed).normal(size=1000) + [0.0 if texts else 1.0 for texts in answers]
    found = score_answers(predictions, answers, rules="squad2", no_answer=no_answer)
    values = answer_values(predictions, answers, "squad2")
    impossible = np.array([not texts for texts in answers])
    for name, best in found.best.items():
        # SQuAD 2.0's program takes an empty prediction for silence, but one of "!" for an answer, which is wrong there.
        wrong = impossible & np.array([bool(text) for text in predictions])
        worth = np.where(wrong, 0, values[name])
        means = {float(t): float(np.where(no_answer > t, 100 * impossible, worth).mean()) for t in [-9e9, *no_answer]}
        assert best.value == pytest.approx(max(means.values()))
        assert means[best.threshold] == pytest.approx(best.value)


def test_the_threshold_with_equal_scores_is_the_official_program_s():
    """One by one in the order given, even inside of a tie, where no threshold could tell the questions apart."""
    best = best_threshold([100, 0, 100], [1.0, 1.0, 2.0], [True, False, False], [False, False, True])
    assert best == pytest.approx((100, 1.0))
