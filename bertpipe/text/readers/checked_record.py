"""The records of labelled data: none is left out unseen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bertpipe.errors import InputError
from bertpipe.text.readers.fields import check_encodable, field_lines, kind_of, which_field
from bertpipe.text.readers.file_text import tidy
from bertpipe.text.readers.problem import problem, without_skipping
from bertpipe.text.readers.records import read_records
from bertpipe.text.readers.report import ReadReport
from bertpipe.text.readers.source_files import RECORDS, find_files

LIMIT = 16 * 2**20  # bytes that a record may have


class CheckedRecord(NamedTuple):
    """A record that could be read, and ways to look at its fields that say what is wrong with them.

    Attributes:
        path: The file.
        name: The file's path inside the folder that the user gave.
        line: The 1-based line that the record begins on.
        fields: Its fields by name.
        texts: What the fields with text hold, in the order they were asked for; none is empty.
    """

    path: Path
    name: str
    line: int
    fields: Mapping[str, Any]
    texts: tuple[str, ...] = ()

    def value(self, field: str, option: str) -> Any:
        """What a field holds.

        Args:
            field: Its name.
            option: What the user names it with: ``label_field``.

        Raises:
            InputError: The record has no such field.
        """
        if field not in self.fields:
            raise self.wrong(f"the record has no field {field!r}", mend=which_field(option, field, list(self.fields)))
        return self.fields[field]

    def text(self, field: str, option: str) -> str:
        """A field's text, which may be empty; a list of strings is a text of as many lines.

        Raises:
            InputError: The field is missing, something else than text, or has half a character.
        """
        try:
            text = tidy("\n".join(field_lines(self.fields, field, option, self.path, self.line)))
            check_encodable(field, text, self.path, self.line)
        except InputError as error:
            raise without_skipping(error) from None
        return text

    def id(self, field: str) -> str:
        """``name#ID`` with what a field holds, or ``name#LINE`` where no field is named.

        Raises:
            InputError: The field is missing, or is neither text nor a whole number.
        """
        if not field:
            return f"{self.name}#{self.line}"
        own = self.value(field, "id_field")
        if isinstance(own, bool) or not isinstance(own, (str, int)) or own == "":
            why = "it is empty" if own == "" else f"it is {kind_of(own)}"
            raise self.wrong(f"the field {field!r} is no id", why=why, mend="Choose another with id_field")
        name = f"{self.name}#{own}"
        try:
            check_encodable(field, name, self.path, self.line)
        except InputError as error:
            raise without_skipping(error) from None
        return name

    def wrong(self, what: str, *, why: str = "", mend: str = "Mend it") -> InputError:
        """An error about this record."""
        return without_skipping(problem(what, self.path, self.line, why=why, mend=mend))


def checked_records(
    path: Path, text_fields: Mapping[str, str], report: ReadReport, *, strict: bool
) -> Iterator[CheckedRecord]:
    """The records of a file or of all files in a folder, in the order of paths and lines, one in memory at a time.

    Args:
        path: A file ``.jsonl .ndjson .csv .tsv``, or a folder; other files in it are not read.
        text_fields: The fields with text, by the options that name them. If the first is a number, tables have no row
            of names (`read_records`).
        report: Counts the records, those left out, and by kind the files that were not read.
        strict: Whether a record with an empty text is an error; otherwise it is left out.

    Raises:
        InputError: There is nothing to read, or a record is broken.
    """
    if path.suffix.lower() not in RECORDS and path.is_file():
        what = f"cannot read labelled records from {path.suffix or 'a file without an ending'}"
        hint = f"Endings that can hold them: {' '.join(RECORDS)} (JSON with one object on each line)."
        raise InputError(what, path=path, hint=hint)
    found = find_files(path)
    report.ignored.update(sorted(found.ignored.items()))
    for error in found.problems:
        raise without_skipping(error)
    for file in found.files:
        if file.ending not in RECORDS:
            report.ignore(file.ending)
            continue
        for item in read_records(file, LIMIT, next(iter(text_fields.values()))):
            if isinstance(item, InputError):
                raise without_skipping(item)
            record = CheckedRecord(file.path, file.relative, item.line, item.fields)
            texts = tuple(record.text(field, option) for option, field in text_fields.items())
            if not all(texts):
                empty = list(text_fields.values())[texts.index("")]
                error = record.wrong(f"the field {empty!r} is empty", mend="Fill it in, or remove the record")
                report.broken(error, skip=not strict)
                continue
            report.documents += 1
            yield record._replace(texts=texts)
    if report.documents == 0:
        why = f"{report.skipped} skipped; the first: {report.problems[0]}" if report.skipped else ""
        hint = f"Endings that can hold labelled records: {' '.join(RECORDS)}."
        raise InputError("there is no record to read", path=path, why=why, hint=hint)
