"""Read the user's documents: the only stage that looks outside the pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from bertpipe.pipeline.stage import NEUTRAL, Stage, StageRun, resolve_path
from bertpipe.text.document import Document, write_documents
from bertpipe.text.readers import python_docs
from bertpipe.text.readers.dialogue import DialogueReader
from bertpipe.text.readers.folder import FolderReader
from bertpipe.text.readers.parallel import ParallelReader
from bertpipe.text.readers.source_files import files_digest, source_digest

DOCUMENTS = "documents.jsonl"

_Reader = Literal["folder", "parallel", "dialogue", "python-docs"]
# The keys that only some readers look at. Given to another one, a key would change nothing, and nobody would know.
_READERS_OF: Final[dict[str, tuple[_Reader, ...]]] = {
    "target_path": ("parallel",),
    "text_field": ("folder", "dialogue"),
    "title_field": ("folder",),
    "id_field": ("folder",),
    "turn_separator": ("dialogue",),
    "history": ("dialogue",),
}


class CorpusConfig(BaseModel, extra="forbid"):
    """Where the documents are, and how to read them."""

    reader: _Reader = Field(
        "folder",
        description="folder: files of yours; parallel: two files, line by line; dialogue: conversations, reply by "
        "reply; python-docs: the documentation inside this Python's standard library.",
    )
    path: str = Field(".", description="Folder or file of yours, relative to the pipeline file.")
    target_path: str = Field("", description="File with the translations of path's lines (reader parallel).")
    text_field: str = Field("text", description="Field of a JSONL, CSV or TSV record that holds the text or dialogue.")
    title_field: str = Field("title", description="Field that holds the title, where a record has one.")
    id_field: str = Field("id", description="Field that identifies a record; without it, its line number does.")
    turn_separator: str = Field(
        "__eou__", min_length=1, description="What stands between the turns of a line (reader dialogue)."
    )
    history: int = Field(4, ge=1, description="Most turns before a reply in its text (reader dialogue).")
    max_document_mb: int = Field(16, gt=0, description="Largest document or record, in MB.")
    skip_bad: Annotated[bool, NEUTRAL] = Field(
        False, description="Skip and count what cannot be read instead of stopping."
    )

    @field_validator(*_READERS_OF)
    @classmethod
    def _is_for_this_reader(cls, value: Any, info: ValidationInfo) -> Any:
        """Runs for keys that were given, not for defaults."""
        reader, readers = info.data.get("reader"), _READERS_OF[info.field_name or ""]
        if reader is not None and reader not in readers:
            raise ValueError(f'it is for the reader {" or ".join(readers)}, and reader is "{reader}"')
        return value

    @model_validator(mode="after")
    def _has_both_files(self) -> Self:
        if self.reader == "parallel" and not self.target_path:
            raise ValueError("the reader parallel needs target_path, the file with the translations of path's lines")
        return self


def read_corpus(run: StageRun) -> dict[str, Any]:
    """Reads all documents into ``documents.jsonl``."""
    reader = _reader(run.config, run.base)
    characters = 0

    def counted() -> Iterator[Document]:
        nonlocal characters
        for document in reader:
            characters += len(document.text)
            run.progress.advance(1)
            yield document

    run.progress.start("reading documents", unit="documents")
    count = write_documents(run.out / DOCUMENTS, counted())
    run.progress.finish()
    report = reader.report
    for problem in report.problems:
        run.progress.note(f"skipped {problem}")
    if report.skipped > len(report.problems):
        run.progress.note(f"skipped {report.skipped} in all")
    if report.ignored:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(report.ignored.items()))
        run.progress.note(f"not read: {kinds}")
    return {"documents": count, "characters": characters, "skipped": report.skipped}


def _reader(
    config: CorpusConfig, base: Path
) -> FolderReader | ParallelReader | DialogueReader | python_docs.PythonDocsReader:
    path = resolve_path(config.path, base)
    if config.reader == "python-docs":
        return python_docs.PythonDocsReader()
    if config.reader == "parallel":
        return ParallelReader(
            path,
            resolve_path(config.target_path, base),
            skip_bad=config.skip_bad,
            max_document_mb=config.max_document_mb,
        )
    if config.reader == "dialogue":
        return DialogueReader(
            path,
            text_field=config.text_field,
            turn_separator=config.turn_separator,
            history=config.history,
            skip_bad=config.skip_bad,
            max_document_mb=config.max_document_mb,
        )
    return FolderReader(
        path,
        text_field=config.text_field,
        title_field=config.title_field,
        id_field=config.id_field,
        skip_bad=config.skip_bad,
        max_document_mb=config.max_document_mb,
    )


def corpus_source(config: CorpusConfig, base: Path) -> str:
    """Digest of the documents' files, or of the interpreter that carries its documentation."""
    if config.reader == "python-docs":
        return python_docs.digest()
    if config.reader == "parallel":
        return files_digest([resolve_path(config.path, base), resolve_path(config.target_path, base)])
    return source_digest(resolve_path(config.path, base))


CORPUS = Stage(
    name="corpus",
    version=2,
    config=CorpusConfig,
    inputs=(),
    run=read_corpus,
    summary="Read the documents.",
    example="bertpipe corpus --path notes --skip-bad",
    source=corpus_source,
)
