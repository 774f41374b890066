"""What a step published: a folder with files and the manifest that vouches for them.

Needs nothing but the standard library, because `bertpipe search` opens an index through it.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final

from bertpipe.errors import ArtefactError

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
OLD_PREFIX: Final = ".old-"
PARTIAL_PREFIX: Final = ".partial-"


@dataclass(frozen=True)
class Manifest:
    """What is recorded about an artefact.

    Attributes:
        stage: Name of the stage.
        version: The stage's version.
        config: The whole config, as JSON values.
        inputs: Content digest of each input, by step name.
        pinned: Declaration (stage, version, config, inputs) of each pinned input, by step name.
        source: Digest of what was read from outside the pipeline; empty if nothing.
        fingerprint: What freshness is judged by.
        outputs: ``{"bytes": int, "sha256": str}`` by file, as a POSIX path relative to the folder.
        metrics: What the stage reported.
        seconds: How long the run that published it took.
        packages: Versions of the packages that made it.
        created: Time of publishing, ISO 8601 in UTC.
        edited: What was done to the files since the stage published them, in words; the artefact is then stale.
        format: Version of this table.
    """

    stage: str
    version: int
    config: dict[str, Any]
    inputs: dict[str, str]
    pinned: dict[str, Any]
    source: str
    fingerprint: str
    outputs: dict[str, dict[str, Any]]
    metrics: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    packages: dict[str, str] = field(default_factory=dict)
    created: str = ""
    edited: str = ""
    format: int = FORMAT

    def to_json(self) -> str:
        """The manifest as it stands on disk."""
        values = asdict(self)
        if not self.edited:
            del values["edited"]
        return json.dumps(values, ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Reads the manifest of a folder.

        Raises:
            ArtefactError: There is no folder or no manifest, it is damaged, or of another format.
        """
        path = folder / MANIFEST
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            what = "has no manifest" if folder.is_dir() else "does not exist"
            raise ArtefactError(f"{folder} {what}", hint="`bertpipe run` makes it") from None
        except (ValueError, OSError) as error:
            raise _damaged(path, str(error)) from error
        if not isinstance(table, dict) or not isinstance(table.get("format"), int):
            raise _damaged(path, "it is not a table with a format")
        if table["format"] != FORMAT:
            raise ArtefactError(
                f"{path} has format {table['format']}",
                why=f"this bertpipe reads format {FORMAT}",
                hint="Make the artefact again, or use the bertpipe that made it",
            )
        try:
            manifest = cls(**table)
        except TypeError as error:
            raise _damaged(path, str(error)) from error
        problem = manifest._problem()
        if problem:
            raise _damaged(path, problem)
        return manifest

    def _problem(self) -> str:
        """What is wrong with the values, or nothing. The dataclass itself checks only the names."""
        for name in ("config", "inputs", "pinned", "outputs", "metrics", "packages"):
            if not isinstance(getattr(self, name), dict):
                return f"{name} is not a table"
        if not isinstance(self.seconds, int | float) or not isinstance(self.fingerprint, str):
            return "seconds or fingerprint has a wrong type"
        for name, entry in self.outputs.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                return f"output {name} lies outside the folder"
            if not isinstance(entry, dict) or not isinstance(entry.get("bytes"), int):
                return f"output {name} has no size"
        return ""


@dataclass(frozen=True)
class Artefact:
    """A published folder whose files have the sizes that its manifest says.

    Attributes:
        folder: Where it lies.
        manifest: What is recorded about it.
    """

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: Path, *, verify: bool = False) -> Artefact:
        """Opens a published folder.

        Args:
            folder: The folder with the manifest.
            verify: Also hash every file; otherwise only sizes are checked.

        Raises:
            ArtefactError: It is missing, has no manifest, or a file of it is missing or damaged.
        """
        artefact = cls(folder, Manifest.read(folder))
        problem = artefact.damage(verify=verify)
        if problem:
            raise ArtefactError(f"{folder}: {problem}", hint="`bertpipe run` makes it again")
        return artefact

    @cached_property
    def digest(self) -> str:
        """Digest of the content: sha256 over the names, sizes and hashes of the files."""
        return digest_json(self.manifest.outputs)

    @property
    def bytes(self) -> int:
        """Size of all files, in bytes."""
        return sum(entry["bytes"] for entry in self.manifest.outputs.values())

    def damage(self, *, verify: bool = False) -> str:
        """The first difference between the files and the manifest, in words; empty if there is none."""
        for name, expected in self.manifest.outputs.items():
            path = self.folder / name
            try:
                size = path.stat().st_size
                if size != expected["bytes"]:
                    return f"file {name} is damaged: {size:,} bytes, {expected['bytes']:,} expected"
                if verify and digest_file(path) != expected.get("sha256"):
                    return f"file {name} is damaged: its content is not what was published"
            except (FileNotFoundError, NotADirectoryError):
                return f"file {name} is missing"
            except OSError as error:
                return f"file {name} cannot be read: {error.strerror}"
        return ""


def published_folder(run_folder: Path, step: str) -> Path:
    """The folder of a step's published artefact, whether it exists or not.

    Replacing an artefact takes two renames. Between them, or after a kill there, the old artefact still
    stands beside its place; it is what was published last.
    """
    folder = run_folder / step
    aside = run_folder / f"{OLD_PREFIX}{step}"
    if not folder.exists() and aside.exists():
        return aside
    return folder


def digest_json(value: Any) -> str:
    """sha256 over canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def digest_file(path: Path, *, flush: bool = False) -> str:
    """sha256 of a file's bytes.

    Args:
        path: The file.
        flush: Also flush the file to the disk, so that what was hashed survives a power cut.
    """
    with path.open("rb") as file:
        if flush:
            os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(path: Path, why: str) -> ArtefactError:
    return ArtefactError(f"{path} is damaged", why=why, hint="`bertpipe run` makes it again")
