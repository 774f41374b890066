import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.retrieval.analysis import analyse
from bertpipe.retrieval.snippet import ELLIPSIS, excerpt, snippet


def columns(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def shown(text, query, width):
    """The snippet with its matches in brackets."""
    found = snippet(text, analyse(query), width)
    marked, last = "", 0
    for start, end in found.spans:
        marked += f"{found.text[last:start]}[{found.text[start:end]}]"
        last = end
    return marked + found.text[last:]


FILLER = "Nothing of interest stands here at all. "


def test_a_short_text_is_shown_whole():
    assert shown("Split  the\n\tstring.", "splitting strings", 40) == "[Split] the [string]."


def test_begins_with_a_sentence():
    text = FILLER * 10 + "You can split a string at spaces. " + FILLER * 10
    assert shown(text, "split strings", 50) == f"{ELLIPSIS}You can [split] a [string] at spaces. Nothing of{ELLIPSIS}"


def test_begins_with_a_word_where_the_sentence_begins_too_far_away():
    text = "word " * 100 + "split it " + "word " * 100
    found = shown(text, "split", 40)
    assert found == f"{ELLIPSIS}word word [split] it word word word word{ELLIPSIS}"


def test_shows_the_most_different_terms():
    text = "One string, another string, a third string. " + FILLER * 5 + "Split the string. " + FILLER * 5
    assert "[Split] the [string]" in shown(text, "split string", 60)


def test_without_a_match_shows_the_beginning():
    assert shown(FILLER * 5, "split", 30) == f"Nothing of interest stands{ELLIPSIS}"
    assert shown(FILLER * 5, "", 30) == f"Nothing of interest stands{ELLIPSIS}"


def test_a_match_near_the_end_fills_the_window():
    text = FILLER * 10 + "Then split it."
    found = snippet(text, analyse("split"), 60)
    assert found.text == f"{ELLIPSIS}{FILLER}Then split it."


def test_chinese_is_cut_between_characters_and_counted_double():
    text = "这里没有什么有意思的东西。" * 10 + "可以用空格分割字符串，然后合并。" + "这里没有什么有意思的东西。" * 10
    found = shown(text, "分割字符串", 40)
    assert found.startswith(f"{ELLIPSIS}可以用空格[分割字符串]，然后合并。")
    assert columns(found) <= 42


def test_a_word_longer_than_the_window_is_cut_through():
    found = snippet("x" * 500, analyse("split"), 20)
    assert found.text == "x" * 19 + ELLIPSIS


def test_drops_what_a_terminal_would_obey():
    assert snippet("a\x1b[31m b\x07\u202ec\ud800", [], 40).text == "a [31m b c\ufffd"


def test_too_narrow():
    with pytest.raises(ValueError, match="9 columns"):
        snippet("text", [], 9)


def test_a_huge_text_takes_no_time():
    found = snippet("split a string " * 100_000, analyse("split string"), 80)
    assert columns(found.text) <= 80


TEXTS = st.text("ab split 字符。.，\n\u0301\t(ﬁ½\ud800\x1b", max_size=300)


@given(TEXTS, st.text("split 字符ab"), st.integers(10, 60))
def test_any_text(text, query, width):
    terms = analyse(query)
    found = snippet(text, terms, width)
    assert columns(found.text) <= width
    assert found.text.isprintable() or not found.text
    assert "  " not in found.text
    last = 0
    for start, end in found.spans:
        assert last <= start < end <= len(found.text)
        last = end
        assert set(terms) & set(analyse(found.text[start:end]))
    inner = found.text.removeprefix(ELLIPSIS).removesuffix(ELLIPSIS)
    assert not inner[:1].isspace()
    assert not inner[-1:].isspace()


@given(TEXTS, st.integers(10, 60))
def test_a_text_with_the_term_shows_it(text, width):
    assert snippet(f"{text} split {text}", analyse("split"), width).spans


@pytest.mark.parametrize("width", [10, 24, 60, 500])
@pytest.mark.parametrize("span", ["beta", "gamma delta", "最后"])
def test_an_excerpt_shows_its_span(width, span):
    text = "First comes alpha. Then\n beta follows.  Third is\tgamma delta, and some more. " * 3 + "最后是中文。"
    start = text.index(span)
    found = excerpt(text, start, start + len(span), width)
    ((first, last),) = found.spans
    assert found.text[first:last] == span or width == 10
    assert "\n" not in found.text
    assert "  " not in found.text
    assert sum(2 if mark > "\u2e7f" else 1 for mark in found.text) <= width


def test_an_excerpt_of_a_span_that_is_wider_than_the_line():
    found = excerpt("word " * 50, 5, 200, 30)
    ((first, last),) = found.spans
    assert 0 <= first < last <= len(found.text) <= 30
