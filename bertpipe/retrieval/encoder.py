"""The text encoder on the query path: tokenizer and ONNX graph, without torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bertpipe.errors import ArtefactError
from bertpipe.retrieval.graph import files_digest, open_graph
from bertpipe.text.even_parts import even_parts
from bertpipe.text.sequences import padded, passage_sequence, query_sequence
from bertpipe.text.tokenizer import Tokenizer, tokenizer_file

GRAPH, SETTINGS = "encoder.onnx", "encoder.json"
# Tokens in a batch, padding included: larger batches fall out of the cache, smaller ones leave cores waiting.
BATCH_TOKENS = 4096


@dataclass(frozen=True)
class EncoderSettings:
    """What an encoder's files do not tell by themselves.

    Attributes:
        width: D, the length of a vector.
        query_tokens: Longest query.
        passage_tokens: Longest passage, title included.
    """

    width: int
    query_tokens: int
    passage_tokens: int

    def save(self, folder: Path) -> None:
        """Writes ``encoder.json``."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        (folder / SETTINGS).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> EncoderSettings:
        """Reads what `save` wrote.

        Raises:
            ArtefactError: The file is missing or damaged.
        """
        try:
            return cls(**json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ArtefactError(f"{folder / SETTINGS} cannot be read", why=str(error)) from error


def encoder_files(folder: Path) -> list[Path]:
    """An encoder's three files: graph, tokenizer and settings.

    Raises:
        ArtefactError: There is no tokenizer.
    """
    return [folder / GRAPH, tokenizer_file(folder), folder / SETTINGS]


def encoder_digest(folder: Path) -> str:
    """Sha256 over an encoder's three files.

    Raises:
        ArtefactError: A file is missing.
    """
    return files_digest(encoder_files(folder), "the encoder")


class Encoder:
    """Turns queries and passages into vectors of length 1.

    Args:
        folder: Holds ``encoder.onnx``, ``encoder.json``, and ``tokenizer.model`` or ``tokenizer.json``.
        threads: Threads to compute with; 0 is all cores.

    Attributes:
        folder: As given.
        settings: Width and limits.
        tokenizer: The encoder's own.

    Raises:
        ArtefactError: A file is missing or damaged.
        ConfigError: Its tokenizer needs a library that is not installed.
    """

    def __init__(self, folder: Path, threads: int = 0) -> None:
        self.folder = folder
        self.settings = EncoderSettings.load(folder)
        self.tokenizer = Tokenizer(folder)
        self._session = open_graph(folder / GRAPH, threads)

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        """Encodes queries.

        Args:
            queries: N texts.

        Returns:
            float32 (N, D).
        """
        limit = self.settings.query_tokens
        # A piece stands for at least one character, and no query needs more characters than this for its pieces.
        ids = self.tokenizer.encode_batch([query[: 32 * limit] for query in queries])
        return self._encode([query_sequence(one, limit, self.tokenizer.special) for one in ids])

    def encode_passages(self, passages: Sequence[tuple[str, str]], parts: int = 1) -> np.ndarray:
        """Encodes passages.

        What answers a query is often a sentence of many, and a vector of all of them says little of it. With several
        parts, a passage has a vector for each: half that part's own, half the whole's.

        Args:
            passages: N pairs of title and text.
            parts: P, of like length.

        Returns:
            float32 (N, P x D), the vectors of a passage side by side. Their length is 1, with several parts at most 1.
        """
        whole = self._encode_passages(passages)
        if parts == 1:
            return whole
        pieces: list[tuple[str, str]] = []
        for title, text in passages:
            spans = even_parts(text, parts)
            # A text too short to be cut is each of its parts.
            pieces += [(title, text[start:end]) for start, end in (spans if len(spans) == parts else spans * parts)]
        vectors = self._encode_passages(pieces).reshape(len(passages), parts, self.settings.width)
        vectors += whole[:, None]
        vectors /= 2
        return vectors.reshape(len(passages), parts * self.settings.width)

    def _encode_passages(self, passages: Sequence[tuple[str, str]]) -> np.ndarray:
        """One vector for each pair of title and text, float32 (N, D)."""
        limit = self.settings.passage_tokens
        titles = self.tokenizer.encode_batch([title for title, _ in passages])
        texts = self.tokenizer.encode_batch([text for _, text in passages])
        special = self.tokenizer.special
        return self._encode(
            [passage_sequence(title, text, limit, special) for title, text in zip(titles, texts, strict=True)]
        )

    def _encode(self, sequences: list[list[int]]) -> np.ndarray:
        vectors = np.empty((len(sequences), self.settings.width), dtype=np.float32)
        for batch in _batches(sequences):
            input_ids, attention_mask = padded([sequences[index] for index in batch], self.tokenizer.pad_id)
            feed = {"input_ids": input_ids, "attention_mask": attention_mask}
            vectors[batch] = self._session.run(None, feed)[0]
        return vectors


def _batches(sequences: list[list[int]]) -> Iterator[list[int]]:
    """Numbers of sequences of like length, longest first, so that little is padding."""
    batch: list[int] = []
    width = 0
    for index in sorted(range(len(sequences)), key=lambda index: (-len(sequences[index]), index)):
        if batch and (len(batch) + 1) * width > BATCH_TOKENS:
            yield batch
            batch = []
        if not batch:
            width = len(sequences[index])
        batch.append(index)
    if batch:
        yield batch
