"""Cut the documents into passages and encode each into a vector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field

from bertpipe.errors import InputError
from bertpipe.pipeline.stage import NEUTRAL, Input, Stage, StageRun
from bertpipe.stages.corpus import DOCUMENTS
from bertpipe.stages.finetune import ENCODER
from bertpipe.text.document import document_lines, parse_document, record_digest

if TYPE_CHECKING:
    from bertpipe.retrieval.cutting import Entry, PassageCutter
    from bertpipe.retrieval.passage_store import PassageStore

PASSAGES, VECTORS = "passages.sqlite", "vectors.npy"
# Passages encoded between two notes of how far the work is; the same for every run, since batches depend on it.
BLOCK = 2048


class EmbedConfig(BaseModel, extra="forbid"):
    """Passages and their vectors."""

    overlap: int = Field(0, ge=0, description="Tokens of whole sentences that neighbouring passages share.")
    parts: int = Field(
        1,
        ge=1,
        le=16,
        description="Parts of a passage with vectors of their own; it is as near as the nearest of them.",
    )
    threads: Annotated[int, NEUTRAL] = Field(0, ge=0, description="Threads to encode with; 0 is all cores.")


def embed(run: StageRun) -> dict[str, Any]:
    """Writes the passages as SQLite and their vectors as one float32 array."""
    import numpy as np

    from bertpipe.retrieval.cutting import PassageCutter, open_earlier
    from bertpipe.retrieval.encoder import Encoder
    from bertpipe.retrieval.passage_store import PassageStore
    from bertpipe.text.array_file import ArrayFile

    encoder = Encoder(run.inputs["finetune"] / ENCODER, run.config.threads)
    passages = run.out / PASSAGES
    parts = run.config.parts
    cutter = PassageCutter(encoder, run.config.overlap, parts)
    earlier = None
    if run.previous is not None:
        earlier, why = open_earlier(run.previous / PASSAGES, cutter)
        if earlier is None:
            run.progress.note(f"all passages are made anew: {why}")
    cut = run.resume / "passages.done"
    if not cut.is_file():
        _cut_passages(run, cutter, passages, earlier)
        cut.touch()
    store = PassageStore.open(passages)
    if not len(store):
        raise InputError("the corpus has no passages", why="no document has any text")
    done_file = run.resume / "vectors.json"
    done, reused = json.loads(done_file.read_text()) if done_file.is_file() else (0, 0)
    shape = (len(store), parts * encoder.settings.width)
    rows, known = np.full(len(store), -1), np.empty((0, shape[1]), dtype=np.float32)
    if earlier is not None and run.previous is not None:
        rows, known = store.rows_in(earlier), np.load(run.previous / VECTORS, mmap_mode="r", allow_pickle=False)
    run.progress.start("encoding passages", total=len(store), unit="passages")
    run.progress.advance(done)
    with ArrayFile(run.out / VECTORS, np.float32, shape, done) as vectors:
        while done < len(store):
            block = rows[done : done + BLOCK]
            fresh = np.flatnonzero(block < 0)
            texts = [(one.title, one.text) for one in store.get_many(done + fresh)]
            encoded = encoder.encode_passages(texts, parts)
            if not np.isfinite(encoded).all():
                raise InputError("the encoder made a vector that is not finite", hint="Train it again.")
            found = np.empty((len(block), shape[1]), dtype=np.float32)
            found[fresh] = encoded
            found[block >= 0] = known[block[block >= 0]]
            reused += len(block) - len(fresh)
            vectors.append(found)
            done += len(block)
            partial = done_file.with_suffix(".new")
            partial.write_text(json.dumps([done, reused]))
            partial.replace(done_file)
            run.progress.advance(len(block))
    run.progress.finish()
    return {"passages": len(store), "width": encoder.settings.width, "reused": reused}


def _cut_passages(run: StageRun, cutter: PassageCutter, path: Path, earlier: PassageStore | None) -> None:
    """Cuts the documents whose record is not that of a document in the earlier store."""
    from bertpipe.retrieval.cutting import write_passages

    known = {}
    if earlier is not None and cutter.made(earlier):
        known = {digest: number for number, (_, digest) in enumerate(earlier.documents())}

    def entries() -> Iterator[Entry]:
        for place, line in document_lines(run.inputs["corpus"] / DOCUMENTS):
            digest = record_digest(line)
            number = known.get(digest)
            yield (digest, parse_document(line, place)) if number is None else number

    run.progress.start("cutting documents into passages", unit="documents")
    write_passages(path, entries(), cutter, earlier, run.progress.advance)
    run.progress.finish()


EMBED = Stage(
    name="embed",
    version=4,
    config=EmbedConfig,
    inputs=(Input("corpus"), Input("finetune")),
    run=embed,
    summary="Cut the documents into passages and encode them.",
    example="bertpipe embed --overlap 32",
)
