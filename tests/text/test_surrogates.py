import pytest

from bertpipe.text.surrogates import encodable, places_before


def test_halves_become_characters():
    assert encodable("a\ud800b") == "a\ufffdb"
    assert encodable("\ud83d\ude00") == "😀"  # a whole pair is a character
    assert encodable("a😀") == "a😀"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", [0]),
        ("a😀b", [0, 1, 2, 3]),
        ("a\ud83d\ude00b", [0, 1, 3, 4]),
        ("\ud83d\ud83d\ude00😀\ude00", [0, 1, 3, 4, 5]),
        ("\ude00\ud83d", [0, 1, 2]),
    ],
)
def test_where_characters_were(text, places):
    assert places_before(text) == places
    assert len(places) == len(encodable(text)) + 1
