import json
from datetime import UTC, datetime, timedelta

import pytest

from bertpipe.cli.output import ago, counted, duration, figures, number, plain, print_json, size, tail_of


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (812, "812"),
        (4812, "4,812"),
        (123_456, "123k"),
        (6_812_345, "6.81M"),
        (0.031234, "0.0312"),
        (5.2149, "5.21"),
        (4812.7, "4,813"),
        (3.0, "3"),
    ],
)
def test_number(value, words):
    assert number(value) == words


def test_size():
    assert [size(count) for count in (0, 999, 1000, 4_200_000, 999_999_999_999_999)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "4.2 MB",
        "1000.0 TB",
    ]


def test_duration():
    assert [duration(seconds) for seconds in (0.31, 12.4, 59.7, 242, 3900)] == [
        "0.3s",
        "12s",
        "1m00s",
        "4m02s",
        "1h05m",
    ]


def test_ago():
    now = datetime.now(UTC)
    moments = [timedelta(seconds=3), timedelta(minutes=5), timedelta(hours=3), timedelta(days=1, hours=1)]
    assert [ago((now - span).isoformat()) for span in moments] == [
        "just now",
        "5 min ago",
        "3 h ago",
        "1 day ago",
    ]
    assert ago("once") == "once"


def test_figures():
    metrics = {
        "documents": 4812,
        "tokens_per_second": 6812.3,
        "loss": 5.2149,
        "mode": "hybrid",
        "curve": [1],
        "skipped": 0,
        "width": 256,
    }
    assert figures(metrics | {"warm_start": True}) == [
        "4,812 documents",
        "6,812 tokens/s",
        "loss 5.21",
        "mode hybrid",
        "width 256",
        "warm start",
    ]


def test_one_thing_is_no_plural():
    assert [counted(1, "steps"), counted(1, "queries"), counted(2, "queries"), counted(3, "")] == [
        "1 step",
        "1 query",
        "2 queries",
        "3",
    ]
    assert figures({"held_out_documents": 1}) == ["1 held out document"]


def test_plain():
    assert plain("a\r\n\tb \x1b[2J\u202e") == "a b [2J"


@pytest.mark.parametrize(
    ("columns", "shown"),
    [(9, "笔记/a.md"), (8, "…记/a.md"), (7, "…/a.md"), (5, "…a.md")],
)
def test_tail_of(columns, shown):
    assert tail_of("笔记/a.md", columns) == shown


def test_json_holds_nothing_that_a_terminal_would_obey(capsys):
    text = "a\x1b[2J\x7f\x9b31m\u202eb\ud800\u2028 怎样"
    for one_line in (True, False):
        print_json({"text": text}, one_line=one_line)
        written = capsys.readouterr().out
        assert json.loads(written) == {"text": text}
        assert not set(written) & set("\x1b\x7f\x9b\u202e\ud800\u2028")
        assert "怎样" in written
