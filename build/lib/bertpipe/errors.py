"""Every error that bertpipe raises on purpose.

```
BertpipeError            what is wrong, why, and what to do: one line for a person
├── ConfigError          a pipeline file or a flag: unknown key, wrong type, missing value
├── InputError           the user's text: unreadable, broken, empty; carries file and line
├── ArtefactError        something a stage published: missing, damaged, or made by another encoder
├── LockedError          another process is writing the same run
├── StorageError         the disk: full, read-only, not permitted
├── TrainingError        a loss that is not finite, a budget that cannot be met
└── InterruptedRun       Ctrl-C; what was finished is kept and the next run resumes
```
"""

from __future__ import annotations

from pathlib import Path


class BertpipeError(Exception):
    """An error with a message meant for a person.

    Args:
        what: What is wrong, naming the file, key or step.
        why: The reason, if it is not plain from ``what``.
        hint: What to do about it, as a full sentence.
    """

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        self.what = what
        self.why = why
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.what} ({self.why})" if self.why else self.what
        if self.hint:
            text = f"{text}. {self.hint}"
        return " ".join(text.split())


class ConfigError(BertpipeError):
    """A pipeline file or a flag cannot be used as it is."""


class InputError(BertpipeError):
    """A file of the user's cannot be read as text, or a record in it is broken.

    Args:
        what: What is wrong with it.
        path: The file.
        line: 1-based line number, where there is one.
        why: The reason, if it is not plain from ``what``.
        hint: What to do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        path: Path | str | None = None,
        line: int | None = None,
        why: str = "",
        hint: str = "",
    ) -> None:
        self.path = path
        self.line = line
        if path is not None:
            place = f"{path}:{line}" if line is not None else str(path)
            what = f"{place}: {what}"
        super().__init__(what, why=why, hint=hint)


class ArtefactError(BertpipeError):
    """A published artefact is missing, damaged, or does not fit the others."""


class LockedError(BertpipeError):
    """Another process holds the run folder."""


class StorageError(BertpipeError):
    """The disk refused: full, read-only, or not permitted."""


class TrainingError(BertpipeError):
    """Training cannot go on and must not publish a model."""


class InterruptedRun(BertpipeError):
    """The user pressed Ctrl-C."""
