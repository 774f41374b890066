"""A tokenizer of ours for the ``tokenizers`` library: the same pieces for the same text, by other machinery.

Three things are done differently there, and made up for here:

- **Normalisation.** The library looks up graphemes, what a reader takes for a character, and follows the first rule
  that fits their beginning: "É" written with a combining accent becomes "e". So every run that SentencePiece replaces
  as one is first set apart from the next by a control character, which the rules remove again; NFKC then composes the
  run to one character, and the rules see one character at a time.
- **Special pieces and bytes.** The library finds every piece of the vocabulary in text, where SentencePiece does not
  find ``<0x41>`` or ``[MASK]``. A text that has them is cut inside of them, at a place that no other piece spans.
- **Sums.** It adds scores in double precision, SentencePiece in single precision; the scores of our models are such
  that both are exact (`bertpipe.text.tokenizer.SCORE_STEPS`).

What is left: 393 of the 220,000 sequences that SentencePiece composes are not composed, all of letters and marks that
came with Unicode 13 to 16, such as the superscript U+A7F2 with an acute. Halves of characters (lone surrogates), which
ours reads as U+FFFD, are refused by the library.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bertpipe.errors import ArtefactError
from bertpipe.text.charsmap import character_class, pattern_of, read_charsmap
from bertpipe.text.special_ids import OURS

if TYPE_CHECKING:
    import tokenizers

# Control characters that SentencePiece's rules remove. One keeps runs apart; the other stands for the only character
# that NFKC replaces and the rules leave alone.
APART, SHIELD, SHIELDED = "\x01", "\x02", "～"
# Characters that change nothing before them and, before one of their own kind, nothing behind them.
INERT = r"[\x00-\x7f\x{3400}-\x{9fff}]"
HEXADECIMAL = "0123456789ABCDEF"


def unigram_json(model: bytes) -> tokenizers.Tokenizer:
    """Builds the library's tokenizer, without post-processor.

    Args:
        model: The content of a ``tokenizer.model`` of ours.

    Raises:
        ArtefactError: It is a SentencePiece model of another kind.
    """
    from sentencepiece.sentencepiece_model_pb2 import ModelProto, TrainerSpec
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    proto = ModelProto.FromString(model)
    rules = proto.normalizer_spec
    ours = proto.trainer_spec.model_type == TrainerSpec.UNIGRAM and proto.trainer_spec.byte_fallback
    if not (ours and rules.add_dummy_prefix and rules.remove_extra_whitespaces and rules.escape_whitespaces):
        raise ArtefactError("this SentencePiece model was not trained by bertpipe", why="its settings differ")
    pieces = [(piece.piece, piece.score) for piece in proto.pieces]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=OURS.unk, byte_fallback=True))
    tokenizer.normalizer = normalizer(rules.precompiled_charsmap)
    cuts: list[Any] = [pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="never", split=True)]
    normal = [piece.piece for piece in proto.pieces if piece.type == piece.NORMAL]
    special = [proto.pieces[index].piece for index in OURS.all]
    for literal in ([*"<0x", HEXADECIMAL, HEXADECIMAL, ">"], *map(list, special)):
        pattern = cut_inside(literal, normal)
        if pattern:
            cuts.append(pre_tokenizers.Split(Regex(pattern), "merged_with_previous"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(cuts)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in special])
    return tokenizer


def normalizer(charsmap: bytes) -> Any:
    """What SentencePiece does to a text before it looks for pieces, as a normalizer of the library.

    Args:
        charsmap: ``normalizer_spec.precompiled_charsmap``; empty where characters stay as they are.
    """
    from tokenizers import Regex, normalizers
    from tokenizers.normalizers import NFKC, Precompiled, Prepend, Replace

    spaces = [Replace(Regex(" {2,}"), " "), Replace(Regex(r"\A | \z"), ""), Prepend("▁"), Replace(" ", "▁")]
    if not charsmap:
        # A "▁" of the text itself counts as a space at the end, and nowhere else.
        return normalizers.Sequence([*spaces, Replace(Regex(r"▁+\z"), "")])
    return normalizers.Sequence(
        [
            Replace(SHIELD, APART),
            Replace(SHIELDED, SHIELD),
            Replace(Regex(_run(read_charsmap(charsmap)) + r"\K"), APART),
            NFKC(),
            Replace(SHIELD, SHIELDED),
            Precompiled(charsmap),
            *spaces,
        ]
    )


def _run(rules: dict[str, str]) -> str:
    """A pattern for what SentencePiece normalises at once; many inert characters count as one run."""
    runs = [run for run in rules if len(run) > 1]
    inert = f"(?:{INERT}(?!(?!{INERT}).))+"
    single = f".(?!{character_class({run[1] for run in runs})})"
    return f"(?m:(?>{inert}|{single}|{pattern_of(runs)}|.))"


def cut_inside(literal: list[str], pieces: list[str]) -> str:
    """Where to cut a text that holds a piece's name, so that the name is not found and everything else is.

    Args:
        literal: The name, as the characters that each of its places may have.
        pieces: The pieces that text is made of.

    Returns:
        A pattern for the part of the name to cut behind; empty where some piece spans every place.
    """
    classes = [f"[{re.escape(places)}]" for places in literal]
    for place in range(1, len(literal)):
        if not any(_spans(piece, literal, place) for piece in pieces):
            return "".join(classes[:place]) + "(?=" + "".join(classes[place:]) + ")"
    return ""


def _spans(piece: str, literal: list[str], place: int) -> bool:
    """Whether a piece can lie over a place of a name, on both sides of it."""
    for start in range(place - len(piece) + 1, place):
        over = range(max(0, start), min(len(literal), start + len(piece)))
        if all(piece[index - start] in literal[index] for index in over):
            return True
    return False
