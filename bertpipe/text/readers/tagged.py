"""Sentences whose words carry tags: named entities in CoNLL, IOB2 and JSON lines files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertpipe.errors import InputError
from bertpipe.text.readers.data_files import data_files
from bertpipe.text.readers.fields import check_encodable, kind_of, which_field
from bertpipe.text.readers.file_text import read_lines
from bertpipe.text.readers.json_lines import read_json_lines
from bertpipe.text.readers.problem import problem, without_skipping
from bertpipe.text.readers.report import REMEMBERED
from bertpipe.text.readers.source_files import SourceFile
from bertpipe.text.span_tags import SpanTags, parts_of, recognise, to_iob2

_JSON = (".jsonl", ".ndjson")
ENDINGS = (".conll", ".conllu", ".iob", ".iob2", ".bio", ".bioes", ".tsv", ".txt", *_JSON)
_LIMIT = 16 * 2**20  # bytes that a line may have
_DOCUMENT = "-DOCSTART-"
_SPACES = re.compile(" +")  # and no other white space, which may be a word
_WORD_NUMBER = re.compile(r"[0-9]+([-.][0-9]+)?")
_MADE_OF_WORDS = re.compile(r"[0-9]+[-.][0-9]+")  # UD: a token of several words, or a word that is not written


@dataclass(frozen=True, slots=True)
class TaggedSentence:
    """Words with their tags.

    Attributes:
        id: ``path#LINE``.
        words: At least one; none is empty.
        tags: One for each word, in IOB2 however the file writes them.
        path: The file.
        line: The 1-based line of its first word, or of its record.
    """

    id: str
    words: tuple[str, ...]
    tags: tuple[str, ...]
    path: Path
    line: int


@dataclass(slots=True)
class TaggedReport:
    """The count of a reading; complete once the reader has been iterated to its end.

    Attributes:
        sentences: How many were read.
        words: How many words they have.
        written: How the files write their tags, ``"iob1"``, ``"iob2"`` or ``"bioes"``, by path.
        broken_tags: How many tags break the rules of how they are written, and were read as what they come closest to.
        problems: The first few of those, with file and line.
    """

    sentences: int = 0
    words: int = 0
    written: dict[str, SpanTags] = field(default_factory=dict)
    broken_tags: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Raw:
    """A sentence as the file has it, with the line of every word."""

    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


class TaggedReader:
    """Reads tagged sentences of a file or a folder; iterate it for `TaggedSentence`s, in the order of paths and lines.

    In a CoNLL file a word stands on a line, its columns parted by tabs or spaces, and a blank line ends a sentence.
    Comments before a sentence (``# text = ...``), ``-DOCSTART-`` lines and, where words are numbered, the tokens of
    several words (``3-4``) of Universal Dependencies are stepped over. JSON lines have a list of words and a list of
    tags. Tags are written in IOB1, IOB2 or BIOES, which each file's own tags tell.

    Args:
        path: A file; if it does not end in ``.jsonl`` or ``.ndjson``, a CoNLL file. Or a folder, whose files with an
            ending in `ENDINGS` are read.
        word_column: The number of the column with the words, counted from 1, or in JSON lines the field. Empty: the
            first, but the second where the first numbers the words; ``tokens``.
        tag_column: The same for the tags. Empty: the last column of tags; ``tags``.
        strict: Whether a tag that breaks the rules, such as one that continues nothing, is an error instead of counted.

    Attributes:
        report: Counts, complete after the iteration.
    """

    def __init__(self, path: Path | str, *, word_column: str = "", tag_column: str = "", strict: bool = False) -> None:
        self.path = Path(path)
        self.word_column = word_column
        self.tag_column = tag_column
        self.strict = strict
        self.report = TaggedReport()

    def __iter__(self) -> Iterator[TaggedSentence]:
        """Reads everything once, one file in memory at a time: how its tags are written is known at its end.

        Raises:
            InputError: There is nothing to read, or a line or record is broken; or, if `strict`, a tag.
        """
        self.report = TaggedReport()
        for file in data_files(self.path, ENDINGS):
            raw = list(self._records(file) if file.ending in _JSON else self._sentences(file))
            if not raw:
                raise InputError("there is no sentence in it", path=file.path, hint="Add some, or remove the file.")
            written = self.report.written[file.relative] = recognise(sentence.tags for sentence in raw)
            for sentence in raw:
                tags, broken = to_iob2(sentence.tags, written)
                for place in broken:
                    self._broken(file, sentence, place, written)
                self.report.sentences += 1
                self.report.words += len(sentence.words)
                line = sentence.lines[0]
                yield TaggedSentence(f"{file.relative}#{line}", tuple(sentence.words), tuple(tags), file.path, line)

    def _broken(self, file: SourceFile, sentence: _Raw, place: int, written: SpanTags) -> None:
        tag, before = sentence.tags[place], sentence.tags[place - 1] if place else "nothing"
        what = f"the tag {tag} of {sentence.words[place][:40]!r} cannot follow {before} in {written.upper()}"
        if place == len(sentence.tags) - 1 and written == "bioes" and tag[0] in "BIM":
            what = f"the span of the tag {tag} has no end"
        error = InputError(what, path=file.path, line=sentence.lines[place], hint="Mend the tag.")
        if self.strict:
            raise error
        self.report.broken_tags += 1
        if len(self.report.problems) < REMEMBERED:
            self.report.problems.append(str(error).removesuffix(". Mend the tag."))

    def _sentences(self, file: SourceFile) -> Iterator[_Raw]:
        columns: _Columns | None = None
        sentence = _Raw()
        waiting: list[
            tuple[int, list[str]]
        ] = []  # rows of the first sentence, before it is known what their columns are
        for item in read_lines(file.path, _LIMIT):
            if isinstance(item, InputError):
                raise without_skipping(item)
            number, line = item
            if not line.strip(" \t"):
                if waiting:
                    columns = self._columns(file, waiting)
                    self._add(file, sentence, columns, waiting)
                    waiting = []
                if sentence.words:
                    yield sentence
                    sentence = _Raw()
                continue
            is_first = not (waiting or sentence.words)
            if is_first and _is_comment(line, columns):
                continue
            cells = line.split("\t") if "\t" in line else _SPACES.split(line.strip(" "))
            if cells[0] == _DOCUMENT:
                continue
            if columns is None:
                waiting.append((number, cells))
            else:
                self._add(file, sentence, columns, [(number, cells)])
        if waiting:
            self._add(file, sentence, self._columns(file, waiting), waiting)
        if sentence.words:
            yield sentence

    def _columns(self, file: SourceFile, rows: Sequence[tuple[int, list[str]]]) -> _Columns:
        """What the columns of a file are, read off its first sentence."""
        line, first = rows[0]
        width = len(first)
        numbered = (
            width > 2
            and all(_WORD_NUMBER.fullmatch(cells[0]) for _, cells in rows)
            and first[0].partition("-")[0] in ("0", "1")
        )
        word = self._asked(file, self.word_column, "word_column", 1 if numbered else 0, width, line)
        own = [cells for _, cells in rows if not (numbered and _MADE_OF_WORDS.fullmatch(cells[0]))]
        tags = [
            place
            for place in range(width)
            if place != word and all(len(cells) <= place or parts_of(cells[place]) for cells in own)
        ]
        usual = tags[-1] if tags else width - 1
        tag = self._asked(file, self.tag_column, "tag_column", usual, width, line)
        if width < 2:
            what = "a word without a tag" if not parts_of(first[0]) else "a tag without a word"
            raise InputError(what, path=file.path, line=line, hint="Write a word and its tag, with a tab between them.")
        if word == tag:
            what = f"column {word + 1} cannot be the word and its tag"
            raise InputError(what, path=file.path, line=line, hint="Set word_column and tag_column.")
        return _Columns(width, word, tag, numbered)

    def _asked(self, file: SourceFile, asked: str, option: str, usual: int, width: int, line: int) -> int:
        if not asked:
            return usual
        if not asked.isdecimal() or not 1 <= int(asked) <= width:
            hint = f"Set {option} to a number from 1 to {width}."
            raise InputError(f"there is no column {asked!r}", path=file.path, line=line, hint=hint)
        return int(asked) - 1

    def _add(self, file: SourceFile, sentence: _Raw, columns: _Columns, rows: Sequence[tuple[int, list[str]]]) -> None:
        for line, cells in rows:
            if columns.numbered and _MADE_OF_WORDS.fullmatch(cells[0]):
                continue
            if len(cells) != columns.width:
                counted = "1 column" if len(cells) == 1 else f"{len(cells)} columns"
                what = f"{counted} instead of {columns.width}"
                hint = "Write every word on its own line with its tag, and a blank line between sentences."
                raise InputError(what, path=file.path, line=line, hint=hint)
            self._append(file, sentence, cells[columns.word], cells[columns.tag], line)

    def _append(self, file: SourceFile, sentence: _Raw, word: str, tag: str, line: int, where: str = "") -> None:
        word = word.replace("\ufeff", "") or word
        tag = tag.strip()
        if not word.strip(" \t\r\n"):
            hint = "Write the word, or remove the line." if not where else "Write the word, or remove its tag."
            raise InputError(f"a tag without a word{where}", path=file.path, line=line, hint=hint)
        if not tag:
            hint = "Write its tag; O for a word outside of all spans."
            raise InputError(f"the word {word[:40]!r} has no tag", path=file.path, line=line, hint=hint)
        if parts_of(tag) is None:
            why = "a tag is O, or B-NAME, I-NAME, E-NAME or S-NAME"
            hint = "Mend the tag, or choose another column with tag_column."
            raise InputError(f"{tag[:40]!r} is no tag of IOB or BIOES", path=file.path, line=line, why=why, hint=hint)
        sentence.words.append(word)
        sentence.tags.append(tag)
        sentence.lines.append(line)

    def _records(self, file: SourceFile) -> Iterator[_Raw]:
        names = ((self.word_column or "tokens", "word_column"), (self.tag_column or "tags", "tag_column"))
        for record in read_json_lines(file.path, _LIMIT):
            if isinstance(record, InputError):
                raise without_skipping(record)
            words, tags = (self._list(file, record.line, record.fields, *name) for name in names)
            if len(words) != len(tags):
                what = f"{len(words)} words, but {len(tags)} tags"
                raise InputError(what, path=file.path, line=record.line, hint="Give every word one tag.")
            if not words:
                hint = "Fill in its words, or remove the record."
                raise InputError("the sentence has no words", path=file.path, line=record.line, hint=hint)
            sentence = _Raw()
            for place, (word, tag) in enumerate(zip(words, tags, strict=True), start=1):
                self._append(file, sentence, word, tag, record.line, f" at place {place}")
            yield sentence

    def _list(self, file: SourceFile, line: int, fields: dict[str, Any], name: str, option: str) -> list[str]:
        if name not in fields:
            mend = which_field(option, name, list(fields))
            raise without_skipping(problem(f"the record has no field {name!r}", file.path, line, mend=mend))
        value = fields[name]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            hint = 'Write ["a", "list", "of", "strings"] there; tags by name, not by number.'
            why = f"it is {kind_of(value)}"
            raise InputError(f"the field {name!r} is no list of strings", path=file.path, line=line, why=why, hint=hint)
        for item in value:
            try:
                check_encodable(name, item, file.path, line)
            except InputError as error:
                raise without_skipping(error) from None
        return value


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of a CoNLL file, counted from 0.

    Attributes:
        width: How many there are.
        word: The one with the words.
        tag: The one with the tags.
        numbered: Whether the first one numbers the words.
    """

    width: int
    word: int
    tag: int
    numbered: bool


def _is_comment(line: str, columns: _Columns | None) -> bool:
    """Whether a line before a sentence is a comment of Universal Dependencies, and not a word "#" with its tag."""
    if not line.startswith("# ") or "\t" in line:
        return False
    cells = _SPACES.split(line.strip(" "))
    return len(cells) != (columns.width if columns else 2) or parts_of(cells[-1]) is None
