"""The pieces that no text becomes: padding, the unknown, both ends of a sequence, the mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Ids of a tokenizer's special pieces.

    Attributes:
        pad: Fills a batch's shorter sequences.
        unk: Stands for what has no piece.
        cls: Begins a sequence.
        sep: Ends a segment.
        mask: Hides a piece that is to be guessed.
        missing: Which of these the tokenizer does not have, by name; another stands in its place.
        unused: Pieces that a vocabulary keeps in reserve, such as BERT's ``[unused1]``. No model was trained on them.
    """

    pad: int
    unk: int
    cls: int
    sep: int
    mask: int
    missing: tuple[str, ...] = ()
    unused: tuple[int, ...] = ()

    @property
    def all(self) -> tuple[int, ...]:
        """Every id that is nothing to guess, and nothing to put in another piece's place."""
        return (self.pad, self.unk, self.cls, self.sep, self.mask, *self.unused)

    def ordinary(self, vocab_size: int) -> np.ndarray:
        """Which pieces text is made of.

        Args:
            vocab_size: V.

        Returns:
            bool (V,), False at special pieces.
        """
        ordinary = np.ones(vocab_size, dtype=bool)
        ordinary[list(self.all)] = False
        return ordinary


OUR_PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The special pieces of the tokenizers that bertpipe trains, in the order of `OURS`."""

OURS = SpecialIds(*range(len(OUR_PIECES)))
"""Their ids."""
