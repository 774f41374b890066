"""Dynamic masking: which tokens the masked language model has to guess.

Drawn anew for every batch (Liu et al. 2019, section 4.1), by one of three rules:

- ``token``: each token by itself (Devlin et al. 2019, section 3.1);
- ``word``: all pieces of a word or none of them (whole-word masking, from BERT's published code);
- ``span``: runs of 1 to 10 whole words, short ones more often, hidden alike (SpanBERT, Joshi et al. 2020, section 3.1).

The share of hidden tokens is the same for all three. What a word is, `bertpipe.text.word_bounds` tells.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from bertpipe.text.special_ids import SpecialIds
from bertpipe.text.word_bounds import WordBounds

IGNORED = -100
# Of the chosen tokens: 80% become [MASK], 10% another piece, 10% stay.
MASK_SHARE, RANDOM_SHARE = 0.8, 0.1
# Words in a span: geometric with this probability, none longer; 3.8 on average.
SPAN_PROBABILITY, LONGEST_SPAN = 0.2, 10

MaskingKind = Literal["token", "word", "span"]


class Masking:
    """Chooses tokens at random and hides them.

    Special pieces are never chosen, and never come in another's place.

    Args:
        vocab_size: V.
        special: The special pieces.
        rate: Share of the other tokens that are to be guessed; BERT's is 0.15.
        kind: The rule.
        words: Where words begin; needed for words and spans.

    Attributes:
        special: As given.

    Raises:
        ValueError: Words or spans are to be hidden, and ``words`` is missing.
    """

    def __init__(
        self,
        vocab_size: int,
        special: SpecialIds,
        *,
        rate: float,
        kind: MaskingKind = "token",
        words: WordBounds | None = None,
    ) -> None:
        if kind != "token" and words is None:
            raise ValueError(f"masking by {kind} needs the bounds of words")
        self.special = special
        self._rate = rate
        self._kind = kind
        self._words = words
        self._ordinary = special.ordinary(vocab_size)
        self._replacements = np.flatnonzero(self._ordinary)

    def hide(self, input_ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Hides some tokens of a batch, at least one if there is any to hide.

        Args:
            input_ids: int64 (B, T).
            rng: Randomness.

        Returns:
            The ids with some hidden, and the labels: the hidden ids, and -100 everywhere else. Both int64 (B, T).
        """
        candidates = self._ordinary[input_ids]
        if self._kind == "token":
            draw = rng.random(input_ids.shape)
            chosen = candidates & (draw < self._rate)
            if not chosen.any() and candidates.any():
                chosen.flat[np.where(candidates, draw, 2.0).argmin()] = True
            fate = rng.random(input_ids.shape)
        elif self._kind == "word":
            word, _ = self._words_of(input_ids, candidates)
            draw = rng.random(word.max(initial=-1) + 1)
            taken = draw < self._rate
            if len(draw) and not taken.any():
                taken[draw.argmin()] = True
            chosen = candidates & np.append(taken, False)[word]
            fate = rng.random(input_ids.shape)
        else:
            span = self._spans(input_ids, candidates, rng)
            chosen = span >= 0
            # One fate for all tokens of a span.
            fate = np.append(rng.random(span.max(initial=-1) + 1), 1.0)[span]
        masked = np.where(chosen & (fate < MASK_SHARE), self.special.mask, input_ids)
        other = self._replacements[rng.integers(len(self._replacements), size=input_ids.shape)]
        masked = np.where(chosen & (fate >= MASK_SHARE) & (fate < MASK_SHARE + RANDOM_SHARE), other, masked)
        return masked, np.where(chosen, input_ids, IGNORED)

    def _words_of(self, input_ids: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Numbers the words of a batch.

        Returns:
            The word of each token, -1 for special pieces, int64 (B, T), and of each word the stretch it lies in,
            int64 (words,): a stretch goes from one special piece to the next.
        """
        assert self._words is not None
        opens = candidates.copy()
        opens[:, 1:] &= ~candidates[:, :-1]
        begins = candidates & (self._words.starts(input_ids) | opens)
        word = np.cumsum(begins).reshape(begins.shape) - 1
        return np.where(candidates, word, -1), np.cumsum(opens)[begins.ravel()]

    def _spans(self, input_ids: np.ndarray, candidates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The span that each token belongs to, -1 for those that stay: int64 (B, T)."""
        word, stretch = self._words_of(input_ids, candidates)
        words = len(stretch)
        sizes = np.bincount(word[candidates], minlength=words)
        chances = SPAN_PROBABILITY * (1 - SPAN_PROBABILITY) ** np.arange(LONGEST_SPAN)
        lengths = 1 + rng.choice(LONGEST_SPAN, size=words, p=chances / chances.sum())
        span_of = np.full(words + 1, -1)  # and -1 for word -1
        left = self._rate * candidates.sum()
        spans = 0
        for start, length in zip(rng.permutation(words).tolist(), lengths.tolist(), strict=True):
            if span_of[start] >= 0:
                continue
            stop = start + 1
            while stop < min(words, start + length) and stretch[stop] == stretch[start] and span_of[stop] < 0:
                stop += 1
            size = int(sizes[start:stop].sum())
            # The last span seldom fits what is left; taken in proportion, the share stays what it should be on average.
            if size > left and spans and rng.random() * size >= left:
                break
            span_of[start:stop] = spans
            spans += 1
            left -= size
            if left <= 0:
                break
        return span_of[word]
