"""Cut the documents into passages and encode each into a vector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from bertpipe.errors import InputError
from bertpipe.pipeline.stage import NEUTRAL, Input, Stage, StageRun
from bertpipe.stages.corpus import DOCUMENTS
from bertpipe.stages.finetune import ENCODER
from bertpipe.text.document import read_documents

PASSAGES, VECTORS = "passages.sqlite", "vectors.npy"
# Passages encoded between two notes of how far the work is; the same for every run, since batches depend on it.
BLOCK = 2048


class EmbedConfig(BaseModel, extra="forbid"):
    """Passages and their vectors."""

    overlap: int = Field(0, ge=0, description="Tokens of whole sentences that neighbouring passages share.")
    threads: Annotated[int, NEUTRAL] = Field(0, ge=0, description="Threads to encode with; 0 is all cores.")


def embed(run: StageRun) -> dict[str, Any]:
    """Writes the passages as SQLite and their vectors as one float32 array."""
    import numpy as np

    from bertpipe.retrieval.encoder import Encoder
    from bertpipe.retrieval.passage_store import PassageStore
    from bertpipe.text.array_file import ArrayFile

    encoder = Encoder(run.inputs["finetune"] / ENCODER, run.config.threads)
    passages = run.out / PASSAGES
    cut = run.resume / "passages.done"
    if not cut.is_file():
        passages.unlink(missing_ok=True)
        _cut_passages(run, encoder, passages)
        cut.touch()
    store = PassageStore.open(passages)
    if not len(store):
        raise InputError("the corpus has no passages", why="no document has any text")
    done_file = run.resume / "vectors.json"
    done, reused = json.loads(done_file.read_text()) if done_file.is_file() else (0, 0)
    shape = (len(store), encoder.settings.width)
    known, known_vectors = _earlier_vectors(run)
    run.progress.start("encoding passages", total=len(store), unit="passages")
    run.progress.advance(done)
    rows = islice(store.iterate(), done, None)
    with ArrayFile(run.out / VECTORS, np.float32, shape, done) as vectors:
        while block := list(islice(rows, BLOCK)):
            known_rows = [known.get(passage.digest) for passage in block]
            fresh = [place for place, row in enumerate(known_rows) if row is None]
            encoded = encoder.encode_passages([(block[place].title, block[place].text) for place in fresh])
            if not np.isfinite(encoded).all():
                raise InputError("the encoder made a vector that is not finite", hint="Train it again.")
            found = np.empty((len(block), shape[1]), dtype=np.float32)
            found[fresh] = encoded
            for place, row in enumerate(known_rows):
                if row is not None:
                    found[place] = known_vectors[row]
                    reused += 1
            vectors.append(found)
            done += len(block)
            partial = done_file.with_suffix(".new")
            partial.write_text(json.dumps([done, reused]))
            partial.replace(done_file)
            run.progress.advance(len(block))
    run.progress.finish()
    return {"passages": len(store), "width": shape[1], "reused": reused}


def _cut_passages(run: StageRun, encoder: Any, path: Path) -> None:
    from bertpipe.retrieval.passage import Passage
    from bertpipe.retrieval.passage_store import PassageStore
    from bertpipe.text.passages import document_windows

    limit = encoder.settings.passage_tokens

    def passages() -> Iterator[Passage]:
        number = 0
        for document in read_documents(run.inputs["corpus"] / DOCUMENTS):
            windows = document_windows(document.title, document.text, encoder.tokenizer, limit, run.config.overlap)
            for place, window in enumerate(windows):
                yield Passage(
                    number=number,
                    passage_id=f"{document.id}#{place}",
                    document=document.id,
                    title=document.title,
                    text=document.text[window.start : window.end],
                    start=window.start,
                    end=window.end,
                    metadata=document.metadata,
                )
                number += 1
            run.progress.advance(1)

    run.progress.start("cutting documents into passages", unit="documents")
    with PassageStore.create(path) as store:
        store.add_many(passages())
    run.progress.finish()


def _earlier_vectors(run: StageRun) -> tuple[dict[str, int], Any]:
    """The vectors that the same encoder made before, by the digest of their passage."""
    import numpy as np

    from bertpipe.retrieval.passage_store import PassageStore

    same_encoder = run.previous_inputs.get("finetune") == run.input_digests.get("finetune")
    if run.previous is None or not same_encoder:
        return {}, None
    numbers = PassageStore.open(run.previous / PASSAGES).numbers_by_digest()
    return numbers, np.load(run.previous / VECTORS, mmap_mode="r", allow_pickle=False)


EMBED = Stage(
    name="embed",
    version=2,
    config=EmbedConfig,
    inputs=(Input("corpus"), Input("finetune")),
    run=embed,
    summary="Cut the documents into passages and encode them.",
    example="bertpipe embed --overlap 32",
)
