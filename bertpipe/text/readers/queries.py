"""Files of queries: what a person or a collection asks, one query after the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bertpipe.errors import InputError
from bertpipe.text.readers.file_text import read_exactly, read_lines
from bertpipe.text.readers.json_lines import read_json_lines
from bertpipe.text.readers.problem import without_skipping
from bertpipe.text.readers.squad import SquadReader
from bertpipe.text.surrogates import encodable

QueryLayout = Literal["jsonl", "smart", "trec", "squad", "tsv", "lines"]
LIMIT = 16 * 2**20
"""Bytes that a line may have, and characters of a file of topics."""

_ID_FIELDS, _TEXT_FIELDS = ("_id", "id", "query_id", "query-id", "qid"), ("text", "query", "question")
# First rows that name the columns of a table instead of holding a query.
_ID_HEADERS = frozenset({*_ID_FIELDS, "query id", "queryid"})
_TOPIC = re.compile(r"<top>(.*?)</top>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<(\w+)>\s*(?:Number:|Topic:|Description:|Narrative:)?([^<]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Query:
    """One query.

    Attributes:
        id: What judgements and runs call it; unique in its file.
        text: What is asked.
        line: 1-based line in its file; 0 where it has none.
    """

    id: str
    text: str
    line: int = 0


@dataclass(frozen=True)
class QueryFile:
    """The queries of a file.

    Attributes:
        path: The file.
        layout: How it is written.
        queries: In the order of the file.
    """

    path: Path
    layout: QueryLayout
    queries: list[Query]


def read_queries(path: Path) -> QueryFile:
    """Reads queries; how they are written is seen from the file itself.

    - JSON lines, as BEIR has them (Thakur et al. 2021): an id in ``_id`` or ``id``, the query in ``text``, ``query`` or
      ``question``. Without an id, the line number is one.
    - SQuAD's JSON, in a file ``.json``: its questions.
    - TREC topics: ``<top> <num> <title> </top>``; the title is the query.
    - SMART: ``.I id``, then ``.W`` and the query.
    - A table of id and query with a tab between them, with or without a row of names.
    - Plain lines; the line number is the id.

    Blank lines are left out.

    Raises:
        InputError: The file cannot be read, has no query, has one without an id, or an id stands twice. One
            without text is a query that finds nothing.
    """
    layout = _layout(path)
    readers: dict[QueryLayout, Callable[[Path], Iterable[Query]]] = {
        "jsonl": _json_lines,
        "squad": _squad,
        "trec": _topics,
        "smart": _smart,
        "tsv": _table,
        "lines": _plain_lines,
    }
    queries: list[Query] = []
    seen: dict[str, int] = {}
    for query in readers[layout](path):
        if query.id in seen:
            why = f"also in line {seen[query.id]}" if seen[query.id] else ""
            raise InputError(
                f"the query id {query.id!r} stands twice",
                path=path,
                line=query.line or None,
                why=why,
                hint="Give every query an id of its own.",
            )
        seen[query.id] = query.line
        queries.append(query)
    if not queries:
        raise InputError("there is no query in the file", path=path, hint="Give one a line, or id, tab and query.")
    return QueryFile(path, layout, queries)


def _layout(path: Path) -> QueryLayout:
    if path.suffix.lower() == ".json":
        return "squad"
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return "jsonl"
    for _, line in _lines(path):
        text = line.strip()
        if not text:
            continue
        if text.startswith("{"):
            return "jsonl"
        if re.fullmatch(r"\.I\s+\S+", text):
            return "smart"
        if re.match(r"<top>", text, re.IGNORECASE):
            return "trec"
        return "tsv" if "\t" in line else "lines"
    return "lines"


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for item in read_lines(path, LIMIT):
        if isinstance(item, InputError):
            raise without_skipping(item)
        yield item


def _json_lines(path: Path) -> Iterator[Query]:
    for item in read_json_lines(path, LIMIT):
        if isinstance(item, InputError):
            raise without_skipping(item)
        own = _first(item.fields, _ID_FIELDS, item.line)
        text = _first(item.fields, _TEXT_FIELDS, None)
        if isinstance(own, bool) or not isinstance(own, (str, int)) or own == "":
            raise InputError("the query's id is neither text nor a whole number", path=path, line=item.line)
        if not isinstance(text, str):
            hint = f"Write the query into a field {' or '.join(_TEXT_FIELDS)}."
            raise InputError("the record has no query", path=path, line=item.line, hint=hint)
        yield Query(encodable(str(own)), encodable(text), item.line)


def _first(fields: dict[str, Any], names: Iterable[str], otherwise: Any) -> Any:
    return next((fields[name] for name in names if name in fields), otherwise)


def _squad(path: Path) -> Iterator[Query]:
    for question in SquadReader(path):
        yield Query(question.id, question.question)


def _topics(path: Path) -> Iterator[Query]:
    for number, topic in enumerate(_TOPIC.findall(_whole(path)), start=1):
        fields = {name.lower(): " ".join(text.split()) for name, text in reversed(_TAG.findall(topic))}
        if not fields.get("num") or "title" not in fields:
            hint = "A topic needs <num> and <title>."
            raise InputError(f"topic {number} has no number or no title", path=path, hint=hint)
        yield Query(fields["num"], fields["title"])


def _whole(path: Path) -> str:
    try:
        return read_exactly(path, LIMIT)
    except InputError as error:
        raise without_skipping(error) from None


def _smart(path: Path) -> Iterator[Query]:
    own, line, field = "", 0, ""
    words: list[str] = []
    for number, text in [*_lines(path), (0, ".I")]:
        mark = re.match(r"\.([A-Z])(?:\s+(\S+))?\s*$", text)
        if mark is None:
            if field == "W":
                words.append(text)
        elif mark[1] != "I":
            field = mark[1]
        else:
            if own:
                yield Query(own, " ".join(" ".join(words).split()), line)
            own, line, field, words = mark[2] or "", number, "", []


def _table(path: Path) -> Iterator[Query]:
    first = True
    for number, line in _lines(path):
        if not line.strip():
            continue
        own, tab, text = line.partition("\t")
        header = first and own.strip().lower() in _ID_HEADERS
        first = False
        if header:
            continue
        if not tab or not own.strip():
            what = "the query has no id" if tab else "there is no tab in the line"
            raise InputError(what, path=path, line=number, hint="Write id, tab and query in every line, or in none.")
        yield Query(own.strip(), text.strip(), number)


def _plain_lines(path: Path) -> Iterator[Query]:
    for number, line in _lines(path):
        if line.strip():
            yield Query(str(number), line.strip(), number)
