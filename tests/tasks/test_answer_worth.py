import pytest

from bertpipe.tasks.answer_spans import AnswerSpan
from bertpipe.tasks.answer_worth import AnswerWorth


def span(text, score):
    return AnswerSpan(text, 0, 0, len(text), score)


def test_figures():
    worth = AnswerWorth([["in May", "May"], [], ["Bob Brown"], []])
    assert worth.always_empty == 50
    answers = [span("May", 0.9), span("June", 0.2), span("Bob", 0.5), None]
    figures = worth.figures(answers)
    assert figures["answerable_exact"] == 50
    assert figures["answerable_f1"] == pytest.approx(100 * (1 + 2 / 3) / 2)
    assert figures["f1"] == pytest.approx(100 * (3 + 2 / 3) / 4)
    assert figures["mean_f1"] == pytest.approx((figures["f1"] + figures["answerable_f1"]) / 2)
    assert 0.2 < worth.curve(answers).best.threshold < 0.5


def test_a_reader_that_is_never_sure_is_worth_the_empty_answer():
    worth = AnswerWorth([["May"], [], []])
    figures = worth.figures([span("June", 0.9), span("a", 0.8), span("b", 0.7)])
    assert figures["f1"] == pytest.approx(worth.always_empty)
    assert figures["answerable_f1"] == 0


def test_only_unanswerable_questions():
    assert AnswerWorth([[]]).figures([None]) == {
        "mean_f1": 50.0,
        "f1": 100.0,
        "answerable_f1": 0.0,
        "answerable_exact": 0.0,
    }


def test_chinese_answers_are_compared_by_characters():
    worth = AnswerWorth([["北京大学"], ["清华"]])
    assert worth.rules == "cmrc"
    assert worth.f1("北京", ["北京大学"]) == pytest.approx(2 / 3)
    assert AnswerWorth([["Peking"], []]).rules == "squad2"
