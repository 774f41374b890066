"""The words of the passages: BM25 by tantivy, over the terms of `bertpipe.retrieval.analysis`.

The engine was chosen by measurement (``benchmarks/RESULTS.md``): it maps its files into memory instead of
reading them, so an index of a million passages opens in milliseconds. It is given ready terms, so there is no
query language: whatever a user types is searched for, and nothing is executed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import tantivy

from bertpipe.errors import ArtefactError, StorageError
from bertpipe.retrieval.analysis import analyse
from bertpipe.retrieval.forward_index import ForwardIndex, ForwardWriter
from bertpipe.retrieval.terms import TITLE_WEIGHT, passage_terms

MOST_TERMS = 256
"""Different terms of a query that are searched for: its first ones."""
LONGEST_QUERY = 65_536
"""Characters of a query that are looked at."""

SPAN = 24
"""Terms in a row that count as together; measured."""
MOST_NEAR = 32
"""Different terms of a query that are looked for together: its rarest ones."""

# A budget, not an allocation: about a gigabyte of postings, enough for two million passages in one segment.
_WRITER_BYTES = 1_000_000_000
# Below this share of allowed passages the engine is told which they are; above, the others are passed over. Measured
# on 50,000 passages: both take as long at about this share.
_FEW = 0.03
_META = "meta.json"
# Of BM25, as the engine has them.
_K1, _B = np.float32(1.2), np.float32(0.75)
# The lengths that a byte can say: to 39 exactly, then eight to every power of two. The engine's.
_LENGTHS = np.array([*range(24), *(24 + (n if n < 8 else (n % 8 + 8) << (n // 8 - 1)) for n in range(232))])
_TERMS, _NUMBER = "terms", "number"


class LexicalIndex:
    """Finds passages by their words; made by `build` or `open`.

    Scores are BM25 with k1 = 1.2 and b = 0.75 and the idf ``ln(1 + (N - n + 0.5) / (n + 0.5))``, as in Lucene
    (Robertson and Zaragoza 2009). Lengths above 39 terms are rounded down by less
    than a tenth: they are kept in one byte.

    Example:
        >>> index = LexicalIndex.build(folder, [(0, "str.split", "Split a string.")])
        >>> index.search("splitting strings", k=10)
        (array([0]), array([0.77...], dtype=float32))
    """

    def __init__(self, path: Path, index: tantivy.Index, forward: ForwardIndex) -> None:
        self._path, self._forward = path, forward
        self._schema = index.schema
        index.config_reader("manual")  # a published index never changes
        self._searcher = index.searcher()

    @classmethod
    def build(
        cls, path: Path, passages: Iterable[tuple[int, str, str]], *, title_weight: int = TITLE_WEIGHT
    ) -> LexicalIndex:
        """Writes an index; the same passages give the same bytes.

        Args:
            path: A folder, new or empty.
            passages: (number, title, text), by rising number.
            title_weight: How often the terms of a title count.

        Returns:
            The index, open.

        Raises:
            StorageError: The folder cannot be written, for example because the disk is full.
            ValueError: The numbers do not rise, or the folder holds something.
        """
        rows = ((number, passage_terms(title, text, title_weight)) for number, title, text in passages)
        return cls.build_from_terms(path, rows)

    @classmethod
    def build_from_terms(cls, path: Path, passages: Iterable[tuple[int, str]]) -> LexicalIndex:
        """Writes an index of passages whose terms are known already.

        The engine could take out and add passages in place, but it counts those taken out in its statistics until it
        merges its files, so that scores would depend on the past of an index. Writing all anew takes some seconds for
        a hundred thousand passages; what takes long is the analysis, which is not done again.

        Args:
            path: A folder, new or empty.
            passages: (number, what `passage_terms` gave), by rising number.

        Returns:
            The index, open.

        Raises:
            StorageError: The folder cannot be written, for example because the disk is full.
            ValueError: The numbers do not rise, or the folder holds something.
        """
        schema = tantivy.SchemaBuilder()
        schema.add_text_field(_TERMS, tokenizer_name="whitespace", index_option="freq")
        schema.add_unsigned_field(_NUMBER, indexed=True, fast=True)
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise ValueError(f"{path} is not empty")
            index = tantivy.Index(schema.build(), str(path), reuse=False)
            index.config_reader("manual")  # no thread of the engine's is to touch the folder later
            # One thread: several would deal the passages out among segments as it happens.
            writer = index.writer(heap_size=_WRITER_BYTES, num_threads=1)
            forward = ForwardWriter(path)
        except OSError as error:
            raise _unwritable(path, error) from error
        last = -1
        with forward:
            for number, terms in passages:
                if number <= last:
                    raise ValueError(f"passage {number} comes after passage {last}")
                last = number
                document = tantivy.Document()
                document.add_text(_TERMS, terms)
                document.add_unsigned(_NUMBER, number)
                try:
                    writer.add_document(document)
                    forward.add(number, terms.split())
                except (ValueError, OSError) as error:  # the engine's only kind of error, and ours
                    raise _unwritable(path, error) from error
            try:
                forward.finish()
                writer.commit()
                writer.wait_merging_threads()
                _settle(path)
            except (ValueError, OSError) as error:
                raise _unwritable(path, error) from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> LexicalIndex:
        """Opens an index without writing to its folder, which may be read-only.

        Raises:
            ArtefactError: There is no index, or it is damaged.
        """
        if not (path / _META).is_file():
            raise ArtefactError(
                f"there is no lexical index in {path}", hint="Build it again with `bertpipe index --force`."
            )
        try:
            # The engine insists on a lock file beside what it reads. Links let it have one elsewhere; once the
            # files are mapped, their names are no longer needed.
            links = Path(tempfile.mkdtemp(prefix="bertpipe-"))
        except OSError as error:
            raise StorageError(
                "there is no room for temporary files", why=str(error), hint="Set TMPDIR to a folder that has some."
            ) from error
        try:
            for file in path.resolve().iterdir():
                (links / file.name).symlink_to(file)
            return cls(path, tantivy.Index.open(str(links)), ForwardIndex(path))
        except (ValueError, OSError, EOFError) as error:
            raise _damaged(path) from error
        finally:
            _remove(links)

    def __len__(self) -> int:
        return self._searcher.num_docs

    def search(self, query: str, k: int, among: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Finds the best passages that share a term with the query.

        Args:
            query: Any text. Only its terms matter; one without terms finds nothing.
            k: At most how many passages.
            among: bool (N,), the passages that may be found; all if None. Scores do not depend on it.

        Returns:
            numbers, int64 (C,), and scores, float32 (C,): best first, equal scores by number, C <= k.

        Raises:
            ValueError: k is below 1.
        """
        if k < 1:
            raise ValueError(f"k = {k}, but a search needs room for at least one passage")
        terms = _query_terms(query)
        allowed = len(self) if among is None else int(among.sum())
        k = min(k, allowed)
        if not terms or not k:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        found = self._union(terms)
        if among is not None and allowed < len(self) * _FEW:
            found, among = self._within(found, np.flatnonzero(among)), None
        # Where a passage in three may be found, k of them are expected among the first 3k.
        limit = k if among is None else min(len(self), 2 * k * len(self) // allowed)
        while True:
            hits = self._hits(found, limit)
            numbers, scores = self._unpack(hits)
            order = np.lexsort((numbers, -scores))
            if among is not None:
                order = order[among[numbers[order]]]
            if len(hits) < limit or limit == len(self):
                break
            # A segment yields equal scores by number, but several segments do not: all that tie with the last hit
            # have to be seen before the first k of them are known.
            if len(order) >= k and (self._searcher.num_segments == 1 or scores[order[k - 1]] > hits[-1][0]):
                break
            limit = min(4 * limit, len(self))
        return numbers[order[:k]], scores[order[:k]]

    def scores(self, query: str, numbers: np.ndarray) -> np.ndarray:
        """Scores given passages, as `search` would, up to rounding.

        Args:
            query: Any text.
            numbers: int (C,), passage numbers in any order.

        Returns:
            float32 (C,); 0 for a passage that shares no term with the query or does not exist.
        """
        return self._scores(_query_terms(query), numbers).sum(axis=1)

    def nearness(self, query: str, numbers: np.ndarray) -> np.ndarray:
        """How much of a query stands together in given passages: a question is mostly answered in one sentence.

        Args:
            query: Any text.
            numbers: int (C,), passage numbers in any order.

        Returns:
            float64 (C,): the largest sum of the idf of different terms of the query within `SPAN` consecutive terms of
            the passage; 0 for a passage that shares no term with the query or does not exist.
        """
        terms = _query_terms(query)
        held = self._held(terms)
        idf = self._idf(held)
        order = np.argsort(-idf, kind="stable")
        rarest = order[held[order] > 0][:MOST_NEAR]  # one that no passage has would be the rarest
        return self._forward.most_together([terms[place] for place in rarest], idf[rarest], numbers, SPAN)

    def term_scores(self, query: str, numbers: np.ndarray) -> dict[str, np.ndarray]:
        """What each term of a query adds to the scores of given passages.

        Args:
            query: Any text.
            numbers: int (C,), passage numbers in any order.

        Returns:
            float32 (C,) by term, in the order of the query. Their sum is what `scores` says, up to rounding.
        """
        terms = _query_terms(query)
        return dict(zip(terms, self._scores(terms, numbers).T, strict=True))

    def passages_with(self, term: str) -> int:
        """In how many passages a term stands."""
        return int(self._searcher.doc_freq(_TERMS, term))

    def _scores(self, terms: list[str], numbers: np.ndarray) -> np.ndarray:
        """What each of Q terms adds to the scores of given passages, float32 (C, Q)."""
        counts, lengths = self._forward.counts(terms, numbers)
        weights = self._idf(self._held(terms)) * (1 + _K1)
        rounded = _LENGTHS.take(np.searchsorted(_LENGTHS, lengths, side="right") - 1)
        average = np.float32(max(1, self._forward.total_terms) / max(1, len(self)))
        norms = _K1 * (1 - _B + _B * rounded.astype(np.float32) / average)
        frequency = counts.astype(np.float32)
        return weights * (frequency / (frequency + norms[:, None]))

    def _held(self, terms: list[str]) -> np.ndarray:
        """In how many passages terms stand, float32 (Q,)."""
        return np.array([self.passages_with(term) for term in terms], dtype=np.float32)

    def _idf(self, held: np.ndarray) -> np.ndarray:
        """How rare terms are that stand in so many passages, float32 (Q,)."""
        half = np.float32(0.5)
        return np.log(1 + (len(self) - held + half) / (held + half))

    def _union(self, terms: list[str]) -> tantivy.Query:
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, self._term_query(term)) for term in terms])

    def _term_query(self, term: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, _TERMS, term, "freq")

    def _within(self, query: tantivy.Query, numbers: np.ndarray) -> tantivy.Query:
        """The query, of these passages alone and with the same scores."""
        among = tantivy.Query.term_set_query(self._schema, _NUMBER, numbers.tolist())
        clauses = [(tantivy.Occur.Must, query), (tantivy.Occur.Must, tantivy.Query.const_score_query(among, 0.0))]
        return tantivy.Query.boolean_query(clauses)

    def _hits(self, query: tantivy.Query, limit: int) -> list[tuple[float, tantivy.DocAddress]]:
        try:
            return self._searcher.search(query, limit, count=False).hits
        except ValueError as error:  # some of the files are only looked at when they are needed
            raise _damaged(self._path) from error

    def _unpack(self, hits: list[tuple[float, tantivy.DocAddress]]) -> tuple[np.ndarray, np.ndarray]:
        numbers = self._searcher.fast_field_values(_NUMBER, [address for _, address in hits])
        scores = np.fromiter((score for score, _ in hits), dtype=np.float32, count=len(hits))
        return np.array(numbers, dtype=np.int64), scores


