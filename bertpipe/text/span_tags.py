"""Tags that mark spans of words: the ways to write them, told apart and made one.

==========  ==========================================================================================================
IOB2        ``B-X`` begins every span, ``I-X`` continues one, ``O`` is outside (Tjong Kim Sang and Veenstra 1999)
IOB1        ``I-X`` begins a span too; ``B-X`` only one that follows another of its type (Ramshaw and Marcus 1995)
BIOES       IOB2 with ``E-X`` for the last word of a span and ``S-X`` for a span of one word; also as BILOU and BMES
==========  ==========================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

SpanTags = Literal["iob1", "iob2", "bioes"]

OUTSIDE = "O"
_BEGINS = "BSU"  # U of BILOU is S
_GOES_ON = "IMEL"  # M of BMES is I, L of BILOU is E
_ENDS = "ESLU"


def parts_of(tag: str) -> tuple[str, str] | None:
    """A tag's letter and type: ("B", "PER") of ``B-PER``, ("O", "") of ``O``, None of what is no such tag."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    letter, dash, kind = tag.partition("-")
    if len(letter) != 1 or letter not in _BEGINS + _GOES_ON or not dash or not kind:
        return None
    return letter, kind


def recognise(sentences: Iterable[Sequence[str]]) -> SpanTags:
    """Which way of writing tags sentences keep to: what their tags would break the least rules of.

    Tags of one-word spans alone look like IOB2, and are that.

    Args:
        sentences: Their tags, each one of those that `parts_of` takes apart.
    """
    needless = missing = 0  # B where no span of the type goes before it; I where none does
    for tags in sentences:
        before = ""
        for tag in tags:
            letter, kind = _parts(tag)
            if letter in _ENDS + "M":
                return "bioes"
            if letter != OUTSIDE and kind != before:
                needless += letter == "B"
                missing += letter == "I"
            before = kind
    return "iob1" if missing > needless else "iob2"


def to_iob2(tags: Sequence[str], written: SpanTags) -> tuple[list[str], list[int]]:
    """The tags of a sentence in IOB2.

    Args:
        tags: Each one of those that `parts_of` takes apart.
        written: How they are written.

    Returns:
        The new tags, and the places of those that break the rules of how they are written: a tag that continues nothing
        begins a span here, as in the evaluation of CoNLL 2000; a span of BIOES that does not end, ends.
    """
    new: list[str] = []
    broken: list[int] = []
    before, is_open = "", False  # the type of the word before; whether BIOES says that its span goes on
    for place, tag in enumerate(tags):
        letter, kind = _parts(tag)
        asks = letter in _GOES_ON
        goes_on = asks and kind == before and (is_open or written != "bioes")
        if written == "bioes":
            wrong = (asks or is_open) and not goes_on
        else:
            wrong = letter == "B" and kind != before if written == "iob1" else asks and not goes_on
        if wrong:
            broken.append(place)
        new.append(OUTSIDE if letter == OUTSIDE else f"{'I' if goes_on else 'B'}-{kind}")
        before, is_open = kind, letter not in _ENDS + OUTSIDE
    if written == "bioes" and is_open:
        broken.append(len(tags) - 1)
    return new, broken


def _parts(tag: str) -> tuple[str, str]:
    parts = parts_of(tag)
    if parts is None:
        raise ValueError(f"{tag!r} is no tag of a span")
    return parts
