"""Tokenizers of the Hugging Face world: theirs into our layout, and ours into theirs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertpipe.errors import ArtefactError, InputError
from bertpipe.text.json_backend import NAMES, read_json, require_library, special_ids
from bertpipe.text.special_ids import SpecialIds
from bertpipe.text.tokenizer import JSON_FILE, MODEL_FILE, Tokenizer, tokenizer_file
from bertpipe.text.unigram_json import unigram_json

if TYPE_CHECKING:
    import tokenizers

SETTINGS = "tokenizer_config.json"
WORDS, PIECES, MERGES, ADDED = "vocab.txt", "vocab.json", "merges.txt", "added_tokens.json"
SENTENCEPIECE = ("sentencepiece.bpe.model", "spiece.model", "spm.model", "source.spm", MODEL_FILE)


def import_tokenizer(source: Path, destination: Path, *, of_bert: bool = True) -> Tokenizer:
    """Reads a published tokenizer.

    Args:
        source: A folder with ``tokenizer.json``, or with ``vocab.txt`` (WordPiece), or with ``vocab.json`` and
            ``merges.txt`` (byte-level BPE); ``tokenizer_config.json`` counts if it is there.
        destination: Folder to write ``tokenizer.json`` to; created if need be.
        of_bert: Whether its model is a BERT, which needs pieces that begin a text and hide a word.

    Returns:
        The tokenizer that was written.

    Raises:
        InputError: There is no tokenizer, or it is damaged, or not that of a BERT.
        ConfigError: The ``tokenizers`` library is not installed.
    """
    require_library(f"{source} needs")
    settings = _json(source / SETTINGS) if (source / SETTINGS).is_file() else {}
    if (source / JSON_FILE).is_file():
        made, path = _whole(source / JSON_FILE, settings), source / JSON_FILE
    elif (source / WORDS).is_file():
        made, path = _wordpiece(source / WORDS, settings), source / WORDS
    elif (source / PIECES).is_file() and (source / MERGES).is_file():
        made, path = _byte_level(source / PIECES, source / MERGES, settings), source / PIECES
    else:
        raise _nothing(source)
    if path.name != JSON_FILE and (source / ADDED).is_file():
        raise InputError(
            "pieces were added to this vocabulary", path=source / ADDED, why=f"only a {JSON_FILE} says how they are cut"
        )
    # A published tokenizer may cut texts to what its model was trained on, and pad them.
    made.no_truncation()
    made.no_padding()
    if max(made.get_vocab().values()) != made.get_vocab_size() - 1:
        raise InputError("its pieces are not numbered one after the other", path=path)
    try:
        special = special_ids(made, path)
    except ArtefactError as error:
        raise InputError(str(error.what), why=error.why) from error
    if of_bert and special.missing:
        lacking = " and no piece ".join(" or ".join(NAMES[role]) for role in special.missing)
        raise InputError(f"it has no piece {lacking}", path=path, why="it is not the tokenizer of a BERT")
    destination.mkdir(parents=True, exist_ok=True)
    made.save(str(destination / JSON_FILE))
    return Tokenizer(destination / JSON_FILE)


def text_frame(path: Path) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that a published tokenizer puts in front of a text and behind it.

    Args:
        path: A ``tokenizer.json``.

    Raises:
        ArtefactError: It is damaged.
        ConfigError: The ``tokenizers`` library is not installed.
    """
    made = read_json(path)
    made.no_truncation()
    made.no_padding()
    encoding = made.encode("a")
    special = encoding.special_tokens_mask
    text = [place for place, is_special in enumerate(special) if not is_special]
    start, end = (text[0], text[-1] + 1) if text else (len(special), len(special))
    return tuple(encoding.ids[:start]), tuple(encoding.ids[end:])


def export_tokenizer(model: Path, destination: Path, *, max_length: int, of_bert: bool = True) -> None:
    """Writes a tokenizer for ``transformers.AutoTokenizer``, with the same ids for the same text.

    It puts ``[CLS] a [SEP]`` or ``[CLS] a [SEP] b [SEP]`` around texts, or ``a [SEP]`` for an encoder-decoder, unless
    it was published with another frame, and pads on the right. Other than ours, it takes
    a special piece's name in a text for the piece, as `transformers` does for every model: ``a [MASK] b`` has a mask in
    it, unless ``split_special_tokens=True``. Lone surrogates are an error there.

    Args:
        model: A ``tokenizer.model`` of ours, a ``tokenizer.json``, or a folder with one of them.
        destination: Folder to write ``tokenizer.json`` and ``tokenizer_config.json`` to; created if need be.
        max_length: Tokens that the model reads, special pieces included.
        of_bert: Whether it is a BERT's; else an encoder-decoder's.

    Raises:
        ArtefactError: The tokenizer is missing or damaged.
        ConfigError: The ``tokenizers`` library is not installed.
    """
    path = tokenizer_file(model) if model.is_dir() else model
    require_library(f"exporting {path} takes")
    special = Tokenizer(path).special
    made = read_json(path) if path.suffix == ".json" else unigram_json(path.read_bytes())
    if made.post_processor is None:
        made.post_processor = _sequences(made, special) if of_bert else _sources(made, special)
    roles = [role for role in NAMES if role not in special.missing]
    names = {f"{role}_token": made.id_to_token(getattr(special, role)) for role in roles}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    if not of_bert:
        names["eos_token"] = names["sep_token"]
        inputs.remove("token_type_ids")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **names,
        "model_max_length": max_length,
        "padding_side": "right",
        "truncation_side": "right",
        "clean_up_tokenization_spaces": False,
        "model_input_names": inputs,
    }
    destination.mkdir(parents=True, exist_ok=True)
    made.save(str(destination / JSON_FILE))
    text = json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
    (destination / SETTINGS).write_text(text, encoding="utf-8")


