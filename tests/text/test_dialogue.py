from bertpipe.text.dialogue import as_source
from bertpipe.text.sentences import split_sentences


def test_each_turn_stands_on_a_line_of_its_own():
    assert as_source(["Hi.", "Oh,\n  hi."]) == "— Hi.\n— Oh, hi."


def test_a_turn_is_not_joined_to_the_next_by_the_sentence_splitter():
    for turns in (["I went home", "why"], ["我回家了", "为什么"]):
        text = as_source(turns)
        assert [text[start:end] for start, end in split_sentences(text)] == [f"— {turn}" for turn in turns]
