import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.text.even_parts import even_parts

SENTENCES = (
    "The burrs wear out. Water must not reach them! Brush them once a week. 水箱里的水每天要换。滤芯每月清洗一次。"
)


@given(text=st.text(max_size=200), count=st.integers(1, 20))
def test_parts_are_the_text(text, count):
    parts = even_parts(text, count)
    assert "".join(text[start:end] for start, end in parts) == text
    assert len(parts) == (count if count <= len(text) else 1)
    if count <= len(text):
        assert all(end > start for start, end in parts)
        assert max(end - start for start, end in parts) <= 2 * len(text) / count + 1


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        (SENTENCES, 1, [SENTENCES]),
        ("One two. Three four.", 2, ["One two. ", "Three four."]),
        ("Alpha beta gamma delta", 2, ["Alpha beta ", "gamma delta"]),
        ("abcdef", 3, ["ab", "cd", "ef"]),
        ("水箱里的水每天要换。滤芯每月清洗一次。", 2, ["水箱里的水每天要换。", "滤芯每月清洗一次。"]),
        ("ab", 3, ["ab"]),
        ("", 2, [""]),
    ],
)
def test_parts_begin_with_sentences_or_words(text, count, expected):
    assert [text[start:end] for start, end in even_parts(text, count)] == expected
