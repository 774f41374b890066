"""Collections with queries and what answers them: one part to learn from, one to tune with, one to be judged on.

On disk a collection is as BEIR has them (``corpus.jsonl``, ``queries.jsonl``, ``qrels.tsv``), so that
`bertpipe evaluate INDEX --queries ... --qrels ...` reads it as well.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertpipe.text.readers.squad import Question, SquadReader

DEV_SHARE, TEST_SHARE = 0.05, 0.1
"""Shares of a collection to tune a weight with and to be judged on."""


@dataclass
class JudgedCollection:
    """Texts, queries, and which text answers which query.

    Attributes:
        documents: Title and text by id.
        queries: Text by id.
        relevant: Ids of the documents that answer each query.
    """

    documents: dict[str, tuple[str, str]] = field(default_factory=dict)
    queries: dict[str, str] = field(default_factory=dict)
    relevant: dict[str, set[str]] = field(default_factory=dict)

    def ask(self, query: str, text: str, document: str, title: str, body: str) -> None:
        """Adds a query with a document that answers it."""
        self.documents[document] = (title, body)
        self.queries[query] = text
        self.relevant.setdefault(query, set()).add(document)

    def pairs(self) -> list[dict[str, str]]:
        """The queries with their documents, to learn from."""
        return [
            {"query": self.queries[query], "title": self.documents[document][0], "passage": self.documents[document][1]}
            for query, documents in self.relevant.items()
            for document in sorted(documents)
        ]

    def without(self, documents: Collection[str]) -> JudgedCollection:
        """All but some documents, and the queries that they answer."""
        kept = {query: names for query, names in self.relevant.items() if names.isdisjoint(documents)}
        return JudgedCollection(
            {name: texts for name, texts in self.documents.items() if name not in documents},
            {query: self.queries[query] for query in kept},
            kept,
        )

    def some(self, count: int) -> JudgedCollection:
        """The same documents with so many of the queries, chosen by hashes of their ids; 0 keeps all."""
        kept = sorted(self.queries, key=lambda query: hashlib.sha256(query.encode()).digest())[: count or None]
        queries, relevant = ({query: source[query] for query in kept} for source in (self.queries, self.relevant))
        return JudgedCollection(self.documents, queries, relevant)

    def save(self, folder: Path) -> None:
        """Writes the three files."""
        folder.mkdir(parents=True, exist_ok=True)
        documents = ({"_id": name, "title": title, "text": text} for name, (title, text) in self.documents.items())
        write_lines(folder / "corpus.jsonl", documents)
        write_lines(folder / "queries.jsonl", ({"_id": name, "text": text} for name, text in self.queries.items()))
        rows = [f"{query}\t{one}\t1\n" for query, documents in self.relevant.items() for one in sorted(documents)]
        (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows), encoding="utf-8")


@dataclass
class Parts:
    """What is learned from, tuned with and judged on; no document answers questions of two of them."""

    learn: JudgedCollection = field(default_factory=JudgedCollection)
    dev: JudgedCollection = field(default_factory=JudgedCollection)
    test: JudgedCollection = field(default_factory=JudgedCollection)
    learn_share: float = 1.0
    """Share of what could be learned from that is."""

    def of(self, name: str) -> JudgedCollection:
        """The part that a thing with this name belongs to: a pure function of the name."""
        place = int.from_bytes(hashlib.sha256(f"set aside {name}".encode()).digest()[:8], "big") / 2**64
        if place < TEST_SHARE:
            return self.test
        if place < TEST_SHARE + DEV_SHARE:
            return self.dev
        return self.learn if 1 - place <= self.learn_share * (1 - TEST_SHARE - DEV_SHARE) else JudgedCollection()

    def apart(self) -> Parts:
        """Takes out of what is learned from, and then tuned with, the documents that something is judged on."""
        self.dev = self.dev.without(self.test.documents)
        self.learn = self.learn.without({**self.test.documents, **self.dev.documents})
        return self

    def in_all(self) -> Parts:
        """Has all documents searched for what is asked: a small part by itself would be easy."""
        self.dev.documents = self.test.documents = self._everything()
        return self

    def all_to_read(self) -> Parts:
        """Has what is searched in the corpus to learn from, as in anybody's: without its questions."""
        self.learn.documents = self._everything()
        return self

    def _everything(self) -> dict[str, tuple[str, str]]:
        return {**self.learn.documents, **self.dev.documents, **self.test.documents}


