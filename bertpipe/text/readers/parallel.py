"""Sentence pairs from two files: line i of one is the translation of line i of the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from bertpipe.errors import InputError
from bertpipe.text.document import Document
from bertpipe.text.readers.file_text import read_lines, tidy
from bertpipe.text.readers.problem import problem
from bertpipe.text.readers.report import ReadReport
from bertpipe.text.readers.source_files import readable

_Line = tuple[int, str] | InputError


class ParallelReader:
    """Reads a pair of files; iterate it for `Document`s, in the order of the lines.

    A document's text is the source line and its title the target line. Ids are ``name#line`` with the source file's
    name. Only a line feed ends a line (and a carriage return before it): other characters that Unicode calls line
    breaks stand inside sentences of real corpora, and would shift all that follow. One pair is in memory at a time.

    Args:
        source: The file to translate from, UTF-8.
        target: The file with the translations, UTF-8.
        skip_bad: Whether pairs with an empty or broken side are counted and left out instead of raised. Files with
            different numbers of lines are an error even so: nobody knows which line is missing.
        max_document_mb: The most megabytes (2^20 bytes) that a line may have.

    Attributes:
        report: Counts, complete after the iteration.
    """

    def __init__(
        self, source: Path | str, target: Path | str, *, skip_bad: bool = False, max_document_mb: float = 16
    ) -> None:
        self.source = Path(source)
        self.target = Path(target)
        self.skip_bad = skip_bad
        self.limit = max(1, int(max_document_mb * 2**20))  # bytes
        self.report = ReadReport()

    def __iter__(self) -> Iterator[Document]:
        """Reads both files once.

        Raises:
            InputError: A file is missing, empty or no text, the files have different numbers of lines, no pair is left;
                or, unless `skip_bad`, a pair is broken.
        """
        self.report = ReadReport()
        if self.source.exists() and self.target.exists() and self.source.samefile(self.target):
            what = "the source and the target are the same file"
            raise InputError(what, path=self.source, hint="Name the file with the translations in target_path.")
        name = readable(self.source.name)
        sides = [_whole_or_error(read_lines(path, self.limit)) for path in (self.source, self.target)]
        for number, (source, target) in enumerate(zip_longest(*sides), start=1):
            if source is None or target is None:
                raise self._unequal(number, sides, source_is_shorter=source is None)
            pair = self._pair(f"{name}#{number}", number, source, target)
            if isinstance(pair, InputError):
                self.report.broken(pair, skip=self.skip_bad)
                continue
            self.report.documents += 1
            yield pair
        if self.report.documents == 0:
            why = f"{self.report.skipped} skipped; the first: {self.report.problems[0]}"
            raise InputError("no pair of lines could be read", path=self.source, why=why, hint="Mend the files.")

    def _pair(self, name: str, number: int, source: _Line, target: _Line) -> Document | InputError:
        for side in (source, target):
            if isinstance(side, InputError):
                return side
        text, title = (tidy(side[1]) for side in (source, target) if not isinstance(side, InputError))
        if text and title:
            return Document(name, " ".join(title.split()), text)
        if not (text or title):
            what = f"the line is empty, and so is its translation in {self.target.name}"
            return problem(what, self.source, number, mend="Remove it from both files")
        empty, other = (self.target, self.source) if text else (self.source, self.target)
        what = f"the line is empty, but the same line of {other.name} is not"
        return problem(what, empty, number, mend="Fill it in, remove it from both files")

    def _unequal(self, number: int, sides: list[Iterator[_Line]], *, source_is_shorter: bool) -> InputError:
        longer = number + sum(1 for _ in sides[1 if source_is_shorter else 0])
        counts = (number - 1, longer) if source_is_shorter else (longer, number - 1)
        what = f"{counts[0]:,} lines, but {self.target} has {counts[1]:,}"
        hint = "Line i of one file has to be the translation of line i of the other: find the line that is missing."
        return InputError(what, path=self.source, hint=hint)


def _whole_or_error(lines: Iterator[_Line]) -> Iterator[_Line]:
    """The lines of a file; what is wrong with the file as a whole is raised, since one file alone is no pair."""
    for line in lines:
        if isinstance(line, InputError) and line.line is None:
            error = InputError(line.what, why=line.why, hint="Both files are needed: check path and target_path.")
            error.path = line.path
            raise error
        yield line
