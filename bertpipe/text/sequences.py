"""What the encoder reads: queries and passages as sequences of piece ids, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bertpipe.text.special_ids import SpecialIds

# A title longer than this would push out the text it stands above.
MAX_TITLE_TOKENS = 32


def query_sequence(query: Sequence[int], limit: int, special: SpecialIds) -> list[int]:
    """``[CLS] query [SEP]``, cut to ``limit`` tokens."""
    return [special.cls, *query[: limit - 2], special.sep]


def passage_sequence(title: Sequence[int], text: Sequence[int], limit: int, special: SpecialIds) -> list[int]:
    """``[CLS] title [SEP] text [SEP]``, or ``[CLS] text [SEP]`` without a title, cut to ``limit`` tokens."""
    head = [special.cls]
    if len(title):
        head += [*title[: min(MAX_TITLE_TOKENS, limit // 2)], special.sep]
    return [*head, *text[: limit - 1 - len(head)], special.sep]


def padded(sequences: Sequence[Sequence[int]], pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Lays sequences under each other.

    Args:
        sequences: B lists of piece ids, none empty.
        pad_id: Id of the padding piece.

    Returns:
        input_ids and attention_mask, int64 (B, T), where T is the longest's length.
    """
    longest = max(len(sequence) for sequence in sequences)
    input_ids = np.full((len(sequences), longest), pad_id, dtype=np.int64)
    attention_mask = np.zeros((len(sequences), longest), dtype=np.int64)
    for row, sequence in enumerate(sequences):
        input_ids[row, : len(sequence)] = sequence
        attention_mask[row, : len(sequence)] = 1
    return input_ids, attention_mask
