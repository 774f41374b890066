"""What a step of a pipeline is: one declaration, from which flags, help, TOML keys and freshness follow.

A stage is written down once:

```python
class TokenizeConfig(BaseModel, extra="forbid"):
    vocab_size: int = Field(8000, gt=256, description="Pieces in the vocabulary.")
    threads: Annotated[int, NEUTRAL] = Field(0, description="Threads to use; 0 is all cores.")

TOKENIZE = Stage(
    name="tokenize", version=1, config=TokenizeConfig, inputs=(Input("snapshot"),), run=tokenize,
    summary="Train the tokenizer and encode the snapshot.", example="bertpipe tokenize --vocab-size 8000",
)
```

This module imports neither pydantic nor anything heavier, so that looking at a pipeline stays quick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bertpipe.progress import Progress, Silent
from bertpipe.user_path import user_path

if TYPE_CHECKING:
    from pydantic import BaseModel

RESUME_FOLDER: Final = ".resume"
"""Folder inside `StageRun.out` for what only helps a killed run to go on; it is not published."""


class Neutral:
    """The type of `NEUTRAL`."""

    def __repr__(self) -> str:
        return "NEUTRAL"


NEUTRAL: Final = Neutral()
"""Marks a config field that cannot change the result (threads, a log interval): ``Annotated[int, NEUTRAL]``.

A change of such a field makes nothing stale.
"""


@dataclass(frozen=True)
class Input:
    """An artefact that a stage reads.

    Attributes:
        step: Name of the stage that publishes it.
        pinned: The content of the input does not count for freshness, only its declaration (stage, version,
            config) does. ``--retrain`` makes the content count.
    """

    step: str
    pinned: bool = False


@dataclass
class StageRun:
    """Everything that a stage may look at, and the folder that it writes.

    Attributes:
        config: The validated config, an instance of `Stage.config`.
        inputs: Artefact folder by step name.
        out: The folder to fill. It survives a kill, so a stage may find its own earlier files here; it is
            found again only by a run with the same fingerprint and the same inputs.
        base: Folder of the pipeline file.
        progress: Where to tell how far the work is.
        previous: The artefact published before (of any fingerprint), to reuse what did not change; None on a
            first run and with ``--force``. Read it, never write it.
        previous_config: The config in the manifest of ``previous``, as JSON values.
        previous_inputs: Input digests in the manifest of ``previous``, by step name.
        input_digests: The present input digests, by step name.
    """

    config: Any
    inputs: dict[str, Path]
    out: Path
    base: Path = field(default_factory=Path)
    progress: Progress = field(default_factory=Silent)
    previous: Path | None = None
    previous_config: dict[str, Any] = field(default_factory=dict)
    previous_inputs: dict[str, str] = field(default_factory=dict)
    input_digests: dict[str, str] = field(default_factory=dict)

    def path(self, written: str | Path) -> Path:
        """The path that a config means: ``~`` expanded, relative to the pipeline file's folder."""
        return resolve_path(written, self.base)

    @property
    def resume(self) -> Path:
        """The folder for checkpoints: kept through a kill, not published. Created when asked for."""
        folder = self.out / RESUME_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def resolve_path(written: str | Path, base: Path) -> Path:
    """Resolves a path of a config: ``~`` is expanded, a relative path starts at ``base``."""
    return base / user_path(written)


@dataclass(frozen=True)
class Stage:
    """The declaration of one step.

    Attributes:
        name: The step's name: its command, its table in the TOML, its folder in the run.
        version: Raised when the code changes what comes out; older artefacts are then stale.
        config: A pydantic model with ``extra="forbid"``; each field has a default and a description. Fields
            that cannot change the result are annotated with `NEUTRAL`.
        inputs: The artefacts that it reads.
        run: Fills `StageRun.out` and returns metrics for the manifest: JSON values, the most telling first.
        summary: One line of help.
        example: An example command line for ``--help``.
        source: Digest of what lies outside the pipeline, from the config and the pipeline file's folder.
        hidden: The step has no command of its own.
        table: Where its keys are, if not in the table of its name: ``finetune.reader`` is the table ``reader`` inside
            of the step finetune's.
        drift: For a stage with a pinned input: how far the present input (second) is from the published
            artefact of this stage (first), as counts by word, such as ``{"new": 3, "changed": 1}``.
    """

    name: str
    version: int
    config: type[BaseModel]
    inputs: tuple[Input, ...]
    run: Callable[[StageRun], dict[str, Any]]
    summary: str
    example: str
    source: Callable[[Any, Path], str] | None = None
    hidden: bool = False
    drift: Callable[[Path, Path], dict[str, Any]] | None = None
    table: str = ""

    @property
    def keys(self) -> str:
        """The table that its keys are in."""
        return self.table or self.name
