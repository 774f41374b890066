from itertools import pairwise
from pathlib import Path

import pytest

from bertpipe.text.tokenizer import Tokenizer, train_tokenizer
from bertpipe.text.words import find_words, is_unspaced, units_of

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    files = sorted(DATA.glob("sample_*/*"))
    train_tokenizer((line for file in files for line in file.read_text("utf-8").splitlines()), path, 1600)
    return Tokenizer(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ann went to Oslo.", ["Ann", "went", "to", "Oslo", "."]),
        ('"Well," (he said)...', ['"', "Well", ",", '"', "(", "he", "said", ")", ".", ".", "."]),
        ("don't @ann #tag $5 a-b U.S", ["don't", "@ann", "#tag", "$5", "a-b", "U.S"]),
        ("我在Oslo，2010年。", ["我在", "Oslo", "，", "2010", "年。"]),
        ("  \t\n", []),
        ("!!!", ["!", "!", "!"]),
        ("東京 大阪", ["東京", "大阪"]),
    ],
)
def test_words_of_a_text(text, words):
    assert [text[start:end] for start, end in find_words(text)] == words


def test_scripts_without_spaces():
    assert is_unspaced("你好，")
    assert not is_unspaced("你ok")
    assert not is_unspaced("한국어")  # Korean has spaces


def check(words, tokenizer):
    """Units in order, which say where they are, and hold every piece of the text."""
    units = units_of(words, tokenizer)
    plain = "".join(words)
    assert all(0 <= unit.labelled < len(unit.pieces) for unit in units)
    assert all(before.end <= after.start for before, after in pairwise(units))
    assert units[0].start == 0
    assert units[-1].end == len(plain)
    starts = [sum(map(len, words[:place])) for place in range(len(words) + 1)]
    for unit in units:
        assert starts[unit.word] <= unit.start < starts[unit.word + 1]
    return units


def test_a_word_with_spaces_around_it_is_one_unit(tokenizer):
    words = ["The", "coffeegrindermotor", "hums", ",", "Ann", "!"]
    units = check(words, tokenizer)
    assert [unit.word for unit in units] == list(range(6))
    assert len(units[1].pieces) > 1
    text = [piece for unit in units for piece in unit.pieces]
    assert text == tokenizer.encode(" ".join(words))


def test_a_word_without_spaces_has_a_unit_for_each_piece(tokenizer):
    words = ["加湿器", "怎么", "清洗", "？"]
    units = check(words, tokenizer)
    pieces = tokenizer.encode("".join(words))
    assert [piece for unit in units for piece in unit.pieces] == pieces
    spans = [span for span in tokenizer.encode_offsets("".join(words)) if span[0] < span[1]]
    assert [(unit.start, unit.end) for unit in units] == spans
    assert tokenizer.piece(units[0].pieces[units[0].labelled]) != "▁"


def test_words_of_both_kinds(tokenizer):
    check(["我", "用", "Python", "3", "写", "程序", "。"], tokenizer)
    check(["Ann", "的", "家"], tokenizer)


@pytest.mark.parametrize("odd", ["\u200b", "\ufe0f", "\x07", "🦔", "鱻", "é", "ﬁ", "㍿", "½", "\ud800"])
def test_characters_that_tokenizers_change_or_drop(tokenizer, odd):
    for words in ([odd], ["Ann", odd, "Oslo"], ["我", odd, "家"], [odd, odd], [f"{odd}家"], [f"家{odd}"]):
        units = check(words, tokenizer)
        assert {unit.word for unit in units} == set(range(len(words)))


def test_a_word_that_begins_within_a_piece(tokenizer):
    pieces = (tokenizer.piece(index) for index in range(tokenizer.vocab_size))
    whole = next(
        piece for piece in pieces if len(piece) == 2 and is_unspaced(piece) and len(tokenizer.encode(piece)) < 3
    )
    assert (0, 2) in tokenizer.encode_offsets(whole)
    (unit,) = units_of(list(whole), tokenizer)
    assert (unit.word, unit.start, unit.end) == (0, 0, 2)
