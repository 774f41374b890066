"""Examples to measure with: a text, and all that people wrote for it.

A document has one title, which is what a model learns to write. To measure one, every summary or translation that there
is of the same text counts as right.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bertpipe.errors import InputError
from bertpipe.text.readers.fields import check_encodable, field_lines
from bertpipe.text.readers.file_text import tidy
from bertpipe.text.readers.problem import problem
from bertpipe.text.readers.record import Record
from bertpipe.text.readers.records import read_records
from bertpipe.text.readers.report import ReadReport
from bertpipe.text.readers.source_files import RECORDS, SourceFile, find_files


class Example(NamedTuple):
    """A text with its references.

    Attributes:
        id: ``path#LINE``.
        text: What is given.
        references: What may be written for it, each on one line; at least one.
    """

    id: str
    text: str
    references: list[str]


class ExampleReader:
    """Reads the records of a folder or a file; iterate it for `Example`s, in the order of paths and lines.

    Args:
        path: A file ``.jsonl .ndjson .csv .tsv``, or a folder; other files in it are not read.
        text_field: The field with the text; a list of strings is a text of as many lines.
        title_field: The field with the reference; a list of strings is as many references, without the empty ones.
        skip_bad: Whether broken files and records are counted and left out instead of raised.
        max_document_mb: The most megabytes (2^20 bytes) that a record may have.

    Attributes:
        report: Counts, complete after the iteration; its ``documents`` are examples.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        text_field: str = "text",
        title_field: str = "title",
        skip_bad: bool = False,
        max_document_mb: float = 16,
    ) -> None:
        self.path = Path(path)
        self.text_field = text_field
        self.title_field = title_field
        self.skip_bad = skip_bad
        self.limit = max(1, int(max_document_mb * 2**20))  # bytes
        self.report = ReadReport()

    def __iter__(self) -> Iterator[Example]:
        """Reads everything once, one record in memory at a time.

        Raises:
            InputError: There is nothing to read; or, unless `skip_bad`, something is broken.
        """
        self.report = ReadReport()
        found = find_files(self.path)
        self.report.ignored.update(sorted(found.ignored.items()))
        for error in found.problems:
            self.report.broken(error, skip=self.skip_bad)
        for file in found.files:
            if file.ending not in RECORDS:
                self.report.ignore(file.ending)
                continue
            for record in read_records(file, self.limit, self.text_field):
                try:
                    example = self._example(file, record)
                except InputError as error:
                    self.report.broken(error, skip=self.skip_bad)
                    continue
                self.report.documents += 1
                yield example
        if self.report.documents == 0:
            why = f"{self.report.skipped} skipped; the first: {self.report.problems[0]}" if self.report.skipped else ""
            hint = f"Endings that can hold examples: {' '.join(RECORDS)}."
            raise InputError("there is no example to read", path=self.path, why=why, hint=hint)

    def _example(self, file: SourceFile, record: Record | InputError) -> Example:
        if isinstance(record, InputError):
            raise record
        fields, line = record.fields, record.line
        text = tidy("\n".join(field_lines(fields, self.text_field, "text_field", file.path, line)))
        titles = map(tidy, field_lines(fields, self.title_field, "title_field", file.path, line))
        references = [" ".join(title.split()) for title in titles if title]
        for name, values in ((self.text_field, [text] if text else []), (self.title_field, references)):
            if not values:
                raise problem(f"the field {name!r} is empty", file.path, line, mend="Fill it in")
            for value in values:
                check_encodable(name, value, file.path, line)
        return Example(f"{file.relative}#{line}", text, references)
