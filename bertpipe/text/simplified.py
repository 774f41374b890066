"""Rules of normalisation by which Traditional Chinese is read as Simplified.

A corpus in one script teaches nothing about text in the other: its characters are other pieces. A tokenizer whose rules
fold them reads both alike. The rules become part of its file, so that only training it needs OpenCC's table.
"""

from __future__ import annotations

from pathlib import Path

from bertpipe.errors import ConfigError
from bertpipe.text.charsmap import read_charsmap

# Unified ideographs, with their extensions to date.
_IDEOGRAPHS = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000), range(0x20000, 0x33480))


def simplified_characters() -> dict[str, str]:
    """The Simplified character of each Traditional one, where it is another.

    Characters alone: what depends on the word (著 stays in 著名 and becomes 着 in 看著) stays as it is, and so no
    place in a text moves.

    Raises:
        ConfigError: OpenCC is not installed.
    """
    try:
        from opencc import OpenCC
    except ImportError as error:
        raise ConfigError(
            'tokenize.chinese = "simplified" needs OpenCC',
            why=str(error),
            hint="Install it with `pip install bertpipe[chinese]`; only training the tokenizer needs it.",
        ) from error
    convert = OpenCC("t2s").convert
    pairs = ((chr(code), convert(chr(code))) for block in _IDEOGRAPHS for code in block)
    return {one: other for one, other in pairs if one != other and len(other) == 1}


def write_simplifying_rules(path: Path, rules: str) -> None:
    """Writes rules of normalisation with those of `simplified_characters` behind them.

    Args:
        path: For SentencePiece's ``normalization_rule_tsv``.
        rules: The name of SentencePiece's own rules: "nmt_nfkc_cf" or "nmt_nfkc".

    Raises:
        ConfigError: OpenCC is not installed.
        OSError: The disk refused.
    """
    from sentencepiece import SentencePieceNormalizer
    from sentencepiece.sentencepiece_model_pb2 import ModelProto

    simplified = simplified_characters()
    table = str.maketrans(simplified)
    proto = ModelProto.FromString(SentencePieceNormalizer(rule_name=rules).serialized_model_proto())
    known = read_charsmap(proto.normalizer_spec.precompiled_charsmap)
    folded = simplified | {run: text.translate(table) for run, text in known.items()}
    lines = (f"{_codes(run)}\t{_codes(text)}\n" for run, text in sorted(folded.items()))
    path.write_text("".join(lines), encoding="ascii")


def _codes(text: str) -> str:
    return " ".join(f"{ord(character):X}" for character in text)
