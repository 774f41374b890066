"""The tokenizer: text to piece ids and back, for two kinds of files.

- ``tokenizer.model``: ours, SentencePiece unigram pieces with byte fallback (Kudo 2018; Kudo and Richardson 2018).
- ``tokenizer.json``: of an imported model, read by the ``tokenizers`` library.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from bertpipe.errors import ArtefactError, ConfigError, InputError
from bertpipe.text.special_ids import OUR_PIECES, OURS, SpecialIds
from bertpipe.text.surrogates import encodable, places_before

NORMALIZATIONS = {"fold": "nmt_nfkc_cf", "keep": "nmt_nfkc", "exact": "identity"}
"""SentencePiece's rules by what becomes of the text: one case and one width, one width, or as it is."""
MODEL_FILE, JSON_FILE = "tokenizer.model", "tokenizer.json"
# SentencePiece leaves out training lines longer than this many bytes; ours are cut instead.
MAX_LINE_BYTES = 4192
# More threads than cores do no harm, but another number of threads adds floats in another order and so trains
# another tokenizer: the number is part of the recipe.
TRAINING_THREADS = 4
# Scores are multiples of 1/256. SentencePiece adds them in single precision, which is exact for such numbers: where two
# ways to cut a word are equally likely ("88 8", "8 88"), the same one wins wherever the word stands, and in every
# other library that reads the model.
SCORE_STEPS = 256


class Backend(Protocol):
    """What a kind of tokenizer file has to offer."""

    special: SpecialIds

    @property
    def vocab_size(self) -> int:
        """V."""

    def encode_batch(self, texts: Sequence[str], threads: int) -> list[list[int]]:
        """The piece ids of many texts, without special pieces."""

    def encode_offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each piece of a text stands in it, as character offsets."""

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """The piece ids of a text, and where each stands in it."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of piece ids."""

    def piece(self, index: int) -> str:
        """The piece of an id."""

    def is_byte(self, index: int) -> bool:
        """Whether an id spells a byte."""


def tokenizer_file(folder: Path) -> Path:
    """The tokenizer in a folder: ``tokenizer.model``, or else ``tokenizer.json``.

    Raises:
        ArtefactError: There is none.
    """
    for name in (MODEL_FILE, JSON_FILE):
        if (folder / name).is_file():
            return folder / name
    raise ArtefactError(f"{folder} has no tokenizer", why=f"neither {MODEL_FILE} nor {JSON_FILE} is there")


class Tokenizer:
    """Text to piece ids and back.

    Args:
        path: A ``tokenizer.model`` trained by `train_tokenizer`, a ``tokenizer.json``, or a folder with one of them.

    Attributes:
        special: Ids of the special pieces.
        pad_id: One of them, as are ``unk_id``, ``cls_id``, ``sep_id`` and ``mask_id``.

    Raises:
        ArtefactError: The file is missing or damaged.
        ConfigError: It is a ``tokenizer.json``, and the ``tokenizers`` library is not installed.
    """

    def __init__(self, path: Path | str) -> None:
        path = Path(path)
        if path.is_dir():
            path = tokenizer_file(path)
        if not path.is_file():
            raise ArtefactError(f"{path} is missing", hint="Run `bertpipe tokenize`.")
        self._backend = _open(path)
        self.special = self._backend.special
        self.pad_id, self.unk_id = self.special.pad, self.special.unk
        self.cls_id, self.sep_id, self.mask_id = self.special.cls, self.special.sep, self.special.mask

    @property
    def vocab_size(self) -> int:
        """V, the special pieces included."""
        return self._backend.vocab_size

    def encode(self, text: str) -> list[int]:
        """The piece ids of a text, without special pieces."""
        return self._backend.encode_batch([encodable(text)], 1)[0]

    def encode_batch(self, texts: Sequence[str], threads: int = 1) -> list[list[int]]:
        """The piece ids of many texts."""
        return self._backend.encode_batch([encodable(text) for text in texts], threads)

    def encode_offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each piece of a text stands in it, as character offsets (start, end)."""
        return _in_text(text, self._backend.encode_offsets(encodable(text)))

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """The piece ids of a text, and where each piece stands in it, as character offsets (start, end).

        A piece may begin with the space before its word, and pieces that spell one character share its place.
        """
        ids, spans = self._backend.encode_with_offsets(encodable(text))
        return ids, _in_text(text, spans)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of piece ids; special pieces are left out."""
        return self._backend.decode(ids)

    def piece(self, index: int) -> str:
        """The piece of an id. Marks in it are the file's: ``▁`` stands for a space in ours, WordPiece has ``##``."""
        return self._backend.piece(index)

    def is_byte(self, index: int) -> bool:
        """Whether an id is one of the 256 bytes that unknown characters fall back to."""
        return self._backend.is_byte(index)


