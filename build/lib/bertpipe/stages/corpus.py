"""Read the user's documents: the only stage that looks outside the pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from bertpipe.pipeline.stage import NEUTRAL, Stage, StageRun, resolve_path
from bertpipe.text.document import Document, write_documents
from bertpipe.text.readers import python_docs
from bertpipe.text.readers.folder import FolderReader
from bertpipe.text.readers.source_files import source_digest

DOCUMENTS = "documents.jsonl"


class CorpusConfig(BaseModel, extra="forbid"):
    """Where the documents are, and how to read them."""

    reader: Literal["folder", "python-docs"] = Field(
        "folder",
        description="folder: files of yours; python-docs: the documentation inside this Python's standard library.",
    )
    path: str = Field(".", description="Folder or file of yours, relative to the pipeline file (reader folder).")
    text_field: str = Field("text", description="Field of a JSONL, CSV or TSV record that holds the text.")
    title_field: str = Field("title", description="Field that holds the title, where a record has one.")
    id_field: str = Field("id", description="Field that identifies a record; without it, its line number does.")
    max_document_mb: int = Field(16, gt=0, description="Largest document or record, in MB.")
    skip_bad: Annotated[bool, NEUTRAL] = Field(
        False, description="Skip and count what cannot be read instead of stopping."
    )


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


def _reader(config: CorpusConfig, base: Path) -> FolderReader | python_docs.PythonDocsReader:
    if config.reader == "python-docs":
        return python_docs.PythonDocsReader()
    return FolderReader(
        resolve_path(config.path, base),
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
    return source_digest(resolve_path(config.path, base))


CORPUS = Stage(
    name="corpus",
    version=1,
    config=CorpusConfig,
    inputs=(),
    run=read_corpus,
    summary="Read the documents.",
    example="bertpipe corpus --path notes --skip-bad",
    source=corpus_source,
)
