"""Scoring passages for a query with a model that reads both, whatever runs it: torch or onnxruntime."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bertpipe.errors import ArtefactError
from bertpipe.models.like_length import like_length
from bertpipe.text.sequences import padded, ranked_sequence
from bertpipe.text.tokenizer import Tokenizer

SETTINGS = "reranker.json"
RERANKING = "reranking"
"""What a cross-encoder has learned to do."""
# Tokens in a batch, padding included.
BATCH_TOKENS = 4096

Run = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""input_ids, attention_mask and token_type_ids, int64 (B, T), to scores float32 (B,)."""


@dataclass(frozen=True)
class RerankerSettings:
    """What a reranker's files do not tell by themselves.

    Attributes:
        max_tokens: Tokens of a query and a passage together.
        query_tokens: Tokens of a query that are read.

    Raises:
        ArtefactError: They leave no room for a passage.
    """

    max_tokens: int
    query_tokens: int

    def __post_init__(self) -> None:
        whole = all(isinstance(value, int) and not isinstance(value, bool) for value in asdict(self).values())
        if not (whole and 2 < self.query_tokens < self.max_tokens - 2):
            raise ArtefactError(f"max_tokens = {self.max_tokens}, query_tokens = {self.query_tokens} cannot be")

    def save(self, folder: Path) -> None:
        """Writes ``reranker.json``."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        (folder / SETTINGS).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> RerankerSettings:
        """Reads what `save` wrote.

        Raises:
            ArtefactError: The file is missing or damaged.
        """
        path = folder / SETTINGS
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, ArtefactError) as error:
            raise ArtefactError(f"{path} cannot be read", why=str(error)) from error


class PassageRanker:
    """Says how well passages answer a query.

    Args:
        tokenizer: The model's.
        settings: The model's limits.
        run: The model.
        batch_tokens: Tokens that it is given at once, padding included; a longer text is given by itself.
    """

    def __init__(
        self, tokenizer: Tokenizer, settings: RerankerSettings, run: Run, batch_tokens: int = BATCH_TOKENS
    ) -> None:
        self.tokenizer = tokenizer
        self.settings = settings
        self._run = run
        self._batch_tokens = batch_tokens

    def scores(self, query: str, passages: Sequence[tuple[str, str]]) -> np.ndarray:
        """Scores passages; only the differences between the passages of one query mean anything.

        Args:
            query: The query.
            passages: C titles with their texts.

        Returns:
            float32 (C,), higher is better.
        """
        return self.pair_scores([(query, title, text) for title, text in passages])

    def pair_scores(self, pairs: Sequence[tuple[str, str, str]]) -> np.ndarray:
        """Scores queries with passages, many in a batch.

        Args:
            pairs: C triples of a query, a title and a text.

        Returns:
            float32 (C,).
        """
        limit = self.settings.max_tokens
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        # A piece stands for at least one character; of what is cut off, no more than need be is looked at.
        encoded = dict(zip(texts, self.tokenizer.encode_batch([one[: 32 * limit] for one in texts]), strict=True))
        sequences = [self.sequence(*(encoded[text] for text in pair)) for pair in pairs]
        scores = np.empty(len(sequences), dtype=np.float32)
        for batch in like_length([len(ids) for ids, _ in sequences], self._batch_tokens):
            input_ids, attention_mask = padded([sequences[number][0] for number in batch], self.tokenizer.pad_id)
            token_type_ids, _ = padded([sequences[number][1] for number in batch], 0)
            scores[batch] = self._run(input_ids, attention_mask, token_type_ids)
        return scores

    def sequence(self, query: Sequence[int], title: Sequence[int], text: Sequence[int]) -> tuple[list[int], list[int]]:
        """What the model reads of piece ids: input_ids and token_type_ids."""
        limits = self.settings
        return ranked_sequence(query, title, text, limits.query_tokens, limits.max_tokens, self.tokenizer.special)