def _whole(path: Path, settings: dict[str, Any]) -> tokenizers.Tokenizer:
    from tokenizers.normalizers import BertNormalizer

    try:
        made = read_json(path)
    except ArtefactError as error:
        raise InputError(error.what, why=error.why) from error
    normalizer = made.normalizer
    if isinstance(normalizer, BertNormalizer):
        # Where both speak, transformers follows the settings.
        for key, attribute in (
            ("do_lower_case", "lowercase"),
            ("strip_accents", "strip_accents"),
            ("tokenize_chinese_chars", "handle_chinese_chars"),
        ):
            if isinstance(settings.get(key), bool):
                setattr(normalizer, attribute, settings[key])
    return made


def _wordpiece(path: Path, settings: dict[str, Any]) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    try:
        lines = path.read_bytes().decode().split("\n")
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8", path=path, why=str(error)) from error
    words = [line.rstrip("\r") for line in (lines if lines[-1] else lines[:-1])]
    if len(set(words)) < len(words):
        twice = next(word for place, word in enumerate(words) if word in words[:place])
        raise InputError(f"the piece {twice!r} is there twice", path=path)
    names = _names(settings, words, path, style=0)
    # Published without settings, a vocabulary with capital letters was made for them.
    small = all(word == word.lower() for word in words if word not in names and not word.startswith("[unused"))
    made = Tokenizer(models.WordPiece({word: place for place, word in enumerate(words)}, unk_token=names[1]))
    made.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        strip_accents=settings.get("strip_accents"),
        lowercase=settings.get("do_lower_case", small),
    )
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(prefix="##")
    made.add_special_tokens(names)
    made.post_processor = _sequences(made, special_ids(made, path))
    return made


def _byte_level(pieces: Path, merges: Path, settings: dict[str, Any]) -> tokenizers.Tokenizer:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    names = _names(settings, _json(pieces), pieces, style=1)
    try:
        made = Tokenizer(models.BPE.from_file(str(pieces), str(merges)))
    except Exception as error:  # the library raises bare exceptions
        raise InputError("does not fit its merges", path=pieces, why=str(error)) from error
    prefix = bool(settings.get("add_prefix_space", False))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    made.decoder = decoders.ByteLevel()
    # A mask takes the place of a word with the space before it.
    made.add_special_tokens([AddedToken(name, special=True, lstrip="mask" in name.lower()) for name in names])
    special = special_ids(made, pieces)
    made.post_processor = processors.RobertaProcessing(
        (str(made.id_to_token(special.sep)), special.sep),
        (str(made.id_to_token(special.cls)), special.cls),
        trim_offsets=bool(settings.get("trim_offsets", True)),
        add_prefix_space=prefix,
    )
    return made


def _names(settings: dict[str, Any], vocabulary: Iterable[str], path: Path, style: int) -> list[str]:
    """What the special pieces are called: padding, unknown, begin, end, mask."""
    known = set(vocabulary)
    names = []
    for role, usual in NAMES.items():
        given = settings.get(f"{role}_token")
        given = given.get("content") if isinstance(given, dict) else given
        name = given if isinstance(given, str) else usual[style]
        if name not in known:
            raise InputError(f"there is no piece {name}", path=path, why="it is not the vocabulary of a BERT")
        names.append(name)
    return names


def _sequences(made: tokenizers.Tokenizer, special: SpecialIds) -> Any:
    """``[CLS] a [SEP]``, and ``[CLS] a [SEP] b [SEP]`` with the second segment from b on."""
    from tokenizers.processors import TemplateProcessing

    cls, sep = made.id_to_token(special.cls), made.id_to_token(special.sep)
    return TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
        special_tokens=[(cls, special.cls), (sep, special.sep)],
    )


def _sources(made: tokenizers.Tokenizer, special: SpecialIds) -> Any:
    """``a [SEP]``, as sources and targets end."""
    from tokenizers.processors import TemplateProcessing

    sep = made.id_to_token(special.sep)
    return TemplateProcessing(single=f"$A {sep}", pair=f"$A $B {sep}", special_tokens=[(sep, special.sep)])


def _nothing(source: Path) -> InputError:
    lonely = next((name for name in SENTENCEPIECE if (source / name).is_file()), None)
    if lonely is None:
        return InputError(
            "there is no tokenizer", path=source, hint=f"Expected {JSON_FILE}, {WORDS}, or {PIECES} and {MERGES}."
        )
    # transformers itself reads Marian's without the tokenizers library.
    writes = lonely != "source.spm"
    return InputError(
        f"{lonely} cannot be read without a {JSON_FILE}",
        path=source,
        why="a SentencePiece file does not say how the model numbers its pieces",
        hint="transformers writes one: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)."
        if writes
        else f"Some Marian models are published with one beside the .spm files; look for a {JSON_FILE} of this model.",
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError("cannot be read", path=path, why=str(error)) from error
    if not isinstance(values, dict):
        raise InputError("cannot be read", path=path, why="a JSON object is expected")
    return values
