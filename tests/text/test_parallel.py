from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.errors import InputError
from bertpipe.text.document import Document, is_held_out
from bertpipe.text.readers.parallel import ParallelReader

SKIP = "or skip such records with --skip-bad."


@pytest.fixture
def pair(tmp_path):
    """Writes both files and gives their reader."""

    def write(source: str | bytes, target: str | bytes, **options) -> ParallelReader:
        for name, content in (("x.en", source), ("x.de", target)):
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return ParallelReader(tmp_path / "x.en", tmp_path / "x.de", **options)

    return write


def error(reader) -> str:
    with pytest.raises(InputError) as caught:
        list(reader)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_lines_become_documents(pair):
    reader = pair("\ufeffA dog.\r\n  Two cats. \n", "Ein Hund.\nZwei  Katzen.")
    assert list(reader) == [
        Document("x.en#1", "Ein Hund.", "A dog."),
        Document("x.en#2", "Zwei Katzen.", "Two cats."),
    ]
    assert (reader.report.documents, reader.report.skipped) == (2, 0)
    assert next(iter(reader)).held_out == is_held_out("x.en#1")


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r"])
def test_only_a_line_feed_ends_a_line(pair, mark):
    read = list(pair(f"a{mark}b\nc\n", "1\n2\n"))
    assert [document.title for document in read] == ["1", "2"]
    assert read[1].text == "c"


BAD = {  # source, target, the place that is named, words
    "no translation": ("a\nb\nc\n", "1\n \n3\n", "x.de:2", "the line is empty, but the same line of x.en is not"),
    "no source": ("a\n\nc\n", "1\n2\n3\n", "x.en:2", "the line is empty, but the same line of x.de is not"),
    "neither": ("a\n\nc\n", "1\n\u3000\n3\n", "x.en:2", "the line is empty, and so is its translation in x.de"),
    "broken source": (b"a\n\xff\nc\n", "1\n2\n3\n", "x.en:2", "broken UTF-8 at byte 1"),
    "broken target": ("a\nb\nc\n", "1\nCaf\xe9\n3\n".encode("latin-1"), "x.de:2", "broken UTF-8 at byte 4"),
    "lone surrogate": ("a\nb\nc\n", b"1\n\xed\xa0\x80\n3\n", "x.de:2", "broken UTF-8"),
    "long line": ("a\n" + "b" * 99 + "\nc\n", "1\n2\n3\n", "x.en:2", "the line is larger than"),
    "NUL": (b"a\n" + b"b" * 5000 + b"\0\nc\n", "1\n2\n3\n", "x.en:2", "a NUL character"),
}
SMALL = {"max_document_mb": 50 / 2**20}


@pytest.mark.parametrize("case", BAD)
def test_a_broken_pair_names_its_line_or_is_counted(pair, tmp_path, case):
    source, target, place, words = BAD[case]
    options = SMALL if case == "long line" else {}
    message = error(pair(source, target, **options))
    assert message.startswith(f"{tmp_path / place}: ")
    assert words in message
    assert message.endswith(SKIP)

    reader = pair(source, target, skip_bad=True, **options)
    assert [(document.id, document.title) for document in reader] == [("x.en#1", "1"), ("x.en#3", "3")]
    assert reader.report.skipped == 1
    assert words in reader.report.problems[0]


@pytest.mark.parametrize("skip_bad", [False, True])
@pytest.mark.parametrize(
    ("source", "target", "counts"),
    [
        ("a\nb\nc\n", "1\n2\n", ("3 lines", "has 2")),
        ("a\n", "1\n2\n3\n4\n5", ("1 lines", "has 5")),
        ("a\nb\n", "1\n2\n\n", ("2 lines", "has 3")),
    ],
)
def test_different_numbers_of_lines_are_never_skipped(pair, source, target, counts, skip_bad):
    message = error(pair(source, target, skip_bad=skip_bad))
    assert all(count in message for count in counts)
    assert "--skip-bad" not in message


@pytest.mark.parametrize("skip_bad", [False, True])
@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("", "1\n", "x.en: the file is empty"),
        ("a\n", "", "x.de: the file is empty"),
        ("a\n", "1\n".encode("utf-16"), "x.de: the file is UTF-16"),
        (b"\x89PNG\0\0\1\2\3", "1\n", "x.en: this is a binary file"),
    ],
)
def test_a_broken_file_is_never_skipped(pair, source, target, words, skip_bad):
    assert words in error(pair(source, target, skip_bad=skip_bad))


def test_nothing_left(pair):
    assert "no pair of lines could be read (2 skipped; the first: " in error(pair("\n \n", "\n\t\n", skip_bad=True))


def test_missing_files_and_folders(pair, tmp_path):
    reader = pair("a\n", "1\n")
    for missing in (tmp_path / "nothing.de", tmp_path):
        for paths in ((reader.source, missing), (missing, reader.target)):
            assert error(ParallelReader(*paths, skip_bad=True)).startswith(f"{missing}: cannot be read")


def test_one_file_is_no_pair(pair):
    reader = pair("a\n", "1\n")
    assert "the same file" in error(ParallelReader(reader.source, reader.source))


LINE = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"), min_size=1).filter(
    str.strip
)


@given(lines=st.lists(st.tuples(LINE, LINE), min_size=1))
def test_whatever_is_written_is_read_back(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("pairs")
    for name, side in (("a", 0), ("b", 1)):
        (folder / name).write_text("".join(f"{line[side]}\n" for line in lines), encoding="utf-8", newline="\n")
    read = list(ParallelReader(folder / "a", folder / "b"))
    assert [document.text for document in read] == [source.strip() for source, _ in lines]
    assert [document.title for document in read] == [" ".join(target.split()) for _, target in lines]
    assert [document.id for document in read] == [f"a#{number}" for number in range(1, len(lines) + 1)]


def test_the_memory_does_not_grow_with_the_files(pair):
    reader = pair("a line of some words\n" * 50_000, "eine Zeile\n" * 50_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in reader) == 50_000
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()
