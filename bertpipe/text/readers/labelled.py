"""Texts, or pairs of texts, with the labels that people gave them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertpipe.errors import InputError
from bertpipe.text.readers.checked_record import CheckedRecord, checked_records
from bertpipe.text.readers.fields import check_encodable, kind_of
from bertpipe.text.readers.problem import without_skipping
from bertpipe.text.readers.report import ReadReport


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text with its labels.

    Attributes:
        id: ``path#LINE``, or ``path#ID`` where a field holds ids.
        text: The text.
        pair: The second text of a pair; empty where there is none.
        labels: What it is labelled with, each once, in the order of the file; one, unless a text may have several.
        path: The file.
        line: The 1-based line that its record begins on.
    """

    id: str
    text: str
    pair: str
    labels: tuple[str, ...]
    path: Path
    line: int


class LabelledReader:
    """Reads labelled records of a folder or a file; iterate it for `LabelledText`s, in the order of paths and lines.

    A label is text, a whole number (``1`` is the label "1") or true or false. A list of them in JSON lines, or several
    with a separator between them, are the labels of a text that has many; none at all is possible there.

    Args:
        path: A file ``.jsonl .ndjson .csv .tsv``, or a folder; other files in it are not read.
        text_field: The field with the text. A number, ``"1"``, is the column of a table without a row of names, and the
            other fields then are numbers, too.
        pair_field: The field with the second text; empty for single texts.
        label_field: The field with the label or labels; empty to read texts without any.
        separator: What stands between two labels of a text that may have several; empty for one label.
        id_field: The field with the id; empty to number the records by their lines.
        strict: Whether a record with an empty text is an error instead of counted and left out.

    Attributes:
        report: Counts, complete after the iteration; its ``documents`` are records that were read.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        text_field: str,
        pair_field: str = "",
        label_field: str,
        separator: str = "",
        id_field: str = "",
        strict: bool = False,
    ) -> None:
        self.path = Path(path)
        self.text_field = text_field
        self.pair_field = pair_field
        self.label_field = label_field
        self.separator = separator
        self.id_field = id_field
        self.strict = strict
        self.report = ReadReport()

    def __iter__(self) -> Iterator[LabelledText]:
        """Reads everything once, one record in memory at a time.

        Raises:
            InputError: There is nothing to read, or a record is broken: a field is missing or something else than
                text, a label is none or empty, an id stands twice; or, if `strict`, a text is empty.
        """
        self.report = ReadReport()
        lines: dict[str, tuple[Path, int]] = {}
        texts = {"text_field": self.text_field} | ({"pair_field": self.pair_field} if self.pair_field else {})
        for record in checked_records(self.path, texts, self.report, strict=self.strict):
            name = record.id(self.id_field)
            if self.id_field:
                first = lines.setdefault(name, (record.path, record.line))
                if first != (record.path, record.line):
                    what = f"the id {name!r} is also at {first[0]}:{first[1]}"
                    raise record.wrong(what, mend="Give each record its own")
            yield LabelledText(
                name,
                record.texts[0],
                record.texts[1] if self.pair_field else "",
                self._labels(record) if self.label_field else (),
                record.path,
                record.line,
            )

    def _labels(self, record: CheckedRecord) -> tuple[str, ...]:
        value = record.value(self.label_field, "label_field")
        if isinstance(value, list):
            labels = [self._label(item, record) for item in value]
        elif self.separator and isinstance(value, str):
            labels = [self._label(part, record) for part in value.split(self.separator) if part.strip()]
        else:
            labels = [self._label(value, record)]
        return tuple(dict.fromkeys(labels))

    def _label(self, value: Any, record: CheckedRecord) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if not isinstance(value, str):
            what = f"the field {self.label_field!r} is no label"
            fraction = " with a fraction" if isinstance(value, float) else ""
            raise record.wrong(what, why=f"it is {kind_of(value)}{fraction}", mend="Write a name or a whole number")
        label = " ".join(value.replace("\ufeff", "").split())
        if not label:
            what = f"the label in the field {self.label_field!r} is empty"
            raise record.wrong(what, mend="Fill it in, or remove the record")
        try:
            check_encodable(self.label_field, label, record.path, record.line)
        except InputError as error:
            raise without_skipping(error) from None
        return label
