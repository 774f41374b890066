import itertools

import numpy as np
import pytest

from bertpipe.tasks.answer_spans import WindowLogits, best_answers

TEXT = "Ann met Bob in May, and Eve in June."
WORDS = [(0, 3), (4, 7), (8, 11), (12, 14), (15, 18), (20, 23), (24, 27), (28, 30), (31, 35)]


def window(logits, *, passage=0, null=0.0, places=WORDS, own=None):
    rows = np.asarray(logits, dtype=np.float32)
    mine = np.ones(len(rows), dtype=bool) if own is None else np.array(own)
    return WindowLogits(passage, rows, null, np.array(places)[: len(rows)], mine)


def random_window(seed, **more):
    return window(np.random.default_rng(seed).normal(size=(len(WORDS), 2)) * 2, **more)


def by_hand(windows, priors, longest):
    """Every span's share of exp(odds), with 1 for no answer."""
    odds = {}
    for number, one in enumerate(windows):
        for first, last in itertools.product(range(len(one.logits)), repeat=2):
            if 0 <= last - first < longest:
                value = one.logits[first, 0] + one.logits[last, 1] - one.null + priors[one.passage]
                odds[number, first, last] = float(np.exp(np.float64(value)))
    return odds, 1 + sum(odds.values())


def test_the_best_answer_is_the_best_span_of_all_passages():
    windows = [random_window(0, null=1.0), random_window(1, passage=1, null=-1.0), random_window(2, passage=2)]
    priors = [0.0, -1.5, 0.5]
    odds, whole = by_hand(windows, priors, 4)
    (number, first, last), value = max(odds.items(), key=lambda item: item[1])
    found = best_answers(windows, [TEXT] * 3, longest=4, priors=priors, k=1)[0]
    text = TEXT[WORDS[first][0] : WORDS[last][1]]
    assert (found.text, found.passage, found.start) == (text, number, WORDS[first][0])
    assert found.score >= value / whole - 1e-9
    assert found.score <= 1 - 1 / whole + 1e-9


def test_scores_are_shares_of_all_spans_and_no_answer():
    """One word, so that no other span overlaps with it."""
    one = window([[2.0, 1.0]], null=0.5)
    assert best_answers([one], [TEXT], longest=5)[0].score == pytest.approx(np.exp(2.5) / (1 + np.exp(2.5)))


def test_a_model_that_adds_a_constant_to_all_logits_of_a_window_says_the_same():
    plain = [random_window(3), random_window(4, passage=1)]
    other = [plain[0], window(plain[1].logits + 5, passage=1, null=10.0)]
    want = best_answers(plain, [TEXT] * 2, longest=4)
    got = best_answers(other, [TEXT] * 2, longest=4)
    assert [one.text for one in got] == [one.text for one in want]
    assert [one.score for one in got] == pytest.approx([one.score for one in want], abs=1e-6)


def test_no_answer_is_longer_than_allowed_nor_runs_backwards():
    logits = np.zeros((9, 2))
    logits[8, 0] = logits[0, 1] = 50  # the best start behind the best end
    logits[3, 0], logits[8, 1] = 40, 40  # far apart
    found = best_answers([window(logits)], [TEXT], longest=3, k=50)
    assert all(len(one.text.split()) <= 3 for one in found)
    assert found[0].text == "June"
    assert all(one.end > one.start for one in found)


def test_the_prior_of_a_passage_decides_between_equal_answers():
    windows = [random_window(5), random_window(5, passage=1)]
    texts = [TEXT, TEXT.upper().replace("A", "E").replace("O", "U")]
    assert best_answers(windows, texts, longest=3, priors=[0.0, 1.0], k=1)[0].passage == 1
    assert best_answers(windows, texts, longest=3, priors=[1.0, 0.0], k=1)[0].passage == 0


def test_equal_answers_are_one_with_both_probabilities():
    logits = np.full((1, 2), 1.0)
    same = [window(logits), window(logits, passage=1)]
    found = best_answers(same, ["Ann", "ＡＮＮ"], longest=1)
    assert [(one.text, one.passage) for one in found] == [("Ann", 0)]
    assert found[0].score == pytest.approx(2 * np.exp(2) / (1 + 2 * np.exp(2)))


def test_overlapping_answers_are_one():
    logits = np.full((9, 2), -9.0)
    logits[3, 0], logits[4] = 2.0, 3.0  # "in May" and "May"
    found = best_answers([window(logits)], [TEXT], longest=3, k=9)
    assert sum("May" in one.text for one in found) == 1


def test_pieces_shared_by_two_windows_count_once():
    logits = np.zeros((9, 2))
    whole = window(logits)
    halves = [
        window(logits[:6], own=[True] * 4 + [False] * 2),
        window(logits[2:], places=WORDS[2:], own=[False] * 2 + [True] * 5),
    ]
    one = best_answers([whole], [TEXT], longest=1, k=9)
    two = best_answers(halves, [TEXT], longest=1, k=9)
    assert {a.text: a.score for a in two} == pytest.approx({a.text: a.score for a in one})


def test_space_around_a_piece_is_no_part_of_an_answer():
    found = best_answers([window([[1.0, 1.0]], places=[(3, 8)])], [TEXT], longest=1)
    assert (found[0].text, found[0].start, found[0].end) == ("met", 4, 7)
    assert best_answers([window([[1.0, 1.0]], places=[(3, 4)])], [TEXT], longest=1) == []


def test_nothing_to_read():
    assert best_answers([], [], longest=3) == []
    assert best_answers([window(np.empty((0, 2)))], [""], longest=3) == []


def test_certainty_does_not_overflow():
    found = best_answers([window([[1e4, 1e4]], null=-1e4)], [TEXT], longest=1)
    assert found[0].score == pytest.approx(1.0)
    assert best_answers([window([[-1e4, -1e4]])], [TEXT], longest=1)[0].score == pytest.approx(0.0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_broken_model_is_not_taken_for_a_sure_one(bad):
    with pytest.raises(ValueError, match="finite"):
        best_answers([window([[bad, 0.0]])], [TEXT], longest=1)
    with pytest.raises(ValueError, match="finite"):
        best_answers([window([[0.0, 0.0]], null=bad)], [TEXT], longest=1)
