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


def ranked_sequence(
    query: Sequence[int], title: Sequence[int], text: Sequence[int], query_tokens: int, limit: int, special: SpecialIds
) -> tuple[list[int], list[int]]:
    """``[CLS] query [SEP] title [SEP] text [SEP]``: a query with a passage, cut to ``limit`` tokens.

    The passage gives way: of the query, its first ``query_tokens`` tokens stay, special pieces included.

    Args:
        query: Piece ids.
        title: Of the passage; may be empty, and then has no ``[SEP]``.
        text: Of the passage.
        query_tokens: Less than ``limit``.
        limit: Tokens of the whole.
        special: The tokenizer's.

    Returns:
        input_ids and token_type_ids, 1 behind the query.
    """
    head = query_sequence(query, query_tokens, special)
    tail = passage_sequence(title, text, limit - len(head) + 1, special)[1:]
    return [*head, *tail], [0] * len(head) + [1] * len(tail)


def labelled_sequence(
    first: Sequence[int], second: Sequence[int], limit: int, special: SpecialIds
) -> tuple[list[int], list[int]]:
    """``[CLS] first [SEP]``, or ``[CLS] first [SEP] second [SEP]``, cut to ``limit`` tokens.

    Of a pair that is too long, the longer text loses its end, and then both (Devlin et al.'s published code).

    Args:
        first: Piece ids.
        second: Piece ids; none of a text that stands alone.
        limit: At least 3.
        special: The tokenizer's.

    Returns:
        input_ids and token_type_ids.
    """
    if not len(second):
        ids = [special.cls, *first[: limit - 2], special.sep]
        return ids, [0] * len(ids)
    room = limit - 3
    first = first[: max(room - len(second), room - room // 2)]
    second = second[: room - len(first)]
    head = [special.cls, *first, special.sep]
    return [*head, *second, special.sep], [0] * len(head) + [1] * (len(second) + 1)


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
