"""Keep the corpus as it is now, to learn from: a changed document does not retrain a model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bertpipe.pipeline.stage import Input, Stage, StageRun
from bertpipe.stages.corpus import DOCUMENTS
from bertpipe.text.document import document_lines, parse_document, record_digest


class SnapshotConfig(BaseModel, extra="forbid"):
    """A snapshot has nothing to choose."""


def take_snapshot(run: StageRun) -> dict[str, Any]:
    """Copies ``documents.jsonl``."""
    shutil.copyfile(run.inputs["corpus"] / DOCUMENTS, run.out / DOCUMENTS)
    return {"documents": sum(1 for _ in document_lines(run.out / DOCUMENTS))}


def corpus_drift(snapshot: Path, corpus: Path) -> dict[str, Any]:
    """How far the corpus has moved from a snapshot: counts of new, changed and removed documents."""
    folders = snapshot, corpus
    # Most documents are as they were. Only the others are looked into, and none is kept.
    digests = [{record_digest(line) for _, line in document_lines(folder / DOCUMENTS)} for folder in folders]
    same = digests[0] & digests[1]
    taken, present = (
        {
            document.id: document.digest
            for document in (
                parse_document(line, place)
                for place, line in document_lines(folder / DOCUMENTS)
                if record_digest(line) not in same
            )
        }
        for folder in folders
    )
    common = taken.keys() & present.keys()
    counts = {
        "new": len(present) - len(common),
        "changed": sum(taken[name] != present[name] for name in common),
        "removed": len(taken) - len(common),
    }
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
