import json

import pytest

from bertpipe.errors import InputError
from bertpipe.text.readers.squad import Answer, Question, SquadReader

CONTEXT = "东京是日本的首都。\r\nTokyo 🗼 is the capital of Japan. Japan\ufeff is an island."


def asked(id="q1", question="What?", answers=(("Tokyo", 11),), **more):
    return {"id": id, "question": question, "answers": [{"text": t, "answer_start": s} for t, s in answers]} | more


def squad(*questions, context=CONTEXT, title="Japan"):
    return {"version": "1.1", "data": [{"title": title, "paragraphs": [{"context": context, "qas": list(questions)}]}]}


@pytest.fixture
def file(tmp_path):
    def write(content, name="a.json"):
        path = tmp_path / name
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def error(path, **options) -> str:
    with pytest.raises(InputError) as caught:
        list(SquadReader(path, **options))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert message.endswith(".")
    assert "--skip-bad" not in message
    return message


def test_questions_with_and_without_answers(file):
    path = file(
        squad(
            asked(answers=[("东京", 0), ("Tokyo", 11)], start_guessed=True),
            asked(7, "  Why? ", [], is_impossible=True, plausible_answers=[{"text": "Japan", "answer_start": 3}]),
        )
    )
    reader = SquadReader(path)
    assert list(reader) == [
        Question("q1", "What?", CONTEXT, "Japan", (Answer("东京", 0), Answer("Tokyo", 11)), False),
        Question("7", "  Why? ", CONTEXT, "Japan", (), True),
    ]
    report = reader.report
    assert (report.questions, report.impossible, report.answers, report.bad_offsets, report.skipped) == (2, 1, 2, 0, 0)


def test_offsets_count_characters_as_they_are_in_the_file(file):
    """A byte order mark or a carriage return in a context, or an emoji, shifts nothing."""
    last = CONTEXT.index("island")
    content = json.dumps(squad(asked(answers=[("island", last)])), ensure_ascii=False)
    for text in (content, "\ufeff" + content, content.replace(",", ",\r\n", 1)):
        (question,) = SquadReader(file(text))
        assert question.answers == (Answer("island", last),)
        assert question.context == CONTEXT


BAD_OFFSETS = {
    "once elsewhere": (("Tokyo", 12), "'Tokyo', does not stand at 12 (there stands 'okyo ')", "Its text stands at 11:"),
    "elsewhere": (("Japan", 0), "(there stands '东京是日本')", "Its text stands in 2 places of the context"),
    "nowhere": (("Kyoto", 11), "(there stands 'Tokyo')", "Its text is nowhere in the context"),
    "before": (("Tokyo", -1), "does not stand at -1 (the context has", "Its text stands at 11"),
    "behind": (("Tokyo", 999), "does not stand at 999 (the context has", "Its text stands at 11"),
    "empty": (("", 3), "answer 1 is empty", "Remove it, or mark the question as impossible."),
    "blank": ((" ", 16), "answer 1 is empty", "Remove it"),
}


@pytest.mark.parametrize("case", BAD_OFFSETS)
def test_a_text_that_stands_elsewhere_is_counted_or_refused_and_never_moved(file, case):
    answer, words, hint = BAD_OFFSETS[case]
    path = file(squad(asked("good"), asked("bad", answers=[answer]), asked("half", answers=[("东京", 0), answer])))
    reader = SquadReader(path)
    assert [(item.id, item.answers) for item in reader] == [
        ("good", (Answer("Tokyo", 11),)),
        ("half", (Answer("东京", 0),)),
    ]
    assert (reader.report.bad_offsets, reader.report.skipped, reader.report.answers) == (2, 1, 2)
    assert f"{path}: question 'bad': answer 1" in reader.report.problems[0]
    assert words in reader.report.problems[0]
    message = error(path, strict=True)
    assert message.startswith(f"{path}: question 'bad': answer 1")
    assert words in message
    assert hint in message


def test_a_question_without_words(file):
    path = file(squad(asked("a", " "), asked("b")))
    reader = SquadReader(path)
    assert [item.id for item in reader] == ["b"]
    assert reader.report.skipped == 1
    assert "question 'a': the question is empty" in error(path, strict=True)
    assert "there is no question to read (1 skipped; the first: " in error(file(squad(asked("a", ""))))


BAD = {
    "empty file": ("", "the file is empty"),
    "broken": ('{"data": [\n{"title": "x",\n', ":3: broken JSON ("),
    "cut off": (json.dumps(squad(asked()))[:-20], ":1: broken JSON ("),
    "NaN": ('{"data": NaN}', "broken JSON (NaN is not a JSON number)"),
    "too deep": ("[" * 100_000, "broken JSON (nested too deeply)"),
    "not UTF-8": (b'{"data": "\xff"}', ":1: broken UTF-8 at byte 11"),
    "UTF-16": ("{}".encode("utf-16"), "the file is UTF-16, not UTF-8"),
    "a list": ([1], "there is no list 'data'. The file has to be {"),
    "no paragraphs": ({"data": [{}]}, "data[0]: there is no list 'paragraphs'"),
    "paragraph": ({"data": [{"paragraphs": ["x"]}]}, "data[0].paragraphs[0]: it is text instead of an object"),
    "no context": ({"data": [{"paragraphs": [{"qas": []}]}]}, "paragraphs[0]: there is no text under 'context'"),
    "context": (squad(asked(), context=" "), "data[0].paragraphs[0]: the context is empty"),
    "title": (squad(asked(), title=3), "data[0]: its title is not text"),
    "no questions": (squad(), "there is no question to read. The file has to be {"),
    "no id": (squad(asked(None)), "data[0].paragraphs[0].qas[0]: the question has no id"),
    "no question": (squad(asked(question=None)), "question 'q1': there is no text under 'question' (it is null)"),
    "no answers": (squad(asked(answers=[])), "question 'q1': it has no answers, and is not marked as impossible"),
    "both": (squad(asked(is_impossible=True)), "question 'q1': it is marked as impossible, but has answers"),
    "flag": (squad(asked(is_impossible="no")), "question 'q1': is_impossible is neither true nor false"),
    "answers": (squad(asked() | {"answers": {}}), "question 'q1': its answers are no list"),
    "answer": (squad(asked() | {"answers": ["x"]}), "question 'q1': answer 1 is text"),
    "no text": (squad(asked(answers=[(None, 1)])), "question 'q1': answer 1 has no text"),
    "no start": (squad(asked(answers=[("x", "1")])), "question 'q1': answer 1 has no place"),
    "two of an id": (squad(asked(), asked()), "the question id 'q1' stands twice"),
    "half a character": (squad(asked(question="\ud800")), "a lone surrogate in the question of question 'q1'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_names_its_place_and_what_to_do(file, case):
    content, words = BAD[case]
    assert words in error(file(content))


def test_a_folder(tmp_path, file):
    file(squad(asked("b")), "b.json")
    file(squad(asked("a")), "a.json")
    file("not read", "c.txt")
    assert [item.id for item in SquadReader(tmp_path)] == ["a", "b"]
    file(squad(asked("a")), "d.json")
    with pytest.raises(InputError, match=r"d\.json: the question id 'a' stands twice \(also in .*a\.json\)"):
        list(SquadReader(tmp_path))
