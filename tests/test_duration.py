import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("4m", 240), ("1h30m", 5400), ("1.5h", 5400), ("2D", 172800), (" 1m 5s ", 65)],
)
def test_lengths_of_time(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "4", "m", "4x", "0s", "-3m", "4m3", "1h,30m"])
def test_not_a_length_of_time(text):
    with pytest.raises(ValueError, match="is not a length of time"):
        parse_duration(text)


@given(st.integers(1, 10_000_000))
def test_written_and_read_again(seconds):
    assert parse_duration(format_duration(seconds)) == seconds
