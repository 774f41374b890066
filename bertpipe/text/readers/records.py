"""The records of a file of any format that holds many documents."""

from __future__ import annotations

from collections.abc import Iterator

from bertpipe.errors import InputError
from bertpipe.text.readers.fields import which_field
from bertpipe.text.readers.json_lines import read_json_lines
from bertpipe.text.readers.problem import problem
from bertpipe.text.readers.record import Record
from bertpipe.text.readers.source_files import RECORDS, SourceFile
from bertpipe.text.readers.table import read_header, read_table


def read_records(file: SourceFile, limit: int, text_field: str) -> Iterator[Record | InputError]:
    """The records of a JSON lines file or a table, one in memory at a time.

    Args:
        file: Its ending is one of `RECORDS`.
        limit: The most bytes that a line, and the most characters that a row may have.
        text_field: The field that the caller is going to use. A number, ``"2"``, tells that a table has no row of
            names; another column has to be in that row.

    Yields:
        The records, and an `InputError` in the place of what cannot be read. A file without any gives one error.
    """
    if RECORDS[file.ending] == "json":
        records = read_json_lines(file.path, limit)
    else:
        header = not text_field.isdecimal()
        if header:
            names = read_header(file.path, limit)
            if names and text_field not in names:
                mend = which_field("text_field", text_field, names)
                mend += ' (for a table without a row of names, give the column\'s number: text_field = "2")'
                yield problem(f"the table has no column {text_field!r}", file.path, 1, mend=mend)
                return
        records = read_table(file.path, limit, header=header)
    empty = True
    for record in records:
        empty = False
        yield record
    if empty:
        yield problem("the file has no records", file.path, mend="Add some or remove it")
