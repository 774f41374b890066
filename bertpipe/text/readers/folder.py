"""Documents from the user's own files: a folder of text, or one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from bertpipe.errors import InputError
from bertpipe.text.document import Document, Scalar
from bertpipe.text.readers.fields import check_storable, field_lines, kind_of, lines_of, which_field
from bertpipe.text.readers.file_text import read_text, tidy
from bertpipe.text.readers.html_text import html_text
from bertpipe.text.readers.markdown_text import markdown_text
from bertpipe.text.readers.problem import problem
from bertpipe.text.readers.record import Record
from bertpipe.text.readers.records import read_records
from bertpipe.text.readers.report import ReadReport
from bertpipe.text.readers.source_files import WHOLE, SourceFile, find_files, supported
from bertpipe.text.readers.titled import Titled, plain_title, readable_stem

_FORMATS: dict[str, Callable[[str], Titled]] = {
    "plain": plain_title,
    "markdown": markdown_text,
    "html": html_text,
}
_TITLE, _ID = "title", "id"


class FolderReader:
    """Reads a folder or a file; iterate it for `Document`s, in the order of the sorted relative paths.

    ``.txt .rst .md .markdown .html .htm`` give one document each: the id is the path inside the folder, the
    title the first heading (``<title>``; a short first line) or else the file's name, metadata ``{"path":
    ...}``. ``.jsonl .ndjson .csv .tsv`` give one for every record: the id is ``path#ID`` with the record's
    own id or else its line number, and every other field with a single value goes to the metadata. A list of
    strings is a text of as many lines; as a title, its first string counts. One record is in memory at a time.

    Args:
        path: A folder or a file.
        text_field: The field of a record that holds the text. In tables a number, ``"2"``, means the second
            column of a table that has no row of names; `title_field` and `id_field` then are numbers, too, or
            are not used.
        title_field: The field with the title. A record may lack it.
        id_field: The field with the id. A record may lack it, and ``""`` numbers all by their lines.
        skip_bad: Whether broken files and records are counted and left out instead of raised.
        max_document_mb: The most megabytes (2^20 bytes) that a file with one document, or a record, may have.

    Attributes:
        report: Counts, complete after the iteration.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        text_field: str = "text",
        title_field: str = _TITLE,
        id_field: str = _ID,
        skip_bad: bool = False,
        max_document_mb: float = 16,
    ) -> None:
        self.path = Path(path)
        self.text_field = text_field
        self.title_field = title_field
        self.id_field = id_field
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
        places: dict[str, tuple[Path, int | None]] = {}
        asked = ((self.title_field, _TITLE), (self.id_field, _ID))
        wanted = {field for field, usual in asked if field not in ("", usual)}
        missing: dict[str, tuple[Path, list[str]]] = {}
        options = {self.title_field: "title_field", self.id_field: "id_field"}
        for file in found.files:
            for item in self._read(file, wanted, missing):
                if isinstance(item, InputError):
                    self.report.broken(item, skip=self.skip_bad)
                    continue
                line, document = item
                first = places.setdefault(document.id, (file.path, line))
                if first != (file.path, line):
                    also = f"{first[0]}:{first[1]}" if first[1] is not None else str(first[0])
                    what = f"the id {document.id!r} is also at {also}"
                    mend = 'Give each its own id, set id_field = "" to number them'
                    self.report.broken(problem(what, file.path, line, mend=mend), skip=self.skip_bad)
                    continue
                self.report.documents += 1
                yield document
        for field in sorted(wanted & missing.keys()):
            at, names = missing[field]
            hint = f"{which_field(options[field], field, names)}."
            raise InputError(f"no record has the field {field!r}", path=at, hint=hint)
        if self.report.documents == 0:
            raise self._nothing(bool(found.files))

    def _nothing(self, had_files: bool) -> InputError:
        report = self.report
        if report.skipped:
            why = f"{report.skipped} skipped; the first: {report.problems[0]}"
            return InputError("no document could be read", path=self.path, why=why, hint="Mend the files.")
        if had_files:
            return InputError("there is no document in it", path=self.path, hint="Add text to the files.")
        kinds = ", ".join(f"{count} {kind}" for kind, count in report.ignored.items())
        why = f"there is only: {kinds}" if kinds else "the folder is empty"
        return InputError("no file that can be read", path=self.path, why=why, hint=supported())

    def _read(
        self, file: SourceFile, wanted: set[str], missing: dict[str, tuple[Path, list[str]]]
    ) -> Iterator[tuple[int | None, Document] | InputError]:
        """The documents of a file with the lines they begin on, and errors in the place of broken ones.

        Fields that the user asked for by name leave ``wanted`` once a record has them, and are noted in
        ``missing`` when one has not.
        """
        if file.ending in WHOLE:
            try:
                yield None, self._whole(file)
            except InputError as error:
                yield error
            return
        for record in read_records(file, self.limit, self.text_field):
            if isinstance(record, InputError):
                yield record
                continue
            for field in list(wanted):
                if field in record.fields:
                    wanted.discard(field)
                else:
                    missing.setdefault(field, (file.path, list(record.fields)))
            try:
                yield record.line, self._record(file, record)
            except InputError as error:
                yield error

    def _whole(self, file: SourceFile) -> Document:
        title, text = _FORMATS[WHOLE[file.ending]](read_text(file.path, self.limit))
        text = tidy(text)
        if not text:
            raise problem("the file has no text, only markup", file.path, mend="Remove it")
        stem = file.relative.rpartition("/")[2].removesuffix(file.path.suffix)
        return Document(file.relative, title or readable_stem(stem), text, {"path": file.relative})

    def _record(self, file: SourceFile, record: Record) -> Document:
        fields, line = record.fields, record.line
        text = tidy("\n".join(field_lines(fields, self.text_field, "text_field", file.path, line)))
        if not text:
            raise problem(f"the field {self.text_field!r} is empty", file.path, line, mend="Fill it in")
        title = fields.get(self.title_field)
        if isinstance(title, list):
            # Several titles are alternatives, such as one summary from each of several people: the first one counts.
            titles = lines_of(title)
            title = title if titles is None else next((one for one in titles if one.strip()), "")
        if isinstance(title, (dict, list)):
            what = f"the field {self.title_field!r} is not text"
            raise problem(what, file.path, line, why=f"it is {kind_of(title)}", mend="Choose another with title_field")
        own = fields.get(self.id_field)
        if isinstance(own, (dict, list, bool, float)) or own == "":
            why = "it is empty" if own == "" else f"it is {kind_of(own)}"
            what = f"the field {self.id_field!r} is no id"
            raise problem(what, file.path, line, why=why, mend="Choose another with id_field")
        metadata: dict[str, Scalar] = {
            name: value
            for name, value in fields.items()
            if name not in (self.text_field, self.title_field, self.id_field) and not isinstance(value, (dict, list))
        }
        document = Document(
            f"{file.relative}#{line if own is None else own}",
            "" if title is None else " ".join(tidy(str(title)).split()),
            text,
            metadata,
        )
        check_storable(document, file.path, line)
        return document
