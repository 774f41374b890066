"""Replies from dialogues: each turn but the first is a document, with the turns before it as its text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bertpipe.errors import InputError
from bertpipe.text.dialogue import as_source
from bertpipe.text.document import Document
from bertpipe.text.readers.fields import check_storable, kind_of, which_field
from bertpipe.text.readers.file_text import read_lines, tidy
from bertpipe.text.readers.problem import problem
from bertpipe.text.readers.records import read_records
from bertpipe.text.readers.report import ReadReport
from bertpipe.text.readers.source_files import RECORDS, SourceFile, find_files

_LINES = ".txt"
_TURN_FIELDS = ("text", "content")


class DialogueReader:
    r"""Reads a folder or a file of dialogues; iterate it for `Document`s, in the order of paths and lines.

    ``.txt`` files have one dialogue on each line, its turns with a separator between them, as DailyDialog has them.
    Records (``.jsonl .ndjson .csv .tsv``) have it in a field: such a line, or (JSON lines) a list of turns, each a
    string or an object with its text in ``text`` or ``content``. Other files are not read.

    A dialogue of n turns gives n - 1 documents: the title is the reply, the text the turns before it, as
    `bertpipe.text.dialogue.as_source` writes them.
    The reply's id is ``path#LINE.TURN``, counted from 1, and its group ``path#LINE``: a dialogue is held out whole. One
    dialogue is in memory at a time.

    Args:
        path: A folder or a file.
        text_field: The field of a record that holds the dialogue; a number for a table without a row of names.
        turn_separator: What stands between two turns, and may stand behind the last one.
        history: The most turns that a document's text has.
        skip_bad: Whether broken files and dialogues are counted and left out instead of raised.
        max_document_mb: The most megabytes (2^20 bytes) that a line may have.

    Attributes:
        report: Counts, complete after the iteration.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        text_field: str = "text",
        turn_separator: str = "__eou__",
        history: int = 4,
        skip_bad: bool = False,
        max_document_mb: float = 16,
    ) -> None:
        self.path = Path(path)
        self.text_field = text_field
        self.turn_separator = turn_separator
        self.history = history
        self.skip_bad = skip_bad
        self.limit = max(1, int(max_document_mb * 2**20))  # bytes
        self.report = ReadReport()

    def __iter__(self) -> Iterator[Document]:
        """Reads everything once.

        Raises:
            InputError: There is nothing to read; or, unless `skip_bad`, something is broken.
        """
        self.report = ReadReport()
        found = find_files(self.path)
        self.report.ignored.update(sorted(found.ignored.items()))
        for error in found.problems:
            self.report.broken(error, skip=self.skip_bad)
        for file in found.files:
            if file.ending != _LINES and file.ending not in RECORDS:
                self.report.ignore(file.ending)
                continue
            for item in self._dialogues(file):
                try:
                    replies = self._replies(file, item)
                except InputError as error:
                    self.report.broken(error, skip=self.skip_bad)
                    continue
                for reply in replies:
                    self.report.documents += 1
                    yield reply
        if self.report.documents == 0:
            raise self._nothing()

    def _nothing(self) -> InputError:
        report = self.report
        if report.skipped:
            why = f"{report.skipped} skipped; the first: {report.problems[0]}"
            return InputError("no dialogue could be read", path=self.path, why=why, hint="Mend the files.")
        kinds = ", ".join(f"{count} {kind}" for kind, count in report.ignored.items())
        why = f"there is only: {kinds}" if kinds else "there is no text"
        hint = f"Endings that can hold dialogues: {' '.join([_LINES, *RECORDS])}."
        return InputError("no dialogue to read", path=self.path, why=why, hint=hint)

    def _dialogues(self, file: SourceFile) -> Iterator[tuple[int, Any] | InputError]:
        """What stands for a dialogue, with its line: a string, or a list of turns. Blank lines are left out."""
        if file.ending == _LINES:
            for line in read_lines(file.path, self.limit):
                if isinstance(line, InputError):
                    yield line
                elif "\t" in line[1] and "\t" not in self.turn_separator:
                    # Labels often stand behind the dialogue; learned from, they would be its last reply.
                    mend = 'Cut off what is no dialogue, name the file .tsv and set text_field = "1"'
                    yield problem("the line has columns, split by tabs", file.path, line[0], mend=mend)
                elif line[1].strip():
                    yield line
            return
        for record in read_records(file, self.limit, self.text_field):
            if isinstance(record, InputError):
                yield record
            elif self.text_field in record.fields:
                yield record.line, record.fields[self.text_field]
            else:
                what = f"the record has no field {self.text_field!r}"
                mend = which_field("text_field", self.text_field, list(record.fields))
                yield problem(what, file.path, record.line, mend=mend)

    def _replies(self, file: SourceFile, item: tuple[int, Any] | InputError) -> list[Document]:
        """The documents of one dialogue.

        Raises:
            InputError: It is none.
        """
        if isinstance(item, InputError):
            raise item
        line, dialogue = item
        turns = self._turns(dialogue, file.path, line)
        group = f"{file.relative}#{line}"
        replies = []
        for place in range(1, len(turns)):
            before = turns[max(0, place - self.history) : place]
            reply = Document(f"{group}.{place + 1}", turns[place], as_source(before), {}, group)
            check_storable(reply, file.path, line)
            replies.append(reply)
        return replies

    def _turns(self, dialogue: Any, path: Path, line: int) -> list[str]:
        """The turns of a dialogue, each on one line."""
        if isinstance(dialogue, str):
            written: Sequence[str] = dialogue.split(self.turn_separator)
            if len(written) > 1 and not written[-1].strip():
                written = written[:-1]
            check = f"Check turn_separator, which is {self.turn_separator!r}"
        elif isinstance(dialogue, list):
            written = [_text_of(turn, place, path, line) for place, turn in enumerate(dialogue, start=1)]
            check = "Give it a reply"
        else:
            what = f"the field {self.text_field!r} is no dialogue"
            mend = "Choose another with text_field"
            raise problem(what, path, line, why=f"it is {kind_of(dialogue)}", mend=mend)
        turns = [" ".join(tidy(turn).split()) for turn in written]
        if "" in turns:
            raise problem(f"turn {turns.index('') + 1} of {len(turns)} is empty", path, line, mend="Fill it in")
        if len(turns) < 2:
            what = "a dialogue of one turn has no reply" if turns else "a dialogue without turns"
            raise problem(what, path, line, mend=check)
        return turns


def _text_of(turn: Any, place: int, path: Path, line: int) -> str:
    """The text of a turn in JSON."""
    text = turn
    if isinstance(turn, dict):
        text = next((turn[name] for name in _TURN_FIELDS if name in turn), None)
    if isinstance(text, str):
        return text
    why = f"it is {kind_of(turn)}"
    if isinstance(turn, dict):
        why = f"it has neither {' nor '.join(_TURN_FIELDS)}" if text is None else f"its text is {kind_of(text)}"
    raise problem(f"turn {place} is not text", path, line, why=why, mend="Write a string there")
