"""Pairs of texts with a number that says how similar they are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bertpipe.text.readers.checked_record import CheckedRecord, checked_records
from bertpipe.text.readers.fields import kind_of
from bertpipe.text.readers.report import ReadReport


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """Two texts and how similar people found them.

    Attributes:
        id: ``path#LINE``.
        text: One text.
        pair: The other.
        score: A finite number on whatever scale the file has.
        path: The file.
        line: The 1-based line that the record begins on.
    """

    id: str
    text: str
    pair: str
    score: float
    path: Path
    line: int


class ScoredPairReader:
    """Reads scored pairs of a folder or a file; iterate it for `ScoredPair`s, in the order of paths and lines.

    Args:
        path: A file ``.jsonl .ndjson .csv .tsv``, or a folder; other files in it are not read.
        text_field: The field with one text. A number, ``"1"``, is the column of a table without a row of names, and the
            other fields then are numbers, too.
        pair_field: The field with the other text.
        score_field: The field with the score.
        strict: Whether a record with an empty text is an error instead of counted and left out.

    Attributes:
        report: Counts, complete after the iteration; its ``documents`` are records that were read.
    """

    def __init__(
        self, path: Path | str, *, text_field: str, pair_field: str, score_field: str, strict: bool = False
    ) -> None:
        self.path = Path(path)
        self.text_field = text_field
        self.pair_field = pair_field
        self.score_field = score_field
        self.strict = strict
        self.report = ReadReport()

    def __iter__(self) -> Iterator[ScoredPair]:
        """Reads everything once, one record in memory at a time.

        Raises:
            InputError: There is nothing to read, or a record is broken: a field is missing or something else than
                text, a score is no number or not finite; or, if `strict`, a text is empty.
        """
        self.report = ReadReport()
        texts = {"text_field": self.text_field, "pair_field": self.pair_field}
        for record in checked_records(self.path, texts, self.report, strict=self.strict):
            yield ScoredPair(
                record.id(""),
                record.texts[0],
                record.texts[1],
                self._score(record),
                record.path,
                record.line,
            )

    def _score(self, record: CheckedRecord) -> float:
        value = record.value(self.score_field, "score_field")
        if isinstance(value, str):
            shown = f"it is {value.strip()[:40]!r}" if value.strip() else "it is empty"
        else:
            shown = f"it is {kind_of(value)}"
        try:
            # Python takes digits with underscores between them for a number.
            is_number = isinstance(value, (int, float, str)) and not isinstance(value, bool) and "_" not in str(value)
            score = float(value) if is_number else math.nan
        except (ValueError, OverflowError):
            score = math.nan
        if not math.isfinite(score):
            what = f"the score in the field {self.score_field!r} is no finite number"
            raise record.wrong(what, why=shown, mend="Write one like 3.5, choose another field with score_field")
        return score
