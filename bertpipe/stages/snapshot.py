"""Keep the corpus as it is now, to learn from: a changed document does not retrain a model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bertpipe.pipeline.stage import Input, Stage, StageRun
from bertpipe.stages.corpus import DOCUMENTS
from bertpipe.text.document import document_lines, parse_document, record_digest, record_id


class SnapshotConfig(BaseModel, extra="forbid"):
    """A snapshot has nothing to choose."""


def take_snapshot(run: StageRun) -> dict[str, Any]:
    """Copies ``documents.jsonl``."""
    shutil.copyfile(run.inputs["corpus"] / DOCUMENTS, run.out / DOCUMENTS)
    return {"documents": sum(1 for _ in document_lines(run.out / DOCUMENTS))}


def corpus_drift(snapshot: Path, corpus: Path) -> dict[str, Any]:
    """How far the corpus has moved from a snapshot: counts of new, changed and removed documents."""
    # Most documents are as they were. Only the others are looked into.
    before, now = (folder / DOCUMENTS for folder in (snapshot, corpus))
    taken = {record_id(line, place): record_digest(line) for place, line in document_lines(before)}
    digests = set(taken.values())
    new, same, contents = 0, 0, {}
    for place, line in document_lines(now):
        if record_digest(line) in digests:
            same += 1
        elif (name := record_id(line, place)) in taken:
            contents[name] = parse_document(line, place).digest
        else:
            new += 1
    changed = sum(
        parse_document(line, place).digest != contents[name]
        for place, line in document_lines(before)
        if contents and (name := record_id(line, place)) in contents
    )
    counts = {"new": new, "changed": changed, "removed": len(taken) - same - len(contents)}
    return {word: count for word, count in counts.items() if count}


SNAPSHOT = Stage(
    name="snapshot",
    version=1,
    config=SnapshotConfig,
    inputs=(Input("corpus", pinned=True),),
    run=take_snapshot,
    summary="Keep the corpus as it is now, to learn from.",
    example="bertpipe run --retrain",
    hidden=True,
    drift=corpus_drift,
)
