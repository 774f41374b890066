"""Passages for stores: three of each document, with texts that repeat."""

from dataclasses import replace
from pathlib import Path

from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.passage_writer import PassageWriter


def passages(count, first=0):
    for number in range(first, first + count):
        document, place = divmod(number, 3)
        yield Passage(
            number,
            f"文档{document}#{place}",
            f"文档{document}",
            "标题 'quoted\"; DROP TABLE passages; --",
            f"text {number % 7} — é\n第二行" + "x" * 50,
            place * 10,
            place * 10 + 60,
            {"日期": "2026-01-01", "n": document, "share": 0.5, "flag": True, "none": None},
            f"组{document // 2}" if document % 2 else "",
        )


def renumbered(some, first):
    return [replace(passage, number=number) for number, passage in enumerate(some, start=first)]


def stored(path: Path) -> Path:
    """A store of 2,500 of them, added in two goes."""
    with PassageWriter(path) as store:
        assert store.add_many(passages(1500)) == 1500
        assert store.add_many(passages(1000, first=1500)) == 1000
    return path
