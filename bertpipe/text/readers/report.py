"""What a reader has to say after it has read."""

from __future__ import annotations

from dataclasses import dataclass, field

from bertpipe.errors import InputError
from bertpipe.text.readers.problem import OR_SKIP

REMEMBERED = 5  # problems kept word for word; the rest is only counted


@dataclass(slots=True)
class ReadReport:
    """The count of a reading; complete once the reader has been iterated to its end.

    Attributes:
        documents: How many were read.
        skipped: How many broken records or files were left out because the user said so.
        problems: The first few reasons for skipping, with file and line.
        ignored: What was never tried, by kind (``".pdf"``) and count.
    """

    documents: int = 0
    skipped: int = 0
    problems: list[str] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)

    def broken(self, error: InputError, *, skip: bool) -> None:
        """Raises the error of a broken record or file, or counts it and keeps the reason without the advice to skip.

        Raises:
            InputError: The error itself, unless ``skip``.
        """
        if not skip:
            raise error
        self.skipped += 1
        if len(self.problems) < REMEMBERED:
            self.problems.append(str(error).removesuffix(f" {OR_SKIP}").removesuffix(","))

    def ignore(self, kind: str) -> None:
        """Counts one thing that was never tried."""
        self.ignored[kind] = self.ignored.get(kind, 0) + 1
