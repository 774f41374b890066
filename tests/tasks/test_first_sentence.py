import pytest

from bertpipe.tasks.first_sentence import first_sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith came. He left.", "Dr. Smith came."),
        ("今天下雨。明天晴。", "今天下雨。"),
        ("\n\n One sentence\nover two lines. Another.", "One sentence over two lines."),
        ("no stop", "no stop"),
        (" \n", ""),
    ],
)
def test_first_sentence(text, expected):
    assert first_sentence(text) == expected