def write_lines(path: Path, records: Iterable[Any]) -> None:
    """Writes JSON lines."""
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")


def squad(data: Path, learn_share: float = 1.0) -> Parts:
    """SQuAD's training questions, by article; the paragraphs have no titles, which would be the article's."""
    return _by_article(SquadReader(data / "squad" / "train-v1.1.json"), learn_share)


def drcd(data: Path, learn_share: float = 1.0) -> Parts:
    """DRCD's dev questions (Traditional Chinese), by article; all paragraphs are searched."""
    return _by_article(SquadReader(data / "drcd" / "DRCD_dev.json"), learn_share).in_all()


def _by_article(questions: Iterable[Question], learn_share: float) -> Parts:
    parts = Parts(learn_share=learn_share)
    for one in questions:
        document = hashlib.sha256(one.context.encode()).hexdigest()[:16]
        parts.of(one.title).ask(one.id, one.question, document, "", one.context)
    return parts.apart()


def lctt(data: Path, learn_share: float = 1.0) -> Parts:
    """Chinese technology articles: a title asks for its article, which is shown without it."""
    parts = Parts(learn_share=learn_share)
    with (data / "lctt" / "articles.jsonl").open(encoding="utf-8") as file:
        for record in map(json.loads, file):
            name, title = str(record["id"]), str(record["title"])
            parts.of(name).ask(name, title, name, "", str(record["text"]).replace(title, ""))
    return parts.in_all()


def medquad(data: Path, learn_share: float = 1.0) -> Parts:
    """Medical questions with long answers; what is asked about decides where a question belongs."""
    parts = Parts(learn_share=learn_share)
    with (data / "medquad" / "medquad.jsonl").open(encoding="utf-8") as file:
        for number, record in enumerate(map(json.loads, file)):
            text = " ".join(str(record["answer"]).split())
            document = hashlib.sha256(text.encode()).hexdigest()[:16]
            if text:
                parts.of(str(record["focus"])).ask(str(number), str(record["question"]), document, "", text)
    return parts.apart().in_all()


def cranfield(data: Path, learn_share: float = 1.0) -> Parts:
    """1,400 abstracts on aerodynamics; there are no questions to learn from or to tune with, only to be judged on.

    Grades 1 to 4 count as relevant; 5 means "of no interest".
    """
    parts = Parts()
    folder = data / "cranfield"
    documents = {
        name: (" ".join(part.get("T", "").split()), " ".join(part.get("W", "").split()))
        for name, part in _smart(folder / "cran.all.1400")
    }
    # Judgements number the queries from 1; the queries' own numbers have gaps.
    queries = {
        str(place): " ".join(part["W"].split()) for place, (_, part) in enumerate(_smart(folder / "cran.qry"), 1)
    }
    for line in (folder / "QRelsCorrectedforTRECeval").read_text(encoding="utf-8").splitlines():
        query, _, document, grade = line.split()
        if 1 <= int(grade) <= 4 and any(documents.get(document, ())):
            parts.test.ask(query, queries[query], document, *documents[document])
    parts.test.documents.update((name, texts) for name, texts in documents.items() if any(texts))
    return parts


def _smart(path: Path) -> list[tuple[str, dict[str, str]]]:
    """The records of a file in SMART's format: their names, and their parts by letter."""
    records = re.split(r"^\.I\s+", path.read_text(encoding="utf-8", errors="replace"), flags=re.MULTILINE)[1:]
    found = []
    for record in records:
        name, *parts = re.split(r"^\.([A-Z])\s*$", record, flags=re.MULTILINE)
        found.append((name.strip(), dict(zip(parts[::2], parts[1::2], strict=True))))
    return found


COLLECTIONS: dict[str, Callable[[Path, float], Parts]] = {
    "squad": squad,
    "drcd": drcd,
    "lctt": lctt,
    "medquad": medquad,
    "cranfield": cranfield,
}
