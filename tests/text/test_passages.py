from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.text.passages import Window, document_windows, passage_windows
from bertpipe.text.sentences import split_sentences
from bertpipe.text.sequences import passage_sequence
from bertpipe.text.tokenizer import Tokenizer, train_tokenizer


class Characters:
    """A tokenizer whose pieces are characters; white space belongs to the piece after it."""

    def encode_batch(self, texts):
        return [[7] * len(self.encode_offsets(text)) for text in texts]

    def encode_offsets(self, text):
        offsets, start = [], 0
        for end, character in enumerate(text, 1):
            if not character.isspace():
                offsets.append((start, end))
                start = end
        return offsets


CHARACTERS = Characters()


def tokens(text):
    return len(CHARACTERS.encode_batch([text])[0])


def texts(text, *arguments, tokenizer=CHARACTERS):
    return [text[window.start : window.end] for window in passage_windows(text, tokenizer, *arguments)]


def test_windows_are_filled_with_whole_sentences():
    assert texts("Aa bb. Cc dd. Ee ff. Gg hh.", 10) == ["Aa bb. Cc dd.", "Ee ff. Gg hh."]
    assert texts("Aa bb. Cc dd. Ee ff. Gg hh.", 14) == ["Aa bb. Cc dd.", "Ee ff. Gg hh."]
    assert texts("Aa bb. Cc dd. Ee ff. Gg hh.", 15) == ["Aa bb. Cc dd. Ee ff.", "Gg hh."]
    assert texts("Aa bb.", 100) == ["Aa bb."]
    assert texts("水箱要每天换水。滤芯每月清洗。不要用热水。", 15) == ["水箱要每天换水。滤芯每月清洗。", "不要用热水。"]


def test_overlap_repeats_the_last_sentences():
    text = "Aa bb. Cc dd. Ee ff. Gg hh."
    assert texts(text, 10, 5) == ["Aa bb. Cc dd.", "Cc dd. Ee ff.", "Ee ff. Gg hh."]
    assert texts(text, 10, 4) == ["Aa bb. Cc dd.", "Ee ff. Gg hh."]  # no whole sentence is that short
    assert texts(text, 15, 10) == ["Aa bb. Cc dd. Ee ff.", "Cc dd. Ee ff. Gg hh."]


def test_an_overlap_gives_way_to_a_long_sentence():
    assert texts("Aa bb. Cccccccc dd. Ee.", 11, 5) == ["Aa bb.", "Cccccccc dd.", "Ee."]


def test_a_long_sentence_is_cut_at_spaces():
    assert texts("aaaa bbbb cccc dddd eeee", 9) == ["aaaa bbbb", "cccc dddd", "eeee"]
    assert texts("aaaa bbbbbbbb cccc", 10) == ["aaaa bbbbbb", "bb cccc"]  # the space is too far back


def test_text_without_breaks_is_cut_anywhere():
    # All but the first have room for the mark that a tokenizer puts before a text.
    assert texts("x" * 25, 10) == ["x" * 10, "x" * 9, "x" * 6]
    assert texts("水" * 25, 10) == ["水" * 10, "水" * 9, "水" * 6]


@pytest.mark.parametrize("text", ["", " ", "\n\n\t  \n", "\u3000\u00a0"])
def test_white_space_has_no_windows(text):
    assert texts(text, 10) == []


@pytest.mark.parametrize(("limit", "overlap"), [(10, 10), (10, -1), (1, 1), (0, 0)])
def test_impossible_overlaps(limit, overlap):
    with pytest.raises(ValueError, match="does not fit"):
        texts("a", limit, overlap)


words = st.text(st.sampled_from("ab,.!? \n\t水。！　é😀"), max_size=120)


@given(text=words, limit=st.integers(1, 30), share=st.floats(0, 0.99))
def test_windows_of_any_text(text, limit, share):
    overlap = int(share * limit)
    windows = list(passage_windows(text, CHARACTERS, limit, overlap))
    for window in windows:
        passage = text[window.start : window.end]
        assert passage == passage.strip() != ""
        assert tokens(passage) <= limit
    for before, after in pairwise(windows):
        assert before.start < after.start
        assert before.end < after.end
        assert tokens(text[after.start : before.end]) <= overlap
    covered = {place for window in windows for place in range(window.start, window.end)}
    for start, end in split_sentences(text):
        assert covered.issuperset(place for place in range(start, end) if not text[place].isspace())
        if tokens(text[start:end]) <= limit:
            assert any(window.start <= start and end <= window.end for window in windows)


def test_the_title_takes_its_room():
    text = "Aa bb. Cc dd. Ee ff. Gg hh."
    # 20 tokens: three special pieces, a title of 2, and 15 of text.
    assert list(document_windows("xx", text, CHARACTERS, 20)) == list(passage_windows(text, CHARACTERS, 15))
    assert list(document_windows("", text, CHARACTERS, 20)) == list(passage_windows(text, CHARACTERS, 17))
    # A long title is cut to half of the passage.
    assert list(document_windows("x" * 99, text, CHARACTERS, 30)) == list(passage_windows(text, CHARACTERS, 12))
    assert list(document_windows("x" * 99, text, CHARACTERS, 200)) == [Window(0, len(text))]


def test_an_overlap_too_large_for_a_window_is_halved():
    text = "Aa bb. Cc dd. Ee ff. Gg hh."
    assert list(document_windows("", text, CHARACTERS, 18, 99)) == list(passage_windows(text, CHARACTERS, 15, 7))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("passages") / "tokenizer.model"
    lines = [text[start:end] for text in samples.values() for start, end in split_sentences(text)]
    train_tokenizer(lines, path, 1500)
    return Tokenizer(path)


@pytest.mark.parametrize("text", ["龘" * 300, "😀" * 100, "x" * 700, "http://a.b/" + "%20abc" * 90, "ｱｲｳ" * 90])
def test_words_without_end_fit_as_well(tokenizer, text):
    lengths = [
        len(tokenizer.encode(text[window.start : window.end])) for window in passage_windows(text, tokenizer, 21)
    ]
    assert max(lengths) <= 21
    assert sum(lengths) >= len(tokenizer.encode(text))


@pytest.mark.parametrize(("limit", "overlap"), [(24, 0), (48, 0), (48, 12)])
def test_the_encoder_reads_all_of_every_passage(tokenizer, samples, limit, overlap):
    count = 0
    for name, text in samples.items():
        title, table = name.rpartition("/")[2], text.replace("\n", " | ").replace(". ", " ")
        for body in (text, table):  # sentences, and what has none
            for window in document_windows(title, body, tokenizer, limit, overlap):
                ids = tokenizer.encode(body[window.start : window.end])
                assert (
                    passage_sequence(tokenizer.encode(title), ids, limit, tokenizer.special)[-len(ids) - 1 : -1] == ids
                )
                count += 1
    assert count > 500


@given(text=st.text(st.characters(), max_size=80), limit=st.integers(1, 20))
def test_no_character_is_lost(tokenizer, text, limit):
    covered = {place for window in passage_windows(text, tokenizer, limit) for place in range(window.start, window.end)}
    for start, end in split_sentences(text):
        assert covered.issuperset(place for place in range(start, end) if not text[place].isspace())
