"""The tokenizer: SentencePiece unigram pieces with byte fallback (Kudo 2018; Kudo and Richardson 2018)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import sentencepiece

from bertpipe.errors import ArtefactError, ConfigError, InputError

PAD, UNK, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL_PIECES = 5
# SentencePiece leaves out training lines longer than this many bytes; ours are cut instead.
MAX_LINE_BYTES = 4192
# More threads than cores do no harm, but another number of threads adds floats in another order and so trains
# another tokenizer: the number is part of the recipe.
TRAINING_THREADS = 4


class Tokenizer:
    """Text to piece ids and back.

    Args:
        model_file: A SentencePiece model trained by `train_tokenizer`.

    Raises:
        ArtefactError: The file is missing or is not such a model.
    """

    pad_id, unk_id, cls_id, sep_id, mask_id = range(SPECIAL_PIECES)

    def __init__(self, model_file: Path) -> None:
        if not model_file.is_file():
            raise ArtefactError(f"{model_file} is missing", hint="Run `bertpipe tokenize`.")
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_file=str(model_file))
        except (RuntimeError, OSError) as error:
            raise ArtefactError(f"{model_file} is not a SentencePiece model") from error
        expected = [PAD, UNK, CLS, SEP, MASK]
        if [self._processor.id_to_piece(index) for index in range(SPECIAL_PIECES)] != expected:
            raise ArtefactError(f"{model_file} was not trained by bertpipe", why="its special pieces differ")

    @property
    def vocab_size(self) -> int:
        """V, the special pieces included."""
        return self._processor.get_piece_size()

    def encode(self, text: str) -> list[int]:
        """The piece ids of a text, without special pieces."""
        return self._processor.encode(encodable(text))

    def encode_batch(self, texts: Sequence[str], threads: int = 1) -> list[list[int]]:
        """The piece ids of many texts."""
        return self._processor.encode([encodable(text) for text in texts], num_threads=threads)

    def encode_offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each piece of a text stands in it, as character offsets (start, end)."""
        clean = encodable(text)
        pieces = self._processor.encode(clean, out_type="proto").pieces
        if clean.isascii():
            return [(piece.begin, piece.end) for piece in pieces]
        # SentencePiece counts bytes of UTF-8; a byte of a spelled character belongs to that character.
        character_of: list[int] = []
        for place, character in enumerate(clean):
            character_of += [place] * len(character.encode())
        character_of.append(len(clean))
        return [(character_of[piece.begin], character_of[piece.end]) for piece in pieces]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of piece ids."""
        return self._processor.decode(list(ids))

    def piece(self, index: int) -> str:
        """The piece of an id; ``▁`` stands for a space."""
        return self._processor.id_to_piece(index)

    def is_byte(self, index: int) -> bool:
        """Whether an id is one of the 256 bytes that unknown characters fall back to."""
        return self._processor.is_byte(index)


def encodable(text: str) -> str:
    """Replaces lone surrogates, which no UTF-8 can carry, with U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def train_tokenizer(
    lines: Iterable[str],
    model_file: Path,
    vocab_size: int,
    *,
    case: Literal["fold", "keep"] = "fold",
    coverage: float = 0.9995,
) -> None:
    """Trains a tokenizer and writes it.

    The result is the same for the same lines. A corpus with too little text for ``vocab_size`` pieces gets as many
    as it has.

    Args:
        lines: Sentences of the corpus.
        model_file: Where to write the model.
        vocab_size: V, special pieces and 256 bytes included.
        case: "fold" makes upper and lower case the same pieces.
        coverage: Share of the corpus's characters that get pieces of their own; the rest is spelled in bytes.

    Raises:
        ConfigError: ``vocab_size`` has no room for the corpus's characters.
        InputError: There is no text to learn from.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_cut(lines),
            model_writer=model,
            model_type="unigram",
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            byte_fallback=True,
            character_coverage=coverage,
            normalization_rule_name="nmt_nfkc_cf" if case == "fold" else "nmt_nfkc",
            max_sentence_length=MAX_LINE_BYTES,
            num_threads=TRAINING_THREADS,
            pad_id=Tokenizer.pad_id,
            unk_id=Tokenizer.unk_id,
            bos_id=Tokenizer.cls_id,
            eos_id=Tokenizer.sep_id,
            pad_piece=PAD,
            unk_piece=UNK,
            bos_piece=CLS,
            eos_piece=SEP,
            control_symbols=[MASK],
            minloglevel=2,
        )
    except RuntimeError as error:
        if "required_chars" in str(error) or "vocab_size" in str(error).lower():
            raise ConfigError(
                f"vocab_size = {vocab_size} is too small for this corpus",
                why="every character and 256 bytes need a piece",
                hint="Raise tokenize.vocab_size.",
            ) from error
        # The trainer's own words name its source files.
        raise InputError("the tokenizer found too little text to learn from", hint="Add documents.") from error
    model_file.write_bytes(model.getvalue())


def _cut(lines: Iterable[str]) -> Iterator[str]:
    # A character takes at most 4 bytes of UTF-8.
    longest = MAX_LINE_BYTES // 4
    for line in lines:
        for start in range(0, len(line), longest):
            yield encodable(line[start : start + longest])
