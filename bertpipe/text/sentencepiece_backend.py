"""A tokenizer of our own training: SentencePiece, from a ``tokenizer.model``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sentencepiece

from bertpipe.errors import ArtefactError
from bertpipe.text.special_ids import OUR_PIECES, OURS


class SentencePieceBackend:
    """What `bertpipe.text.tokenizer.Tokenizer` does, for one kind of file; texts hold no surrogates.

    Args:
        path: A model trained by `bertpipe.text.tokenizer.train_tokenizer`.

    Attributes:
        special: Ids of the special pieces.

    Raises:
        ArtefactError: The file is not such a model.
    """

    def __init__(self, path: Path) -> None:
        self.special = OURS
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (RuntimeError, OSError) as error:
            raise ArtefactError(f"{path} is not a SentencePiece model") from error
        if tuple(self._processor.id_to_piece(index) for index in range(len(OUR_PIECES))) != OUR_PIECES:
            raise ArtefactError(f"{path} was not trained by bertpipe", why="its special pieces differ")

    @property
    def vocab_size(self) -> int:
        """V, the special pieces included."""
        return self._processor.get_piece_size()

    def encode_batch(self, texts: Sequence[str], threads: int) -> list[list[int]]:
        """The piece ids of many texts."""
        if threads > 1:
            return self._processor.encode(list(texts), num_threads=threads)
        # One by one: for a list the library starts a thread even if it is to use one, which takes longer than a text.
        return [self._processor.encode(text) for text in texts]

    def encode_offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each piece of a text stands in it, as character offsets (start, end)."""
        return self.encode_with_offsets(text)[1]

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """The piece ids of a text, and where each stands in it."""
        pieces = self._processor.encode(text, out_type="proto").pieces
        ids = [piece.id for piece in pieces]
        if text.isascii():
            return ids, [(piece.begin, piece.end) for piece in pieces]
        # SentencePiece counts bytes of UTF-8; a byte of a spelled character belongs to that character.
        character_of: list[int] = []
        for place, character in enumerate(text):
            character_of += [place] * len(character.encode())
        character_of.append(len(text))
        return ids, [(character_of[piece.begin], character_of[piece.end]) for piece in pieces]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of piece ids."""
        return self._processor.decode(list(ids))

    def piece(self, index: int) -> str:
        """The piece of an id."""
        return self._processor.id_to_piece(index)

    def is_byte(self, index: int) -> bool:
        """Whether an id is one of the 256 bytes that unknown characters fall back to."""
        return self._processor.is_byte(index)
