"""Indexes that are made or changed by hand, without a pipeline; see `bertpipe.retrieval.index.Index`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bertpipe.errors import ArtefactError
from bertpipe.pipeline.stage import RESUME_FOLDER
from bertpipe.retrieval.cutting import Entry, PassageCutter, parts_of, vectors_of, write_passages
from bertpipe.retrieval.encoder import Encoder
from bertpipe.retrieval.fusion import DEFAULT_WEIGHT
from bertpipe.retrieval.index_folder import (
    ENCODER,
    MEASURED,
    PASSAGES,
    READER,
    REPORT,
    RERANKER,
    IndexSettings,
    build_index,
    save_report,
)
from bertpipe.retrieval.measured_documents import document_keys
from bertpipe.retrieval.passage_store import PassageStore
from bertpipe.retrieval.vectors import VectorIndex
from bertpipe.text.document import Document, document_record, record_digest

_VERDICT = "Not measured: the index was made without a pipeline. Searches are hybrid, with equal weights."


def write_new(out: Path, encoder: Path, documents: Iterable[Document], overlap: int, parts: int) -> dict[str, Any]:
    """Writes an index of documents.

    Args:
        out: An empty folder.
        encoder: Folder of the encoder.
        documents: Of several with one id, the last counts.
        overlap: Tokens of whole sentences that neighbouring passages share.
        parts: Parts of a passage with vectors of their own.

    Returns:
        What the manifest says of it.
    """
    opened = Encoder(encoder)
    cutter = PassageCutter(opened, overlap, parts)
    stored = _room_for_passages(out)
    write_passages(stored, [_entry(document) for document in by_id(documents).values()], cutter, None, _unheard)
    with PassageStore.open(stored) as store:
        vectors = opened.encode_passages([(one.title, one.text) for one in store.iterate()], parts)
        keys = document_keys(store)
    build_index(out, passages=stored, vectors=vectors, encoder=encoder, advance=_unheard).close()
    report = {"measured": False, "queries": 0, "mode": "hybrid", "weight": DEFAULT_WEIGHT, "verdict": _VERDICT}
    save_report(out, report, keys, keys)
    IndexSettings(cutter.facts["encoder"], len(vectors), "hybrid", DEFAULT_WEIGHT).save(out)
    return {"passages": len(vectors)}


def write_edited(
    out: Path,
    folder: Path,
    *,
    settings: IndexSettings,
    earlier: PassageStore,
    dense: VectorIndex,
    encoder: Encoder,
    given: Mapping[str, Document],
    deleted: frozenset[str],
) -> tuple[int, dict[str, Any]]:
    """Writes the next state of an index.

    Args:
        out: An empty folder.
        folder: The index, in the state that is published now. Nobody else writes to it.
        settings: What it says of itself.
        earlier: Its passages.
        dense: Their vectors.
        encoder: Its encoder.
        given: Documents to add or to replace, by id.
        deleted: Ids of documents to leave out.

    Returns:
        How many documents are other than before, and what the manifest says of the new state. Where none is, nothing
        is written.

    Raises:
        ArtefactError: Another bertpipe made the index, which cut or read documents otherwise.
    """
    cutter = PassageCutter(encoder, int(earlier.facts["overlap"]), parts_of(earlier))
    if not cutter.made(earlier):
        raise ArtefactError(
            f"{folder} was made by another bertpipe or Python, which would cut or read it otherwise",
            hint="Build it again.",
        )
    entries: list[Entry] = []
    done, left = 0, dict(given)
    for number, (name, digest) in enumerate(earlier.documents()):
        if name in deleted:
            done += 1
            continue
        entry = _entry(left.pop(name)) if name in left else number
        if isinstance(entry, tuple) and entry[0] == digest:
            entry = number
        done += entry != number
        entries.append(entry)
    done += len(left)
    if not done:
        return 0, {}
    entries += map(_entry, left.values())
    stored = _room_for_passages(out)
    write_passages(stored, entries, cutter, earlier, _unheard)
    with PassageStore.open(stored) as store:
        vectors = vectors_of(store, encoder, earlier, dense.vectors)
        keys = document_keys(store)
    build_index(
        out,
        passages=stored,
        vectors=vectors,
        encoder=folder / ENCODER,
        reader=folder / READER if settings.reader else None,
        reranker=folder / RERANKER if settings.reranker else None,
        dense=dense.with_vectors(vectors),
        advance=_unheard,
    ).close()
    report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    save_report(out, report, np.load(folder / MEASURED, allow_pickle=False), keys)
    replace(settings, passages=len(vectors)).save(out)
    return done, {"passages": len(vectors)}


def by_id(documents: Iterable[Document]) -> dict[str, Document]:
    """Documents by their ids; of several with one id, the last."""
    return {document.id: document for document in documents}


def _room_for_passages(out: Path) -> Path:
    (out / RESUME_FOLDER).mkdir()
    return out / RESUME_FOLDER / PASSAGES


def _entry(document: Document) -> tuple[bytes, Document]:
    return record_digest(document_record(document)), document


def _unheard(count: int) -> None:
    """Nobody watches."""
