import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bertpipe.retrieval import analysis
from bertpipe.retrieval.analysis import LONGEST_WORD, analyse, matching_spans


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Splitting strings, SPLIT String!", ["split", "string", "split", "string"]),
        ("str.split", ["str", "split", "strsplit"]),
        ("os.path.join", ["os", "path", "join", "ospathjoin", "pathjoin"]),
        ("foo_bar", ["foo", "bar", "foobar"]),
        ("fooBar", ["foo", "bar", "foobar"]),
        ("foo-bar", ["foo", "bar", "foobar"]),
        ("collections.OrderedDict", ["collect", "order", "dict", "ordereddict", "collectionsordereddict"]),
        ("HTTPServer", ["http", "server", "httpserver"]),
        ("__init__", ["init", "__init__"]),
        ("utf-8 UTF8", ["utf", "8", "utf8", "utf8"]),
        ("3.11", ["3", "11", "3.11"]),
        ("C++ and C#", ["c++", "and", "c#"]),
        ("the user’s", ["the", "user"]),
        ("user's", ["user"]),
        ("straße STRASSE", ["strass", "strass"]),
        ("ｆｏｏ ﬁne ㎞", ["foo", "fine", "km"]),
        ("infor\u00admation", ["inform"]),
        ("हिन्दी", ["हिन्दी"]),
        ("字符串", ["字", "符", "串", "字符", "符串"]),
        ("用Python写", ["用", "python", "写"]),
        ("東京タワー・塔", ["東", "京", "タ", "ワ", "ー", "東京", "京タ", "タワ", "ワー", "塔"]),
        ("ｶﾞ 한국", ["ガ", "한", "국", "한국"]),
        ("𠮷野", ["𠮷", "野", "𠮷野"]),
        ("", []),
        (" \t\n\0\x1b ... ,;!?，。！？… ____ -- ''", []),
        ("a\ud800b", ["a", "b"]),
    ],
)
def test_terms(text, terms):
    assert sorted(analyse(text)) == sorted(terms)


def test_spellings_of_a_name_meet_in_one_term():
    spellings = ["foo_bar", "fooBar", "FooBar", "foo-bar", "foo.bar", "FOO_BAR", "foobar", "FOOBAR"]
    assert set.intersection(*(set(analyse(one)) for one in spellings)) == {"foobar"}


def test_a_qualified_name_is_found_by_its_tail():
    assert "pathjoin" in analyse("path.join")
    assert "pathjoin" in analyse("posix.path.join")


def test_repetitions_are_kept():
    assert analyse("b a b") == ["b", "a", "b"]


def test_the_cache_is_bounded_and_does_not_change_terms(monkeypatch):
    monkeypatch.setattr(analysis, "_CACHED_WORDS", 5)
    monkeypatch.setattr(analysis, "_cache", {})
    words = [f"word{number}s.part" for number in range(50)]
    first = [analyse(word) for word in words]
    assert len(analysis._cache) <= 5
    assert [analyse(word) for word in words] == first


@given(st.text())
@example("\ud800\udfff\x00")
def test_terms_are_short_and_hold_no_white_space(text):
    for term in analyse(text):
        assert term
        assert not term.isspace()
        assert len(term.split()) == 1
        assert len(term) <= 4 * LONGEST_WORD  # case folding can lengthen a character
        term.encode()  # no lone surrogate


@given(st.text())
def test_normal_forms_of_a_text_have_the_same_terms(text):
    expected = analyse(text)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert analyse(unicodedata.normalize(form, text)) == expected


@pytest.mark.parametrize(
    "piece", ["a", "aB", "a.", "a_", "_", "中", "\u0301", "e\u0301", "-", "a\u00ad", "1.", "x ", "\ud800", "ｶﾞ"]
)
def test_a_word_without_end_takes_linear_time(piece):
    text = piece * (200_000 // len(piece))
    begin = time.process_time()
    analyse(text)
    assert time.process_time() - begin < 3


def marked(text, query):
    return [text[start:end] for start, end in matching_spans(text, analyse(query))]


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("Use str.split, or splitting.", "str.split", ["str.split", "splitting"]),
        ("Use str.split, or splits.", "split", ["split", "splits"]),
        ("fooBar foo_bar foobar bar", "fooBar", ["fooBar", "foo_bar", "foobar", "bar"]),
        ("os.path.join", "path.join", ["path.join"]),
        ("the ﬁne ㎞ end", "fine km", ["ﬁne", "㎞"]),
        ("e\u0301te\u0301, Ｓｐｌｉｔ", "été split", ["e\u0301te\u0301", "Ｓｐｌｉｔ"]),
        ("½", "1 2", ["½"]),
        ("用字符串的分割，字母", "字符串", ["字符串"]),
        ("一串字", "字", ["字"]),
        ("一串字母", "字 母亲", ["字"]),
        ("ｶﾞｽ", "ガス", ["ｶﾞｽ"]),
        ("infor\u00admation", "information", ["infor\u00admation"]),
        ("a list of the lists", "a list of the", ["list", "lists"]),
        ("to be or not", "not to be", ["to", "be", "not"]),
        ("nothing here", "", []),
        ("", "split", []),
    ],
)
def test_spans(text, query, found):
    assert marked(text, query) == found


MIXED = "aZ1. _中文，。ｶﾞﾟㇵ㎞½ﬁ①かßİe"
MIXED += "\u0301\u0327\u0323\u0344\u1100\u1161\u11a8가각\u09c7\u09be\u0f71\u0f72\u302a\u3099\ud800"


@given(st.text(MIXED))
@example("\u1100\u1161\u11a8")
@example("\u09c7\u09be")
@example("a\u0323\u0301")
def test_offsets_follow_the_normal_form(text):
    normal, starts, ends = analysis._nfkc_with_offsets(text)
    assert normal == unicodedata.normalize("NFKC", text)
    assert len(normal) == len(starts) == len(ends)
    assert list(starts) == sorted(starts)
    for character, start, end in zip(normal, starts, ends, strict=True):
        assert character in unicodedata.normalize("NFKC", text[start:end])


@given(st.text())
def test_offsets_follow_the_normal_form_of_any_text(text):
    assert analysis._nfkc_with_offsets(text)[0] == unicodedata.normalize("NFKC", text)


@given(st.text(MIXED), st.text(MIXED))
def test_spans_are_in_order_and_show_sought_terms(text, query):
    terms = set(analyse(query))
    last = 0
    for start, end in matching_spans(text, terms):
        assert last <= start < end <= len(text)
        last = end
        assert terms & set(analyse(text[start:end]))


@given(st.text(MIXED, min_size=1))
def test_a_text_with_terms_shows_itself(text):
    assert bool(matching_spans(text, analyse(text))) == bool(analyse(text))
