import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.tasks.word_tokens import WordTokens, is_chinese


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's a TEST, no. 2!", ["it", "s", "a", "test", "no", "2"]),
        ("snake_case", ["snake", "case"]),
        ("Für die Straße", ["für", "die", "straße"]),
        ("cafe\u0301", ["café"]),
        ("用 Python3 写的。", ["用", "python3", "写", "的"]),
        ("3个GPU", ["3", "个", "gpu"]),
        ("カタカナとkanji漢字", ["カ", "タ", "カ", "ナ", "と", "kanji", "漢", "字"]),
        ("\U00020000𠮷", ["\U00020000", "𠮷"]),
        ("한국어 단어", ["한국어", "단어"]),
        ("Привет, мир", ["привет", "мир"]),
        ("。！？ …", []),
        ("", []),
    ],
)
def test_words(text, words):
    assert WordTokens().tokenize(text) == words


@given(st.text(st.characters(codec="ascii")))
def test_ascii_is_split_as_rouge_score_does(text):
    tokenizers = pytest.importorskip("rouge_score.tokenizers")
    assert WordTokens().tokenize(text) == tokenizers.DefaultTokenizer().tokenize(text)


@pytest.mark.parametrize(
    ("texts", "chinese"),
    [
        (["你好。"], True),
        (["Hello", "你好"], False),
        (["用 git 提交代码"], True),
        (["用 Python 写"], False),
        (["ひらがなばかり漢字"], False),
        (["123 !?"], False),
        ([], False),
    ],
)
def test_chinese_is_told_by_its_letters(texts, chinese):
    assert is_chinese(texts) is chinese
