"""A tokenizer of somebody else's training: WordPiece, byte-level BPE or Unigram, from a ``tokenizer.json``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from bertpipe.errors import ArtefactError, ConfigError
from bertpipe.text.special_ids import SpecialIds

if TYPE_CHECKING:
    import tokenizers

# What the special pieces are called: by BERT, DistilBERT and ALBERT, and by RoBERTa, BART and XLM-R.
NAMES = {
    "pad": ("[PAD]", "<pad>"),
    "unk": ("[UNK]", "<unk>"),
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "mask": ("[MASK]", "<mask>"),
}
# A tokenizer of an encoder-decoder may lack these; what stands in their place.
STAND_INS = {"cls": "sep", "mask": "unk"}
# Pieces in reserve: BERT's, and RoBERTa's.
RESERVES = ("[unused{}]", "madeupword{:04d}")


class JsonBackend:
    """What `bertpipe.text.tokenizer.Tokenizer` does, for one kind of file; texts hold no surrogates.

    Args:
        path: A file in the format of the ``tokenizers`` library.

    Attributes:
        special: Ids of the special pieces.

    Raises:
        ArtefactError: The file is not such a tokenizer, or has no piece for padding, the unknown or the end.
        ConfigError: The library is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._tokenizer = read_json(path)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        # A "[MASK]" that somebody wrote is text: nothing that is read may pass for a special piece.
        self._tokenizer.encode_special_tokens = True
        self.special = special_ids(self._tokenizer, path)
        _keep_apart(self._tokenizer, [self.piece(index) for index in self.special.all])
        spelled = [self._tokenizer.token_to_id(f"<0x{byte:02X}>") for byte in range(256)]
        self._bytes = frozenset() if None in spelled else frozenset(spelled)

    @property
    def vocab_size(self) -> int:
        """V, the special pieces included."""
        return self._tokenizer.get_vocab_size()

    def encode_batch(self, texts: Sequence[str], threads: int) -> list[list[int]]:
        """The piece ids of many texts."""
        if threads > 1:
            found = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
            return [encoding.ids for encoding in found]
        # One by one: the library's threads would stay in the way of every process forked later.
        return [self._tokenizer.encode(text, add_special_tokens=False).ids for text in texts]

    def encode_offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each piece of a text stands in it, as character offsets (start, end)."""
        return self._tokenizer.encode(text, add_special_tokens=False).offsets

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """The piece ids of a text, and where each stands in it."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return encoding.ids, encoding.offsets

    def decode(self, ids: Sequence[int]) -> str:
        """The text of piece ids."""
        return self._tokenizer.decode(list(ids))

    def piece(self, index: int) -> str:
        """The piece of an id."""
        found = self._tokenizer.id_to_token(index)
        if found is None:
            raise IndexError(f"there is no piece {index}")
        return found

    def is_byte(self, index: int) -> bool:
        """Whether an id is one of the 256 bytes that unknown characters fall back to."""
        return index in self._bytes


def read_json(path: Path) -> tokenizers.Tokenizer:
    """Reads a ``tokenizer.json`` as the library's own object.

    Raises:
        ArtefactError: The file is not a tokenizer.
        ConfigError: The library is not installed.
    """
    require_library(f"{path} is for")
    import tokenizers

    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the library raises bare exceptions, and panics that are no Exception
        raise ArtefactError(f"{path} is not a tokenizer", why=str(error)) from error


def require_library(what: str) -> None:
    """Makes sure that the ``tokenizers`` library is there.

    Args:
        what: What it is needed for, as the beginning of a sentence: "FILE is for".

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import tokenizers  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"{what} the tokenizers library, which is not installed",
            hint='Install it with: pip install "bertpipe[hub]".',
        ) from error


def special_ids(tokenizer: tokenizers.Tokenizer, path: Path) -> SpecialIds:
    """Finds the special pieces by their names.

    Args:
        tokenizer: The tokenizer.
        path: Its file, for the error.

    Raises:
        ArtefactError: The one for padding, the unknown or the end is missing.
    """
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special}
    found: dict[str, int] = {}
    missing = []
    for role, names in NAMES.items():
        # A vocabulary may hold both: MPNet has "[UNK]" for text, and an "<unk>" of RoBERTa's.
        own = getattr(tokenizer.model, "unk_token", None) if role == "unk" else None
        known = [name for name in (own, *names) if name is not None and tokenizer.token_to_id(name) is not None]
        known.sort(key=lambda name: (name != own, name not in special))
        index = tokenizer.token_to_id(known[0]) if known else None
        if index is not None:
            found[role] = index
        elif role in STAND_INS:
            missing.append(role)
        else:
            raise ArtefactError(f"{path} has no piece {' or '.join(names)}", why="models need one")
    found |= {role: found[STAND_INS[role]] for role in missing}
    return SpecialIds(**found, missing=tuple(missing), unused=_reserved(tokenizer))


def _keep_apart(tokenizer: tokenizers.Tokenizer, names: list[str]) -> None:
    """Cuts the names of special pieces in two where a text holds them: Unigram finds every piece in text."""
    from tokenizers import Regex, models, pre_tokenizers

    if not isinstance(tokenizer.model, models.Unigram):
        return
    pattern = "|".join(f"{re.escape(name[0])}(?={re.escape(name[1:])})" for name in names if len(name) > 1)
    split = pre_tokenizers.Split(Regex(pattern), "merged_with_previous")
    before = [tokenizer.pre_tokenizer] if tokenizer.pre_tokenizer is not None else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*before, split])


def _reserved(tokenizer: tokenizers.Tokenizer) -> tuple[int, ...]:
    ids: list[int] = []
    for name in RESERVES:
        for number in count():
            index = tokenizer.token_to_id(name.format(number))
            if index is not None:
                ids.append(index)
            elif number:  # some begin with 1
                break
    return tuple(ids)
