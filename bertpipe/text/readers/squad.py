"""Questions about texts with answers in them, as the SQuAD files have them: DRCD and CMRC 2018 as well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bertpipe.errors import InputError
from bertpipe.text.readers.data_files import data_files
from bertpipe.text.readers.fields import check_encodable, kind_of
from bertpipe.text.readers.file_text import read_exactly
from bertpipe.text.readers.json_lines import no_such_number
from bertpipe.text.readers.problem import without_skipping
from bertpipe.text.readers.report import REMEMBERED

_LIMIT = 2**30  # bytes that a file may have
_SHAPE = 'The file has to be {"data": [{"paragraphs": [{"context": ..., "qas": [...]}]}]}, as SQuAD\'s.'


class Answer(NamedTuple):
    """A stretch of a context.

    Attributes:
        text: What stands there.
        start: How many characters stand before it.
    """

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a text.

    Attributes:
        id: Unique in what a reader reads.
        question: What is asked.
        context: The text, character by character as in the file.
        title: Of the article that the text is from; may be empty.
        answers: What people answered; ``context[start : start + len(text)]`` is each one's text. Empty if impossible.
        impossible: Whether the text has no answer.
    """

    id: str
    question: str
    context: str
    title: str
    answers: tuple[Answer, ...]
    impossible: bool


@dataclass(slots=True)
class SquadReport:
    """The count of a reading; complete once the reader has been iterated to its end.

    Attributes:
        questions: How many were read.
        impossible: How many of them have no answer.
        answers: How many answers they have.
        bad_offsets: How many answers were left out because the text where they start is another.
        skipped: How many questions were left out because they are empty or no answer was left.
        problems: The first few of those answers and questions, with file and question.
    """

    questions: int = 0
    impossible: int = 0
    answers: int = 0
    bad_offsets: int = 0
    skipped: int = 0
    problems: list[str] = field(default_factory=list)


class SquadReader:
    """Reads SQuAD 1.1 or 2.0 JSON (Rajpurkar et al. 2016, 2018); iterate it for `Question`s, in the order of the file.

    An answer whose text does not stand where it says is left out and counted. It is never moved to another place,
    even if its text stands in one only: that the words occur there does not make them the answer.

    Args:
        path: A file, or a folder whose ``.json`` files are read.
        strict: Whether such an answer, or a question without words, is an error instead.

    Attributes:
        report: Counts, complete after the iteration.
    """

    def __init__(self, path: Path | str, *, strict: bool = False) -> None:
        self.path = Path(path)
        self.strict = strict
        self.report = SquadReport()

    def __iter__(self) -> Iterator[Question]:
        """Reads everything once, one file in memory at a time.

        Raises:
            InputError: There is nothing to read; a file is no JSON or of another shape; a question has no answer and is
                not marked as impossible; an id stands twice; no question is left; or, if `strict`, a question is empty
                or an answer's text does not stand where it says.
        """
        self.report = SquadReport()
        seen: dict[str, Path] = {}
        for file in data_files(self.path, (".json",)):
            for question in self._file(file.path):
                if question.id in seen:
                    what = f"the question id {question.id!r} stands twice"
                    why = "" if seen[question.id] == file.path else f"also in {seen[question.id]}"
                    raise InputError(what, path=file.path, why=why, hint="Give every question its own id.")
                seen[question.id] = file.path
                if not question.question.strip() or not (question.impossible or question.answers):
                    self.report.skipped += 1
                    continue
                self.report.questions += 1
                self.report.impossible += question.impossible
                self.report.answers += len(question.answers)
                yield question
        if self.report.questions == 0:
            why = f"{self.report.skipped} skipped; the first: {self.report.problems[0]}" if self.report.skipped else ""
            raise InputError("there is no question to read", path=self.path, why=why, hint=_SHAPE)

    def _file(self, path: Path) -> Iterator[Question]:
        whole = _read_json(path)
        for article in _within(whole, "data", "", path):
            title = article.value.get("title") or ""
            if not isinstance(title, str):
                raise article.wrong("its title is not text")
            for paragraph in _within(article.value, "paragraphs", article.place, path):
                context = paragraph.text("context")
                for asked in _within(paragraph.value, "qas", paragraph.place, path):
                    yield self._question(asked, context, title)

    def _question(self, asked: _Node, context: str, title: str) -> Question:
        own = asked.value.get("id")
        if isinstance(own, bool) or not isinstance(own, (str, int)) or own == "":
            raise asked.wrong("the question has no id", hint='Give every question an "id" of its own.')
        asked = asked._replace(place=f"question {str(own)[:80]!r}")
        question = asked.text("question", may_be_empty=True)
        if not question.strip():
            self._left_out(asked.wrong("the question is empty", hint="Fill it in, or remove it."))
        impossible = asked.value.get("is_impossible", False)
        if not isinstance(impossible, bool):
            raise asked.wrong("is_impossible is neither true nor false")
        answers = asked.value.get("answers", [])
        if not isinstance(answers, list):
            raise asked.wrong("its answers are no list", hint="Write [...] there.")
        if impossible and answers:
            hint = 'Call them "plausible_answers", as SQuAD 2.0 does, or set is_impossible to false.'
            raise asked.wrong("it is marked as impossible, but has answers", hint=hint)
        if not impossible and not answers:
            hint = "Give it answers, or set is_impossible to true."
            raise asked.wrong("it has no answers, and is not marked as impossible", hint=hint)
        good = []
        for number, item in enumerate(answers, start=1):
            answer = self._answer(asked, item, number, context)
            if answer is not None:
                good.append(answer)
        _check("id of a question", str(own), asked.path)
        return Question(str(own), question, context, title, tuple(good), impossible)

    def _answer(self, asked: _Node, item: Any, number: int, context: str) -> Answer | None:
        """An answer; None if its text does not stand where it says."""
        of = f"answer {number}"
        if not isinstance(item, dict):
            raise asked.wrong(f"{of} is {kind_of(item)}", hint='Write {"text": ..., "answer_start": ...} there.')
        text, start = item.get("text"), item.get("answer_start")
        if not isinstance(text, str):
            raise asked.wrong(f"{of} has no text", hint='Give it a "text".')
        if isinstance(start, bool) or not isinstance(start, int):
            hint = 'Give it an "answer_start": how many characters stand before it in the context.'
            raise asked.wrong(f"{of} has no place", hint=hint)
        if text.strip() and start >= 0 and context.startswith(text, start):
            return Answer(text, start)
        self._left_out(_bad_offset(asked, of, text, start, context))
        self.report.bad_offsets += 1
        return None

    def _left_out(self, error: InputError) -> None:
        if self.strict:
            raise error
        if len(self.report.problems) < REMEMBERED:
            self.report.problems.append(str(error).removesuffix(f". {error.hint}"))


