"""The index: a folder that holds all a search needs, and opens on any machine.

```
index.json         format, default mode, fusion weight, digest of the encoder, number of passages
passages.sqlite    the passages' texts, titles, documents and places
vectors/           their vectors
lexical/           their words
encoder/           the encoder and tokenizer that made the vectors
reader/            what finds answers in passages; only where the pipeline trained one
reranker/          what puts the first hits in a better order; only where the pipeline trained one
report.json        how well it finds, measured on this corpus
measured.npy       which documents there were when that was measured
```
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bertpipe.errors import ArtefactError
from bertpipe.pipeline.artefact import MANIFEST, Artefact
from bertpipe.pipeline.sharing import share_file
from bertpipe.retrieval.cutting import parts_of
from bertpipe.retrieval.encoder import encoder_digest, encoder_files
from bertpipe.retrieval.lexical import LexicalIndex
from bertpipe.retrieval.measured_documents import documents_since
from bertpipe.retrieval.passage_store import PassageStore
from bertpipe.retrieval.search_result import Mode
from bertpipe.retrieval.vectors import VectorIndex
from bertpipe.text.array_file import write_array

FORMAT = 3
STAGE = "index"
SETTINGS, PASSAGES, VECTORS, LEXICAL, ENCODER, READER, RERANKER, REPORT, MEASURED = (
    "index.json",
    "passages.sqlite",
    "vectors",
    "lexical",
    "encoder",
    "reader",
    "reranker",
    "report.json",
    "measured.npy",
)


@dataclass(frozen=True)
class IndexSettings:
    """What ``index.json`` says.

    Attributes:
        encoder: Digest of the encoder that made the vectors.
        passages: N.
        mode: The mode to search in unless told otherwise: the one that won on the report's queries.
        weight: Of the dense side in the hybrid mode, 0 to 1.
        format: Of the folder.
        reader: Digest of the reader; empty without one.
        reranker: Digest of the reranker; empty without one.
        rerank: Searches are reranked unless told otherwise.
        rerank_weight: Of the reranker beside the search's own score, 0 to 1.
        nearness: Of words that stand together, in the hybrid mode.
    """

    encoder: str
    passages: int
    mode: Mode
    weight: float
    format: int = FORMAT
    reader: str = ""
    reranker: str = ""
    rerank: bool = False
    rerank_weight: float = 0.5
    nearness: float = 0.0

    def save(self, folder: Path) -> None:
        """Writes ``index.json``."""
        values = asdict(self)
        if not self.reader:
            del values["reader"]
        if not self.nearness:
            del values["nearness"]
        if not self.reranker:
            del values["reranker"], values["rerank"], values["rerank_weight"]
        text = json.dumps(values, indent=2) + "\n"
        (folder / SETTINGS).write_text(text, encoding="utf-8")


def build_index(
    folder: Path,
    *,
    passages: Path,
    vectors: np.ndarray,
    encoder: Path,
    advance: Callable[[int], None],
    written: Path | None = None,
    reader: Path | None = None,
    dense: VectorIndex | None = None,
    reranker: Path | None = None,
) -> PassageStore:
    """Lays out all of an index but ``index.json`` and the report.

    Args:
        folder: To be filled.
        passages: The passages' SQLite file. Nobody writes to it any more: it is shared.
        vectors: float32 (N, P x D), row n for passage number n.
        encoder: Folder of the encoder that made the vectors.
        advance: Told the number of passages indexed since the last call.
        written: A file with the vectors, to be shared as well; see `VectorIndex.save`.
        reader: Folder of a reader, if one was trained.
        dense: The vectors' index; one that compares every vector if left out.
        reranker: Folder of a reranker, if one was trained.

    Returns:
        The index's passages.

    Raises:
        ArtefactError: The numbers of passages and vectors differ.
    """
    _copy(encoder_files(encoder), folder / ENCODER)
    shutil.rmtree(folder / READER, ignore_errors=True)
    if reader is not None:
        from bertpipe.retrieval.reader import reader_files

        _copy(reader_files(reader), folder / READER)
    shutil.rmtree(folder / RERANKER, ignore_errors=True)
    if reranker is not None:
        from bertpipe.retrieval.reranker import reranker_files

        _copy(reranker_files(reranker), folder / RERANKER)
    share_file(passages, folder / PASSAGES)
    store = PassageStore.open(folder / PASSAGES)
    if len(store) != len(vectors):
        raise ArtefactError(f"{len(store)} passages do not fit {len(vectors)} vectors")
    (dense or VectorIndex.build(vectors, parts=parts_of(store))).save(folder / VECTORS, written)
    shutil.rmtree(folder / LEXICAL, ignore_errors=True)

    def rows() -> Iterator[tuple[int, str]]:
        for number, terms in store.terms():
            yield number, terms
            advance(1)

    LexicalIndex.build_from_terms(folder / LEXICAL, rows())
    return store


def _copy(files: Iterable[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copyfile(path, folder / path.name)


def open_parts(folder: Path) -> tuple[IndexSettings, PassageStore, LexicalIndex, VectorIndex]:
    """Opens what is in a folder, and sees to it that it belongs together."""
    if (folder / MANIFEST).is_file():
        Artefact.open(folder)
    settings = _load_settings(folder)
    found = encoder_digest(folder / ENCODER)
    if found != settings.encoder:
        raise ArtefactError(
            f"{folder}: the vectors were made by encoder {settings.encoder[:12]}, "
            f"but encoder {found[:12]} lies beside them",
            hint="Build the index again with `bertpipe index --force`.",
        )
    passages = PassageStore.open(folder / PASSAGES)
    lexical, vectors = LexicalIndex.open(folder / LEXICAL), VectorIndex.open(folder / VECTORS)
    if len({len(passages), len(vectors), settings.passages}) != 1:
        raise ArtefactError(
            f"{folder} is damaged",
            why=f"its parts hold {len(passages)} passages and {len(vectors)} vectors",
            hint="Build it again with `bertpipe index --force`.",
        )
    return settings, passages, lexical, vectors


def require_own(folder: Path, what: str, built_with: str, found: str) -> None:
    """Makes sure that a model in an index is the one that it was built with.

    Args:
        folder: The index.
        what: The model: "reader".
        built_with: The digest that ``index.json`` has.
        found: The digest of what lies in the folder.

    Raises:
        ArtefactError: It is another one.
    """
    if found != built_with:
        raise ArtefactError(
            f"{folder}: the index was built with {what} {built_with[:12]}, but {what} {found[:12]} lies in it",
            hint="Build the index again with `bertpipe index --force`.",
        )


def save_report(folder: Path, report: dict[str, Any], measured: np.ndarray, present: np.ndarray) -> None:
    """Writes a report, and which documents it was measured on, beside the documents of now."""
    report = report | {"documents": len(measured), "since": documents_since(measured, present)}
    (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    write_array(folder / MEASURED, measured)


def no_index(folder: Path) -> ArtefactError:
    """There is none to open."""
    return ArtefactError(
        f"there is no index at {folder}", hint="Build it with `bertpipe run`, or name one with --index."
    )


def _load_settings(folder: Path) -> IndexSettings:
    path = folder / SETTINGS
    if not path.is_file():
        raise no_index(folder)
    try:
        settings = IndexSettings(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ArtefactError(f"{path} is damaged", why=str(error)) from error
    if settings.format != FORMAT:
        raise ArtefactError(
            f"{folder} has format {settings.format}",
            why=f"this bertpipe reads format {FORMAT}",
            hint="Build the index again with `bertpipe index`.",
        )
    return settings
