"""Queries with the documents of an index that answer them, from judgements or from paragraphs that answer questions."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from urllib.parse import unquote

from bertpipe.errors import InputError
from bertpipe.retrieval.passage import Passage
from bertpipe.text.readers.qrels import Qrels
from bertpipe.text.readers.queries import Query, QueryFile
from bertpipe.text.readers.squad import Question

_SHOWN = 3  # examples in an error


@dataclass(frozen=True)
class JudgedQueries:
    """What an index is measured with.

    Attributes:
        queries: Those that have something relevant, in the order of their file.
        qrels: Grades by query and by the document's name.
        names: What each document of the index is called in ``qrels``, by its id.
        unknown: Documents that are judged and not in the index; relevant ones count as not found.
        left_out: How many queries are not measured, by reason.
        by_place: The queries of a SMART file are numbered by their place, as the judgements have them.
    """

    queries: list[Query]
    qrels: Qrels
    names: dict[str, str]
    unknown: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    by_place: bool = False

    def name(self, document: str) -> str:
        """What a document is called in judgements and runs."""
        return self.names.get(document, document)


def judged_by_qrels(file: QueryFile, qrels: Qrels, documents: Collection[str]) -> JudgedQueries:
    """Brings together queries, judgements and the documents of an index.

    A document is called by its id, or by what stands behind its ``#``: the id of a record without its file.

    Args:
        file: The queries.
        qrels: The judgements, as read.
        documents: Ids of all documents of the index.

    Raises:
        InputError: No judged document is in the index, no query is judged, or an id could be that of several documents.
    """
    queries, by_place = _as_judged(file, qrels)
    judged = {document for grades in qrels.values() for document in grades}
    names, known = _names(judged, documents)
    unknown = sorted(judged - known.keys())
    if not known:
        raise InputError(
            f"none of the {len(judged)} judged documents is in the index",
            path=file.path,
            why=f"judged: {_some(unknown)}; in the index: {_some(sorted(documents))}",
            hint="Judgements name documents by their ids in the index, or by what stands behind the #.",
        )
    renamed: Qrels = {}
    kept: list[Query] = []
    left_out: Counter[str] = Counter()
    for query in queries:
        grades = qrels.get(query.id)
        if grades is None:
            left_out["not judged"] += 1
        elif max(grades.values()) <= 0:
            left_out["nothing relevant"] += 1
        else:
            kept.append(query)
            renamed[query.id] = {known.get(document, document): grade for document, grade in grades.items()}
    strangers = len(qrels.keys() - {query.id for query in queries})
    if strangers:
        left_out["judged, but not in the file of queries"] = strangers
    if not kept:
        raise InputError(
            "no query has a judgement that names something relevant",
            path=file.path,
            why=f"queries: {_some(query.id for query in queries)}; judged: {_some(qrels)}",
            hint="Check that both files are of one collection.",
        )
    return JudgedQueries(kept, renamed, names, unknown, dict(left_out), by_place)


def judged_by_contexts(questions: Iterable[Question], passages: Iterable[Passage]) -> JudgedQueries:
    """Makes each question's own paragraph relevant: the documents that hold its text.

    Texts are compared without white space, case and width; a document's title may belong to the paragraph or not.

    Args:
        questions: As in a SQuAD file; those without an answer are left out.
        passages: All passages of the index, those of a document together and in order.

    Raises:
        InputError: No question's paragraph is in the index.
    """
    texts = _document_texts(passages)
    whole: dict[str, list[str]] = {}
    for document, (title, text) in texts.items():
        for own in {text, title + text}:
            whole.setdefault(own, []).append(document)
    # Documents that hold more than a paragraph: found in one long text, with marks that no text has between them.
    order = list(texts)
    ends = list(accumulate(len(title) + len(text) + 1 for title, text in texts.values()))
    joined = "\0".join(title + text for title, text in texts.values())
    found: dict[str, list[str]] = {}
    queries: list[Query] = []
    qrels: Qrels = {}
    left_out: Counter[str] = Counter()
    asked = 0
    for question in questions:
        asked += 1
        if question.impossible:
            left_out["no answer"] += 1
            continue
        if question.context not in found:
            context = _normal(question.context)
            found[question.context] = whole.get(context) or _holding(context, joined, ends, order)
        relevant = found[question.context]
        if not relevant:
            left_out["paragraph not in the index"] += 1
            continue
        queries.append(Query(question.id, question.question))
        qrels[question.id] = dict.fromkeys(relevant, 1)
    if not queries:
        raise InputError(
            f"none of the {asked} questions' paragraphs is in the index",
            hint="The index has to be of the file's paragraphs.",
        )
    return JudgedQueries(queries, qrels, {}, left_out=dict(left_out))


def _as_judged(file: QueryFile, qrels: Qrels) -> tuple[list[Query], bool]:
    """The queries under the ids that judgements know them by, and whether that is their place in the file.

    SMART collections write ``.I 001`` where the judgements have 1, and Cranfield's judgements count the queries.
    """
    if file.layout != "smart":
        return file.queries, False
    plain = [Query(query.id.lstrip("0") or "0", query.text, query.line) for query in file.queries]
    for queries in (file.queries, plain):
        if qrels.keys() <= {query.id for query in queries}:
            return queries, False
    placed = [Query(str(place), query.text, query.line) for place, query in enumerate(file.queries, start=1)]
    if qrels.keys() <= {query.id for query in placed}:
        return placed, True
    return file.queries, False


def _names(judged: Collection[str], documents: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The documents' names for those that have another than their id, and the names that judged ids stand for."""
    tails: dict[str, list[str]] = {}
    for document in documents:
        _, sign, tail = document.rpartition("#")
        if sign and tail:
            tails.setdefault(tail, []).append(document)
    whole = set(documents)
    known: dict[str, str] = {}
    by_tail = False
    for written in judged:
        # Runs write white space in ids with percent signs.
        for name in (written, unquote(written)):
            if name in whole:
                known[written] = name
                break
            if len(tails.get(name, ())) > 1:
                raise InputError(
                    f"the judged document {name!r} could be {tails[name][0]!r} or {tails[name][1]!r}",
                    hint="Name documents in the judgements by their whole ids.",
                )
            if name in tails:
                known[written] = name
                by_tail = True
                break
    if not by_tail:
        return {}, known
    names = {owners[0]: tail for tail, owners in tails.items() if len(owners) == 1 and tail not in whole}
    # Judgements may name some documents by their whole ids and others not.
    return names, {written: names.get(name, name) for written, name in known.items()}


def _document_texts(passages: Iterable[Passage]) -> dict[str, tuple[str, str]]:
    """Normalised titles and texts of documents, put together from their passages, which may share text."""
    parts: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    until: Counter[str] = Counter()
    for passage in passages:
        titles[passage.document] = passage.title
        shared = max(0, until[passage.document] - passage.start)
        parts.setdefault(passage.document, []).append(passage.text[shared:])
        until[passage.document] = max(until[passage.document], passage.end)
    return {document: (_normal(titles[document]), _normal("".join(texts))) for document, texts in parts.items()}


def _holding(context: str, joined: str, ends: Sequence[int], order: Sequence[str]) -> list[str]:
    """The documents whose text holds another."""
    holding = []
    place = joined.find(context) if context else -1
    while place >= 0:
        number = bisect_right(ends, place)
        holding.append(order[number])
        place = joined.find(context, ends[number])
    return holding


def _normal(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().replace("\0", "").split())


def _some(names: Iterable[str] | Mapping[str, object]) -> str:
    shown = list(names)
    return ", ".join(name[:60] for name in shown[:_SHOWN]) + (" ..." if len(shown) > _SHOWN else "")
