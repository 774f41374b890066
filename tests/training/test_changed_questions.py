import re
from dataclasses import replace

import pytest

from bertpipe.text.readers.squad import Answer, Question
from bertpipe.training import changed_questions as changed_questions_module
from bertpipe.training.changed_questions import changed_questions

FILLER = [f"Nothing of note was said about matter {number} on that day." for number in range(90)]
ASKED = [
    (
        "When did Ann Brown build the boat?",
        "Ann Brown built the boat in 1987. Bob Stone had sold her the oak.",
        "1987",
    ),
    ("What did Bob Stone find in 1954?", "In 1954 Bob Stone found a map under a bridge.", "a map"),
    ("In 1931, what was repaired?", "The old mill was repaired in 1931 and in 1944.", "The old mill"),
    ("In 1860, who lived there?", "The house stood empty but for a fisherman in 1860.", "a fisherman"),
    ("松岛何时修建了石桥？", "石桥于一九三一年由松岛修建。", "一九三一年"),
    ("竹原去过哪里？", "竹原曾在江边开办学校，石桥在旁边。", "江边"),
]


def questions():
    for number, (asked, context, answer) in enumerate(ASKED):
        yield Question(str(number), asked, context, "a", (Answer(answer, context.index(answer)),), False)
    for number, context in enumerate(FILLER):
        yield Question(f"f{number}", "?", context, "f", (), True)


def changed(share=1.0, seed=0, some=None):
    return list(changed_questions(list(questions()) if some is None else some, share, seed))


def test_one_stretch_is_exchanged_for_one_of_its_kind(monkeypatch):
    for name in ("CONTRARY", "MADE_UP", "OTHER"):
        monkeypatch.setattr(changed_questions_module, name, 0.0)
    found = {one.id: one for one in changed()}
    originals = {one.id: one for one in questions()}
    assert {name: one.question for name, one in found.items()} == {
        "0, changed": "When did Bob Stone build the boat?",
        "1, changed": "What did Ann Brown find in 1954?",
        "2, changed": "In 1860, what was repaired?",
        "3, changed": "In 1931, who lived there?",
        "4, changed": "竹原何时修建了石桥？",
        "5, changed": "松岛去过哪里？",
    }
    for name, one in found.items():
        before = originals[name.removesuffix(", changed")]
        assert one.impossible
        assert one.answers == ()
        assert (one.context, one.title) == (before.context, before.title)


def test_a_number_becomes_another(monkeypatch):
    monkeypatch.setattr(changed_questions_module, "CONTRARY", 0.0)
    monkeypatch.setattr(changed_questions_module, "MADE_UP", 1.0)
    monkeypatch.setattr(changed_questions_module, "OTHER", 0.0)
    found = {one.id: one.question for one in changed()}
    match = re.fullmatch(r"In (19\d\d), what was repaired\?", found["2, changed"])
    assert match
    assert match[1] != "1931"


def test_the_contrary_is_said_half_of_the_time():
    asked = [
        Question(f"{number}", f"Who was the first owner of mill {number}?", context, "a", answers, False)
        for number in range(400)
        for context in [f"The first owner of mill {number} was Ann."]
        for answers in [(Answer("Ann", context.index("Ann")),)]
    ]
    found = [one.question for one in changed(some=asked)]
    negated = sum("not" in one or "n't" in one for one in found)
    opposed = sum("last" in one for one in found)
    assert 70 < negated < 130
    assert 70 < opposed < 130
    assert not any("not" in one and "last" in one for one in found)


def test_an_opposite_that_the_text_speaks_of_is_left():
    context = "Ann was the first owner of the mill, Bob the last."
    asked = [Question(f"{n}", "Who was the first owner?", context, "a", (Answer("Ann", 0),), False) for n in range(50)]
    assert not any("last" in one.question for one in changed(some=asked))


def test_another_rare_word_is_exchanged_half_of_the_time(monkeypatch):
    """One that need not stand in the text, never a word that many questions have."""
    monkeypatch.setattr(changed_questions_module, "CONTRARY", 0.0)
    pool = ["mended", "painted", "tarred", "loaded", "renamed", "moored"]
    asked = [
        Question(f"{number} {copy}", f"Who {verb} the boat of Bob Stone {number}?", context, "a", answers, False)
        for copy in range(20)
        for number, verb in enumerate(pool)
        for context in [f"Ann worked for Bob Stone {number} on a boat."]
        for answers in [(Answer("Ann", 0),)]
    ]
    fillers = [Question(f"f{number}", f"Who {number}?", text, "f", (), True) for number, text in enumerate(FILLER * 30)]
    found = {one.id.removesuffix(", changed"): one.question.split() for one in changed(some=[*asked, *fillers])}
    assert all(words[0] == "Who" for words in found.values())
    exchanged = [words[1] != one.question.split()[1] for one in asked if (words := found.get(one.id))]
    assert 0.1 < sum(exchanged) / len(asked) < 0.6
    assert {words[1] for words in found.values()} == set(pool)


def test_what_is_changed_depends_on_the_seed_alone():
    many = [
        Question(f"{one.id} {copy}", one.question, one.context, one.title, one.answers, one.impossible)
        for copy in range(40)
        for one in questions()
    ]
    half = changed(0.5, some=many)
    assert half == changed(0.5, some=many)
    assert half != changed(0.5, seed=1, some=many)
    assert 0.3 * len(changed(1.0, some=many)) < len(half) < 0.7 * len(changed(1.0, some=many))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_questions_without_an_answer_are_left_alone(share):
    assert changed(share, some=[one for one in questions() if one.impossible]) == []
    assert changed(0.0) == []


def test_words_that_small_letters_split_are_no_trouble():
    odd = [replace(one, question=f"{one.question} İbrahim ǅ ﬃ ẞ \u0345") for one in questions()]
    assert changed(some=odd)


def test_nothing_to_exchange_it_for():
    alone = next(iter(questions()))
    fillers = [one for one in questions() if one.impossible]
    assert changed(some=[alone, *fillers]) == []
    assert changed(some=[]) == []