def _bad_offset(asked: _Node, of: str, text: str, start: int, context: str) -> InputError:
    if not text.strip():
        return asked.wrong(f"{of} is empty", hint="Remove it, or mark the question as impossible.")
    there = context[start : start + len(text)] if 0 <= start < len(context) else ""
    what = f"{of}, {_short(text)}, does not stand at {start}"
    why = f"there stands {_short(there)}" if there else f"the context has {len(context)} characters"
    places = context.count(text)
    if places == 0:
        hint = "Its text is nowhere in the context: mend the text or the context."
    elif places == 1:
        hint = f"Its text stands at {context.index(text)}: mend answer_start, if that is meant."
    else:
        hint = f"Its text stands in {places} places of the context: mend answer_start."
    return asked.wrong(what, why=why, hint=hint)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


class _Node(NamedTuple):
    """An object in a file, with the way to it."""

    value: dict[str, Any]
    place: str
    path: Path

    def text(self, name: str, *, may_be_empty: bool = False) -> str:
        """What a key holds: text, and unless it may be empty not a blank one."""
        value = self.value.get(name)
        if not isinstance(value, str):
            why = f"it is {kind_of(value)}" if name in self.value else ""
            raise self.wrong(f"there is no text under {name!r}", why=why, hint=_SHAPE)
        if not value.strip() and not may_be_empty:
            raise self.wrong(f"the {name} is empty", hint="Fill it in, or remove it.")
        _check(f"{name} of {self.place}", value, self.path)
        return value

    def wrong(self, what: str, *, why: str = "", hint: str = _SHAPE) -> InputError:
        return InputError(f"{self.place}: {what}", path=self.path, why=why, hint=hint)


def _within(value: Any, name: str, place: str, path: Path) -> Iterator[_Node]:
    """The objects in a list under a key."""
    items = value.get(name) if isinstance(value, dict) else None
    if not isinstance(items, list):
        what = f"there is no list {name!r}"
        raise InputError(f"{place}: {what}" if place else what, path=path, hint=_SHAPE)
    for number, item in enumerate(items):
        at = f"{place}.{name}[{number}]".removeprefix(".")
        if not isinstance(item, dict):
            raise InputError(f"{at}: it is {kind_of(item)} instead of an object", path=path, hint=_SHAPE)
        yield _Node(item, at, path)


def _check(what: str, text: str, path: Path) -> None:
    try:
        check_encodable(what, text, path, None)
    except InputError as error:
        raise without_skipping(error) from None


def _read_json(path: Path) -> Any:
    try:
        text = read_exactly(path, _LIMIT)
    except InputError as error:
        raise without_skipping(error) from None
    if not text.strip():
        raise InputError("the file is empty", path=path, hint=_SHAPE)
    try:
        return json.loads(text, parse_constant=no_such_number)
    except json.JSONDecodeError as error:
        why = f"{error.msg} at column {error.colno}"
        hint = "Mend it; a file that was cut off has to be fetched again."
        raise InputError("broken JSON", path=path, line=error.lineno, why=why, hint=hint) from error
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError("broken JSON", path=path, why=why, hint="Mend it.") from error
