"""Which pieces make a word together: what whole-word and span masking hide as one.

A piece begins a word where its vocabulary says so: SentencePiece marks the space before a word with ``▁``, byte-level
BPE with ``Ġ``, and WordPiece marks what does *not* begin one with ``##``. Two kinds of pieces are words by themselves
in every vocabulary, so that something else begins behind them as well:

- punctuation and symbols, as BERT's own tokenizer has it: ``word,`` is two words;
- Chinese and Japanese pieces. There are no spaces to tell words by, and a run without spaces is a clause or a whole
  sentence, too much to guess at once. In a vocabulary learned from the language a piece is the nearest thing to a word
  that there is: frequent words have become pieces of their own.

A character spelled in bytes belongs to the word around it, unless its first byte is that of a Chinese character or of
an emoji: then it begins a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Marks = Literal["▁", "Ġ", "##"]

_SPELLED = re.compile(r"<0x([0-9A-F]{2})>")
_NO_SPACES = re.compile(
    "[\u2e80-\u30ff\u3100-\u312f\u31a0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
# First bytes of UTF-8 for U+3000 to U+9FFF, and for what lies beyond U+FFFF.
_LEADING = frozenset([*range(0xE3, 0xEA), 0xF0])


@dataclass(frozen=True)
class WordBounds:
    """Where words begin and end, for every piece of a vocabulary.

    Attributes:
        begins: bool (V,), whether a piece begins a word wherever it stands.
        ends: bool (V,), whether what stands behind a piece begins a word.
    """

    begins: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, pieces: Sequence[str]) -> WordBounds:
        """Reads them off a vocabulary.

        Args:
            pieces: V pieces by id. Which of the three kinds they are is told by the mark that most of them carry.
        """
        marks = _marks_of(pieces)
        bounds = [_bounds(piece, marks) for piece in pieces]
        begins, ends = np.array(bounds, dtype=bool).reshape(len(pieces), 2).T
        return cls(begins, ends)

    def starts(self, input_ids: np.ndarray) -> np.ndarray:
        """Where words start in rows of text.

        Args:
            input_ids: Integer (B, T); a row's first piece starts a word whatever it is.

        Returns:
            bool (B, T).
        """
        found = self.begins[input_ids]
        found[:, 1:] |= self.ends[input_ids[:, :-1]]
        found[:, :1] = True
        return found


def _marks_of(pieces: Iterable[str]) -> Marks:
    # Counted, since a vocabulary of one kind may well have a piece that looks like another's mark.
    counts: dict[Marks, int] = {"▁": 0, "Ġ": 0, "##": 0}
    for piece in pieces:
        for mark in counts:
            counts[mark] += piece.startswith(mark)
    return max(counts, key=lambda mark: counts[mark])


def _bounds(piece: str, marks: Marks) -> tuple[bool, bool]:
    """Whether a piece begins a word, and whether one begins behind it."""
    if marks == "##":
        continued = piece.startswith("##") and len(piece) > 2
        begins, ends = _alone(piece[2:] if continued else piece)
        return begins or not continued, ends
    if marks == "▁":
        spelled = _SPELLED.fullmatch(piece)
        if spelled is None:
            begins, ends = _alone(piece.strip("▁"))
            return begins or piece.startswith("▁"), ends or (len(piece) > 1 and piece.endswith("▁"))
        content = bytes([int(spelled[1], 16)])
    else:
        if not all(character in _BYTE_OF for character in piece):
            return True, True  # an added piece, no text of this kind
        content = bytes(_BYTE_OF[character] for character in piece)
    try:
        text = content.decode()
    except UnicodeDecodeError:  # a part of a character
        return content[:1].isspace() or content[0] in _LEADING, False
    begins, ends = _alone(text.strip())
    # A lone space belongs to what stands behind it; a line break does not.
    return begins or text[:1].isspace(), ends or (text != " " and text[-1:].isspace())


def _alone(text: str) -> tuple[bool, bool]:
    """Whether the first and the last character of a text are words by themselves."""
    return (_is_word(text[0]), _is_word(text[-1])) if text else (False, False)


def _is_word(character: str) -> bool:
    if _NO_SPACES.match(character):
        return True
    # Marks and invisible joiners belong to what stands before them.
    return not character.isalnum() and unicodedata.category(character) not in ("Mn", "Mc", "Me", "Cf")


def _bytes_of_characters() -> dict[str, int]:
    """The alphabet of byte-level BPE: a visible character for every byte (Radford et al. 2019, section 2.2)."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + place): byte for place, byte in enumerate(hidden)}


_BYTE_OF = _bytes_of_characters()