def _query_terms(query: str) -> list[str]:
    """The different terms of a query that are searched for."""
    return list(islice(dict.fromkeys(analyse(query[:LONGEST_QUERY])), MOST_TERMS))


def _settle(path: Path) -> None:
    """Makes the folder a function of what was indexed: segments get counted names, and lock files go.

    The engine names segments at random, but their bytes do not depend on the name.
    """
    meta = json.loads((path / _META).read_text(encoding="utf-8"))

    def digest(segment: dict[str, str]) -> str:
        numbers = path / f"{uuid.UUID(segment['segment_id']).hex}.fast"
        return hashlib.sha256(numbers.read_bytes()).hexdigest()

    meta["segments"].sort(key=digest)
    for count, segment in enumerate(meta["segments"], 1):
        old, new = uuid.UUID(segment["segment_id"]), uuid.UUID(int=count)
        for file in path.glob(f"{old.hex}.*"):
            file.rename(file.with_stem(new.hex))
        segment["segment_id"] = str(new)
    for file in path.glob(".*"):
        file.unlink()
    (path / _META).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")


def _remove(folder: Path) -> None:
    """Removes a folder in which a thread of the engine may be putting its lock file at this very moment."""
    for _ in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.001)


def _damaged(path: Path) -> ArtefactError:
    hint = "Build it again with `bertpipe index --force`."
    return ArtefactError(f"the lexical index in {path} is damaged", hint=hint)


def _unwritable(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"the lexical index cannot be written to {path}",
        why=str(error),
        hint="See that the disk has room and that the folder may be written to.",
    )
