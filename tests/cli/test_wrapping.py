from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bertpipe.cli.wrapping import line_ends


def lines(text, columns):
    ends = [0, *line_ends(text, columns), len(text)]
    return [text[start:end].rstrip() for start, end in pairwise(ends)]


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("", 5, [""]),
        ("one two three", 13, ["one two three"]),
        ("one two three", 12, ["one two", "three"]),
        ("one two three", 7, ["one two", "three"]),
        ("unbreakable", 4, ["unbr", "eaka", "ble"]),
        ("a unbreakable", 4, ["a", "unbr", "eaka", "ble"]),
        ("先停止服务，然后复制", 10, ["先停止服", "务，然后复", "制"]),
        ("先停止服务，然后复制", 12, ["先停止服务，", "然后复制"]),
        ("用 mysqldump 备份数据库", 14, ["用 mysqldump", "备份数据库"]),
        ("…4. 还是不通，就拆开", 14, ["…4. 还是不通，", "就拆开"]),
    ],
)
def test_lines(text, columns, expected):
    assert lines(text, columns) == expected


@given(st.text(alphabet="ab 中文。，(", max_size=60), st.integers(4, 20))
def test_nothing_is_lost_and_all_fits(text, columns):
    ends = line_ends(text, columns)
    assert ends == sorted(set(ends))
    assert all(0 < end < len(text) for end in ends)
    assert all(cell_len(line) <= columns for line in lines(text, columns))


def test_too_narrow():
    with pytest.raises(ValueError, match="1 columns"):
        line_ends("中", 1)