def _in_text(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Places in ``encodable(text)`` as places in ``text``."""
    clean = encodable(text)
    if len(clean) == len(text):
        return spans
    places = places_before(text)
    return [(places[start], places[end]) for start, end in spans]


def _open(path: Path) -> Backend:
    # Each library is imported only where a file needs it: a search waits for every import.
    if path.suffix == ".json":
        from bertpipe.text.json_backend import JsonBackend

        return JsonBackend(path)
    from bertpipe.text.sentencepiece_backend import SentencePieceBackend

    return SentencePieceBackend(path)


def train_tokenizer(
    lines: Iterable[str],
    model_file: Path,
    vocab_size: int,
    *,
    case: Literal["fold", "keep", "exact"] = "fold",
    chinese: Literal["keep", "simplified"] = "keep",
    coverage: float = 0.9995,
) -> None:
    """Trains a tokenizer and writes it.

    The result is the same for the same lines. A corpus with too little text for ``vocab_size`` pieces gets as many
    as it has.

    Args:
        lines: Sentences of the corpus.
        model_file: Where to write the model.
        vocab_size: V, special pieces and 256 bytes included.
        case: "fold" makes upper and lower case, and wide and narrow characters, the same pieces; "keep" the latter
            alone; "exact" neither, so that what is decoded is what was encoded.
        chinese: "simplified" makes Traditional characters the same pieces as the Simplified ones
            (`bertpipe.text.simplified`), where ``case`` is not "exact".
        coverage: Share of the corpus's characters that get pieces of their own; the rest is spelled in bytes.

    Raises:
        ConfigError: ``vocab_size`` has no room for the corpus's characters; or OpenCC is not installed.
        InputError: There is no text to learn from.
    """
    if chinese == "keep":
        _train(lines, model_file, vocab_size, coverage, normalization_rule_name=NORMALIZATIONS[case])
        return
    from bertpipe.text.simplified import write_simplifying_rules

    with tempfile.TemporaryDirectory(prefix="bertpipe-") as folder:
        rules = Path(folder) / "rules.tsv"
        write_simplifying_rules(rules, NORMALIZATIONS[case])
        _train(lines, model_file, vocab_size, coverage, normalization_rule_tsv=str(rules))


def _train(lines: Iterable[str], model_file: Path, vocab_size: int, coverage: float, **normalization: Any) -> None:
    import sentencepiece

    model = io.BytesIO()
    pad, unk, cls, sep, mask = OUR_PIECES
    try:
        sentencepiece.SentencePieceTrainer.train(
            **normalization,
            sentence_iterator=_cut(lines),
            model_writer=model,
            model_type="unigram",
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            byte_fallback=True,
            character_coverage=coverage,
            max_sentence_length=MAX_LINE_BYTES,
            num_threads=TRAINING_THREADS,
            pad_id=OURS.pad,
            unk_id=OURS.unk,
            bos_id=OURS.cls,
            eos_id=OURS.sep,
            pad_piece=pad,
            unk_piece=unk,
            bos_piece=cls,
            eos_piece=sep,
            control_symbols=[mask],
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
    model_file.write_bytes(_settled(model.getvalue()))


def _settled(model: bytes) -> bytes:
    """A model with exact scores, and a function of what it was trained on: it names no file that is gone by now."""
    from sentencepiece.sentencepiece_model_pb2 import ModelProto

    proto = ModelProto.FromString(model)
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    for piece in proto.pieces:
        piece.score = round(piece.score * SCORE_STEPS) / SCORE_STEPS
    return proto.SerializeToString(deterministic=True)


def _cut(lines: Iterable[str]) -> Iterator[str]:
    # A character takes at most 4 bytes of UTF-8.
    longest = MAX_LINE_BYTES // 4
    for line in lines:
        for start in range(0, len(line), longest):
            yield encodable(line[start : start + longest])
