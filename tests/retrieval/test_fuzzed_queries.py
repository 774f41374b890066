"""Queries that nobody should type: no exception, no query language, no waiting, nothing for the terminal to obey."""

import io
import random
import sys
import time
import unicodedata

import numpy as np
import pytest

from bertpipe.cli.main import invoke
from bertpipe.pipeline.artefact import Artefact
from bertpipe.retrieval.fusion import NEARNESS
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.search_result import MODES

MILLION = 2**20
# A search of an ordinary query takes a millisecond; on a busy machine, a stretch without a turn can last this long.
SECONDS = 10.0
ODD = [
    "",
    " ",
    "\n\t\r\v\f\x85\u2028\u2029",
    "\x00",
    "water\x00tap",
    "\ud800",
    "\udfff\ud800 water",
    "\ud83d\ude00",
    "😀" * 500,
    "👩‍👩‍👧‍👦 🏳️‍🌈 🇨🇭",
    "e" + "\u0301" * 5000,
    "\u0301" * 5000,
    "z\u0335\u0321\u0322\u0327\u0328a\u034f\u0361l\u0489g\u030d\u030eo" * 200,
    "\u200b\u200c\u200d\u2060\ufeff" * 300,
    "wa\u200bter wa\u00adter wa\u200dter",
    "\u202eretaw\u202c \u2066abc\u2069",
    "כיצד לנקות את המטחנה",
    "كيف أنظف المطحنة؟",
    "कॉफी ग्राइंडर कैसे साफ करें",
    "怎样清洗滤芯" * 800,
    "\x1b[2J\x1b]0;owned\x07\x1b[31mred\x1b[0m",
    "\x9b31m\x90q\x9c",
    "\x08" * 100,
    "'; DROP TABLE passages; --",
    '" OR 1=1 --',
    "1 UNION SELECT text FROM passages",
    "title:water AND (tap OR NOT burrs)",
    "+water -tap ~2 ^3 water~ wat* w?ter /wa.*/ [a TO z] {a TO z}",
    '"water tap"~3',
    "((((((((((" * 1000,
    "\\" * 1000,
    '"' * 999,
    "terms:* number:[0 TO *]",
    "../../../../etc/passwd",
    "${HOME} $(reboot) `reboot` %s%n {0} {{7*7}}",
    "<script>alert(1)</script>",
    "[red]water[/red] [/] [bold",
    "NaN Infinity -0 1e999",
    "[CLS] [SEP] [MASK] <s> </s> <pad> <unk>",
    "ﬁ ㎞ Ａ ｶﾞ ｗａｔｅｒ",
    "a" * MILLION,
    "a " * (MILLION // 2),
    "\u0301" * MILLION,
    "水" * MILLION,
    "a.b" * (MILLION // 3),
    "\x00" * MILLION,
    "-_.'" * (MILLION // 4),
    "".join(chr(number) for number in range(0x20, 0x3000)),
]
TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def obeyed(mark: str) -> bool:
    """Whether a terminal does something at a character instead of showing it."""
    return unicodedata.category(mark) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(mark) in TURNING


ALPHABETS = [
    "water tap burrs grinder 水 滤芯 ",
    "\x00\x01\x07\x08\x0b\x1b\x7f\x80\x9b\xa0\xad",
    "+-&|!(){}[]^\"~*?:\\/'`;=<>@#$%,.",
    "\u0300\u0301\u0335\u0489\u200b\u200d\u2060\u202d\u202e\u2066\ufe0f\ufeff",
    "\ud800\udbff\udc00\udfff",
    "אבגابتकखগघกข",
    "😀👩🏽\u200d🚀🇨🇭",
]


def fuzzed(count: int, seed: int = 0):
    """Odd queries, and mixtures of what makes them odd."""
    draw = random.Random(seed)
    for number in range(count):
        if number < len(ODD):
            yield ODD[number]
            continue
        kind = draw.random()
        if kind < 0.6:
            alphabet = "".join(draw.sample(ALPHABETS, draw.randint(1, 3)))
            yield "".join(draw.choices(alphabet, k=draw.randint(0, 60)))
        elif kind < 0.8:
            yield "".join(chr(draw.randrange(0x110000)) for _ in range(draw.randint(1, 40)))
        else:
            parts = [draw.choice(ODD[:40])[:80] for _ in range(3)]
            yield draw.choice([" ", "", "\n", " AND "]).join(parts)


@pytest.fixture(scope="module")
def index(built_index):
    return Index(built_index, threads=1)


def check(index, queries):
    for query in queries:
        for mode in MODES:
            began = time.perf_counter()
            result = index.search(query, 5, mode, nearness=NEARNESS)
            assert time.perf_counter() - began < SECONDS, (mode, query[:50])
            assert result.query == query
            assert len(result.hits) <= 5
            assert all(np.isfinite(hit.score) for hit in result.hits)
            assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)
            for hit in result.hits:
                shown = result.snippet(hit, 70)
                assert shown.text.isprintable()


def test_odd_queries(index):
    check(index, ODD)
    check(index, fuzzed(150))


@pytest.mark.slow
def test_ten_thousand_odd_queries(index):
    check(index, fuzzed(10_000, seed=1))


@pytest.mark.parametrize(
    "query", ["water OR burrs", "+water -burrs", '"water burrs"', "water AND NOT burrs", "(water)"]
)
def test_operators_are_words(index, query):
    """A query language would leave out what stands behind a minus, or find nothing for a phrase."""
    plain = "".join(mark if mark.isalnum() else " " for mark in query)
    found, expected = (index.search(one, 20, "bm25").hits for one in (query, plain))
    assert [hit.passage.number for hit in found] == [hit.passage.number for hit in expected]
    assert len(found) >= 3


@pytest.mark.parametrize("query", ["terms:water", "number:3", "number:[0 TO 9]", "wat*", "wate?", "/wat.*/", "*"])
def test_fields_and_patterns_are_words_too(index, query):
    hits = index.search(query, 20, "bm25").hits
    assert all("water" in (hit.passage.text + hit.passage.title).lower() for hit in hits)
    assert bool(hits) == ("water" in query)


class Stream(io.TextIOWrapper):
    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode("utf-8")


def run(monkeypatch, index, *arguments):
    """`bertpipe` in this process, with standard output and error that refuse what is not UTF-8."""
    out, err = (Stream(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.setattr(Artefact, "open", lambda folder: None)  # the index stands without its pipeline
        patch.setattr("bertpipe.retrieval.index.Index", lambda folder: index)  # opened once
        code = invoke(["search", "--index", str(index.folder), *arguments])
    return code, out.text(), err.text()


@pytest.mark.parametrize("options", [(), ("--explain",), ("--json",), ("--json", "--explain")], ids=" ".join)
def test_on_the_command_line(monkeypatch, index, options):
    monkeypatch.setenv("COLUMNS", "80")
    queries = [query for query in ODD if len(query) < 20_000] + list(fuzzed(len(ODD) + 12, seed=2))[len(ODD) :]
    for query in queries if not options else queries[::4]:
        code, out, err = run(monkeypatch, index, "-k", "2", *options, "--", query)
        assert (code, err) == (0, ""), query
        # JSON may hold what is no command: characters that nobody assigned, joiners, wide spaces.
        bad = obeyed if "--json" in options else lambda mark: not mark.isprintable()
        found = [mark for mark in out if mark != "\n" and bad(mark)]
        assert not found, (query, found[:5])


def test_a_file_of_them(monkeypatch, index, tmp_path):
    lines = [" ".join(query.split("\n")) for query in ODD[:40]]
    file = tmp_path / "queries.tsv"
    text = "".join(f"{number}\t{line}\n" for number, line in enumerate(lines))
    file.write_bytes("".join(text.replace("\x00", "").split("\r")).encode("utf-8", "replace"))
    for options in (["--json"], ["--trec", "a run"], []):
        code, out, err = run(monkeypatch, index, "--queries", str(file), *options)
        assert code == 0, err
        assert "Traceback" not in err
        if options[:1] == ["--trec"]:
            assert all(len(line.split()) == 6 for line in out.splitlines())
