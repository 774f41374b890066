"""The corpus as piece ids on disk, memory-mapped: any size, read by many processes at once.

```
tokens-00000.npy ...   piece ids, uint16 or uint32, end to end; a shard ends with a document
sentences.npy          int64 (S + 1,): where each sentence starts in the stream of all shards, and its end
documents.npy          int64 (D + 1,): the number of each document's first sentence, and their end
```
The first sentence of every document is its title, empty where it has none.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bertpipe.errors import ArtefactError
from bertpipe.text.array_file import write_array

SHARD_TOKENS = 1 << 25


class TokenStoreWriter:
    """Writes a store document by document.

    Args:
        folder: Created; what it held is overwritten.
        vocab_size: V; decides the width of an id.
        shard_tokens: Tokens after which a shard is closed.
    """

    def __init__(self, folder: Path, vocab_size: int, shard_tokens: int = SHARD_TOKENS) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("*.npy"):
            stale.unlink()
        self.folder = folder
        self.shard_tokens = shard_tokens
        self._dtype = np.dtype(np.uint16 if vocab_size <= 1 << 16 else np.uint32)
        self._shard: list[np.ndarray] = []
        self._in_shard = 0
        self._shards = 0
        self._sentences = array("q", [0])
        self._documents = array("q", [0])

    def add(self, sentences: Sequence[Sequence[int]]) -> None:
        """Appends a document: its title, then its sentences, each as piece ids."""
        for ids in sentences:
            self._shard.append(np.asarray(ids, dtype=self._dtype))
            self._sentences.append(self._sentences[-1] + len(ids))
            self._in_shard += len(ids)
        self._documents.append(len(self._sentences) - 1)
        if self._in_shard >= self.shard_tokens:
            self._close_shard()

    def close(self) -> None:
        """Writes what is still in memory; the store is complete after this."""
        if self._in_shard or not self._shards:
            self._close_shard()
        write_array(self.folder / "sentences.npy", np.frombuffer(self._sentences, dtype=np.int64))
        write_array(self.folder / "documents.npy", np.frombuffer(self._documents, dtype=np.int64))

    def _close_shard(self) -> None:
        tokens = np.concatenate([*self._shard, np.empty(0, self._dtype)])
        write_array(self.folder / f"tokens-{self._shards:05d}.npy", tokens)
        self._shards += 1
        self._shard, self._in_shard = [], 0


class TokenStore:
    """Reads what `TokenStoreWriter` wrote.

    Args:
        folder: The store.

    Attributes:
        sentences: int64 (S + 1,), see the module.
        documents: int64 (D + 1,), see the module.

    Raises:
        ArtefactError: The folder is not a whole store.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._shards = [
                np.load(path, mmap_mode="r", allow_pickle=False) for path in sorted(folder.glob("tokens-*.npy"))
            ]
            self.sentences: np.ndarray = np.load(folder / "sentences.npy", mmap_mode="r", allow_pickle=False)
            self.documents: np.ndarray = np.load(folder / "documents.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, ValueError) as error:
            raise ArtefactError(f"{folder} is not a whole token store", why=str(error)) from error
        whole = bool(self._shards) and all(
            table.ndim == 1 and len(table) and table.dtype == np.int64 for table in (self.sentences, self.documents)
        )
        self._bases = np.cumsum([0] + [shard.size for shard in self._shards])
        whole = whole and self._bases[-1] == self.sentences[-1] and self.documents[-1] == len(self.sentences) - 1
        if not whole:
            raise ArtefactError(f"{folder} is not a whole token store", why="its files do not fit each other")

    @property
    def num_tokens(self) -> int:
        """Tokens of all documents, titles included."""
        return int(self.sentences[-1])

    @property
    def num_documents(self) -> int:
        """D."""
        return len(self.documents) - 1

    def sentence(self, index: int) -> np.ndarray:
        """The piece ids of a sentence."""
        return self.span(int(self.sentences[index]), int(self.sentences[index + 1]))

    def span(self, start: int, end: int) -> np.ndarray:
        """The piece ids from ``start`` to ``end`` of the stream; both in one document."""
        # Not beyond the last shard: an empty sentence may stand at the very end of the stream.
        shard = int(np.searchsorted(self._bases[1:-1], start, side="right"))
        base = int(self._bases[shard])
        return self._shards[shard][start - base : end - base]

    def title(self, document: int) -> np.ndarray:
        """The piece ids of a document's title; may be empty."""
        return self.sentence(int(self.documents[document]))

    def body(self, document: int) -> range:
        """The numbers of a document's sentences, its title left out."""
        return range(int(self.documents[document]) + 1, int(self.documents[document + 1]))

    def document_at(self, position: int) -> int:
        """The document that a position of the stream lies in."""
        sentence = int(np.searchsorted(self.sentences, position, side="right")) - 1
        return int(np.searchsorted(self.documents, sentence, side="right")) - 1

    def sentence_at(self, position: int) -> int:
        """The sentence that a position of the stream lies in."""
        return int(np.searchsorted(self.sentences, position, side="right")) - 1

    def stream(self, limit: int) -> np.ndarray:
        """The first ``limit`` tokens of the stream, copied into one array."""
        pieces, left = [], limit
        for shard in self._shards:
            pieces.append(np.asarray(shard[:left]))
            left -= len(pieces[-1])
            if left <= 0:
                break
        return np.concatenate(pieces)

    def document_frequencies(self, vocab_size: int) -> np.ndarray:
        """In how many documents each piece occurs: int64 (V,)."""
        counts = np.zeros(vocab_size, dtype=np.int64)
        edges = self.sentences[self.documents]
        for document in range(self.num_documents):
            counts[np.unique(self.span(int(edges[document]), int(edges[document + 1])))] += 1
        return counts
