"""Searching an index, and changing it while others search."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bertpipe.errors import ArtefactError, ConfigError
from bertpipe.pipeline.artefact import published_folder
from bertpipe.pipeline.editing import edit_artefact
from bertpipe.pipeline.reading import read_whole, state_of
from bertpipe.retrieval.candidates import DEPTH, Candidates, find_candidates
from bertpipe.retrieval.encoder import Encoder, encoder_digest
from bertpipe.retrieval.index_folder import (
    ENCODER,
    READER,
    REPORT,
    RERANKER,
    STAGE,
    no_index,
    open_parts,
    require_own,
)
from bertpipe.retrieval.index_writing import by_id, write_edited, write_new
from bertpipe.retrieval.lexical import LexicalIndex
from bertpipe.retrieval.passage_store import PassageStore
from bertpipe.retrieval.reranking import RERANK_MS, Reranking, mixed
from bertpipe.retrieval.search_result import MODES, Hit, Mode, SearchResult
from bertpipe.retrieval.where import fields_of, nearest_fields, parse_condition
from bertpipe.text.document import Document

if TYPE_CHECKING:
    from bertpipe.models.passage_ranker import PassageRanker
    from bertpipe.models.passage_reader import PassageReader


class Index:
    """Searches an index folder. Neither torch nor Lightning is needed.

    It is for the thread that opened it: SQLite refuses others. Several threads open one each.

    Args:
        folder: The folder; see `bertpipe.retrieval.index_folder`.
        threads: Threads to encode queries with; 0 is all cores.

    Attributes:
        settings: What ``index.json`` says.

    Raises:
        ArtefactError: A file is missing or damaged, or the encoder is not the one that made the vectors.
    """

    def __init__(self, folder: Path, threads: int = 0) -> None:
        self.folder = folder
        self.threads = threads
        # The models take longest to open: searching for words alone does without any, and only asking reads.
        self._encoder: Encoder | None = None
        self._reader: PassageReader | None = None
        self._reranker: PassageRanker | None = None
        self._open()

    @classmethod
    def open(cls, folder: str | Path, threads: int = 0) -> Index:
        """Opens an index: ``Index.open("runs/notes/index")``."""
        return cls(Path(folder), threads)

    @classmethod
    def create(
        cls,
        folder: str | Path,
        encoder: str | Path,
        documents: Iterable[Document] = (),
        *,
        overlap: int = 0,
        parts: int = 1,
    ) -> Index:
        """Makes an index without a pipeline.

        Searches are hybrid with equal weights, because there is nothing to measure with.

        Args:
            folder: Where it is to be; beside it lies its lock.
            encoder: Folder of an encoder, such as ``runs/notes/finetune/encoder``.
            documents: The first documents.
            overlap: Tokens of whole sentences that neighbouring passages share.
            parts: Parts of a passage with vectors of their own; it is as near as the nearest of them.

        Raises:
            ConfigError: There is something in the folder.
            ArtefactError: There is no encoder.
            LockedError: Another process is writing beside it.
        """
        place = Path(folder)
        if place.exists():
            raise ConfigError(f"{place} exists", hint="Open it with Index.open, or choose another folder.")

        def write(out: Path) -> dict[str, Any]:
            return write_new(out, Path(encoder), documents, overlap, parts)

        edit_artefact(place, write, stage=STAGE)
        return cls(place)

    def _open(self) -> None:
        """Opens all that a search for words needs, of one state even while another process writes."""
        if state_of(self.folder) is None:
            raise no_index(self.folder)
        (self.settings, self._passages, self._lexical, self._vectors), self._state = read_whole(self.folder, open_parts)
        self._selected: tuple[str, np.ndarray, tuple[str, ...]] | None = None

    def refresh(self) -> bool:
        """Moves on to the state that is published now; quick if it is the same.

        An open index stays with the state that it was opened in, whatever other processes add or delete.

        Returns:
            Whether there was another state.
        """
        changed = state_of(self.folder) != self._state
        # A kill may have left it under another name when it was opened, from which it has been put back since.
        moved = self._passages.path.parent != published_folder(self.folder.parent, self.folder.name)
        if not changed and not moved:
            return False
        before, earlier = self.settings, self._passages
        self._open()
        earlier.close()
        if moved or before.encoder != self.settings.encoder:
            self._encoder = None
        if before.reader != self.settings.reader:
            self._reader = None
        if before.reranker != self.settings.reranker:
            self._reranker = None
        return changed

    def __len__(self) -> int:
        return self.settings.passages

    @property
    def passages(self) -> PassageStore:
        """What is searched, by number."""
        return self._passages

    @property
    def lexical(self) -> LexicalIndex:
        """The words of the passages."""
        return self._lexical

    @property
    def parts(self) -> int:
        """Parts of a passage that have vectors of their own."""
        return self._vectors.parts

    @property
    def encoder(self) -> Encoder:
        """The encoder that made the vectors.

        Where it is gone, because another one was trained since the index was opened, the index moves on to the state
        that is published now.
        """
        if self._encoder is None:
            self._encoder, _ = read_whole(self.folder, self._open_encoder)
        if self._encoder is None:
            self.refresh()
            self._encoder, _ = read_whole(self.folder, self._open_encoder)
        if self._encoder is None:
            raise ArtefactError(f"{self.folder} is being written again and again", hint="Try once more.")
        return self._encoder

    def _open_encoder(self, place: Path) -> Encoder | None:
        """The encoder in a folder, if it is the one of this state."""
        same = state_of(self.folder) == self._state or encoder_digest(place / ENCODER) == self.settings.encoder
        return Encoder(place / ENCODER, self.threads) if same else None

    @property
    def reader(self) -> PassageReader | None:
        """What finds answers in passages; None where none was trained.

        Raises:
            ArtefactError: It is damaged, or not the one that the index was built with.
        """
        if self._reader is None and self.settings.reader:
            self._reader, _ = read_whole(self.folder, self._open_reader)
        return self._reader

    def _open_reader(self, place: Path) -> PassageReader:
        from bertpipe.retrieval.reader import open_reader, reader_digest

        require_own(self.folder, "reader", self.settings.reader, reader_digest(place / READER))
        return open_reader(place / READER, self.threads)

    @property
    def reranker(self) -> PassageRanker | None:
        """What puts the first hits in a better order; None where none was trained.

        Raises:
            ArtefactError: It is damaged, or not the one that the index was built with.
        """
        if self._reranker is None and self.settings.reranker:
            self._reranker, _ = read_whole(self.folder, self._open_reranker)
        return self._reranker

    def require_reranker(self) -> None:
        """Makes sure that there is a reranker.

        Raises:
            ConfigError: None was trained.
            ArtefactError: As `reranker`.
        """
        if self.reranker is None:
            raise ConfigError(
                f"{self.folder} has no reranker",
                hint="A table [finetune.reranker] in the pipeline file trains one.",
            )

    def _open_reranker(self, place: Path) -> PassageRanker:
        from bertpipe.retrieval.reranker import open_reranker, reranker_digest

        require_own(self.folder, "reranker", self.settings.reranker, reranker_digest(place / RERANKER))
        return open_reranker(place / RERANKER, self.threads)

    def report(self) -> dict[str, Any]:
        """How well the index finds, measured when it was built."""
        return read_whole(self.folder, lambda place: json.loads((place / REPORT).read_text(encoding="utf-8")))[0]

    def search(
        self,
        query: str,
        k: int = 10,
        mode: Mode | None = None,
        where: str | None = None,
        *,
        vector: np.ndarray | None = None,
        nearness: float | None = None,
        rerank: bool | None = None,
        rerank_ms: float = RERANK_MS,
        rerank_depth: int | None = None,
    ) -> SearchResult:
        """Finds the passages that answer a query best.

        Args:
            query: Any text; there is no query language. One without words finds nothing.
            k: At most how many hits; with a condition too, as many as there are.
            mode: How to search; the index's own best mode if left out.
            where: A condition that documents have to meet (`bertpipe.retrieval.where`); all if left out. Scores of the
                sides do not depend on it.
            vector: float32 (D,), the query's, where it was encoded before, together with others.
            nearness: Of words that stand together, in the hybrid mode (`Candidates.parts`); if left out, the index's.
            rerank: Whether the reranker reads the first candidates; if left out, where it surely helped when the index
                was built.
            rerank_ms: Milliseconds that it may take.
            rerank_depth: Candidates that it reads, instead of a time.

        Raises:
            ConfigError: ``k`` is below 1, there is no such mode, the condition is not understood, or there is no
                reranker.
            ArtefactError: The reranker is damaged, or not the one that the index was built with.
        """
        if k < 1:
            raise ConfigError(f"k = {k}", why="a search needs room for at least one hit")
        mode = mode or self.settings.mode
        if mode not in MODES:
            raise ConfigError(f"no mode {mode!r}", hint=f"Choose one of {', '.join(MODES)}.")
        if rerank:
            self.require_reranker()
        ranker = self.reranker if (self.settings.rerank if rerank is None else rerank) else None
        reranking = Reranking(self.settings.rerank_weight, rerank_ms, rerank_depth) if ranker else None
        begin = time.perf_counter()
        hits: list[Hit] = []
        reranked = 0
        if mode != "bm25" and vector is None and query.strip():
            _ = self.encoder  # first, since the index may move on to get it
        among, notes = self._select(where)
        if query.strip():
            count = max(k, reranking.candidates) if reranking else k
            nearness = self.settings.nearness if nearness is None else nearness
            numbers, score, sides, parts = self._rank(query, count, mode, among, vector, nearness)
            found = self._passages.get_many(numbers.tolist())
            if ranker and reranking and found:
                first = found[: reranking.candidates]
                read = reranking.read(ranker, query, [(passage.title, passage.text) for passage in first])
                score = mixed(score, read, reranking.weight)
                order = np.argsort(-score, kind="stable")
                reranked = len(read)
                unread = np.full(len(score) - reranked, np.nan, dtype=np.float32)
                sides["reranker"] = np.concatenate([read, unread])
                found, score, parts = [found[place] for place in order], score[order], {}
                sides = {name: values[order] for name, values in sides.items()}
            found = found[:k]
            of_sides, of_parts = _rows(sides, len(found)), _rows(parts, len(found))
            for rank, one in enumerate(zip(score[:k].tolist(), found, of_sides, of_parts, strict=True), start=1):
                hits.append(Hit(rank, *one))
        return SearchResult(query, mode, (time.perf_counter() - begin) * 1000, hits, reranked, notes)

    def _select(self, where: str | None) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """The passages of the documents that meet a condition, bool (N,), and what is to be said about it."""
        if where is None:
            return None, ()
        if self._selected is None or self._selected[0] != where:
            condition = parse_condition(where)
            unknown = self._passages.unknown_fields(fields_of(condition))
            notes = tuple(nearest_fields(name, known) for name, known in unknown.items())
            self._selected = where, self._passages.matching(condition), notes
        return self._selected[1:]

    def _rank(
        self, query: str, k: int, mode: Mode, among: np.ndarray | None, vector: np.ndarray | None, nearness: float
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The best passages' numbers and scores, the scores of the sides, and what these add to a hybrid score."""
        if mode == "bm25":
            numbers, bm25 = self._lexical.search(query, k, among)
            return numbers, bm25, {"bm25": bm25}, {}
        if vector is None:
            vector = self.encoder.encode_queries([query])[0]
        if mode == "dense":
            numbers, dense = self._vectors.search(vector, k, among)
            return numbers, dense, {"dense": dense}, {}
        found = find_candidates(self._lexical, self._vectors, query, vector, max(DEPTH, k), among, near=nearness > 0)
        parts = found.parts(self.settings.weight, nearness)
        score = np.add.reduce(list(parts.values()))
        best = np.argsort(-score, kind="stable")[:k]
        sides = {name: values[best] for name, values in found.scores.items()}
        return found.numbers[best], score[best], sides, {name: parts[name][best] for name in sides}

    def candidates(self, query: str, vector: np.ndarray | None = None) -> Candidates:
        """What the hybrid mode chooses among, with all that its score may be made of.

        Args:
            query: Any text.
            vector: float32 (D,), the query's, where it was encoded before.
        """
        if vector is None:
            vector = self.encoder.encode_queries([query])[0]
        return find_candidates(self._lexical, self._vectors, query, vector, near=True)

    def add(self, documents: Iterable[Document]) -> int:
        """Adds documents, in place of those with the same ids.

        Those that are replaced keep their places, and new ones come last, so that the index is the one that
        `create` makes of the same documents in this order. Only passages with a new text are encoded; the rest of the
        work is a quick pass over the whole, so add many documents at once.

        Returns:
            How many were new or other than before. If none was, nothing is written.

        Raises:
            InputError: A document is not text.
            LockedError: Another process is writing.
            StorageError: The disk refused; the old state stays.
        """
        return self._edit(by_id(documents), frozenset())

    def delete(self, ids: Iterable[str]) -> int:
        """Deletes documents.

        Args:
            ids: Of the documents. Those that are not there are passed over.

        Returns:
            How many were deleted.

        Raises:
            LockedError: Another process is writing.
            StorageError: The disk refused; the old state stays.
        """
        return self._edit({}, frozenset([ids] if isinstance(ids, str) else ids))

    def _edit(self, given: dict[str, Document], deleted: frozenset[str]) -> int:
        done = 0

        def write(out: Path) -> dict[str, Any] | None:
            nonlocal done
            self.refresh()
            done, facts = write_edited(
                out,
                self.folder,
                settings=self.settings,
                earlier=self._passages,
                dense=self._vectors,
                encoder=self.encoder,
                given=given,
                deleted=deleted,
            )
            return facts if done else None

        edit_artefact(self.folder, write, stage=STAGE)
        self.refresh()
        return done


def _rows(columns: dict[str, np.ndarray], count: int) -> list[dict[str, float]]:
    """One dictionary for each of the first hits, without what is not known of it."""
    rows: list[dict[str, float]] = [{} for _ in range(count)]
    for name, column in columns.items():
        for row, value in zip(rows, column[:count].tolist(), strict=True):
            if not math.isnan(value):
                row[name] = value
    return rows
