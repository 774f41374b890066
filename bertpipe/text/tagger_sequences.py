"""What a tagger reads of a sentence, and the way back from its outputs to the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertpipe.text.special_ids import SpecialIds
from bertpipe.text.unit_windows import unit_windows
from bertpipe.text.words import Unit


@dataclass(frozen=True)
class TaggerSequence:
    """A window of a sentence.

    Attributes:
        input_ids: ``[CLS] pieces [SEP]``.
        units: The units that this window tags, by their places in the sentence.
        places: The place in ``input_ids`` that each of their tags is read from.
    """

    input_ids: list[int]
    units: list[int]
    places: list[int]


def tagger_sequences(units: Sequence[Unit], max_tokens: int, stride: int, special: SpecialIds) -> list[TaggerSequence]:
    """Cuts a sentence into windows that a tagger can read; every unit is tagged by one of them.

    Args:
        units: At least one. Of one with more pieces than a window holds, the first are read.
        max_tokens: Length of a window, special pieces included.
        stride: Pieces that neighbouring windows share.
        special: The tokenizer's.
    """
    room = max_tokens - 2
    pieces = [
        unit.pieces[max(0, unit.labelled + 1 - room) :][:room] if len(unit.pieces) > room else unit.pieces
        for unit in units
    ]
    made = []
    for window in unit_windows([len(one) for one in pieces], room, min(stride, room // 2)):
        input_ids, places = [special.cls], []
        for unit in range(window.start, window.stop):
            if window.own_start <= unit < window.own_stop:
                lost = max(0, units[unit].labelled + 1 - room) if len(units[unit].pieces) > room else 0
                places.append(len(input_ids) + units[unit].labelled - lost)
            input_ids += pieces[unit]
        made.append(TaggerSequence([*input_ids, special.sep], list(range(window.own_start, window.own_stop)), places))
    return made


def unit_scores(sequences: Sequence[TaggerSequence], outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Puts the windows' outputs together.

    Args:
        sequences: The windows of one sentence.
        outputs: (T, L) for each of them.

    Returns:
        (U, L), a row for every unit of the sentence.
    """
    return np.concatenate([output[sequence.places] for sequence, output in zip(sequences, outputs, strict=True)])


def unit_tags(units: Sequence[Unit], tags: Sequence[str], words: Sequence[str]) -> list[str]:
    """Tags of units from tags of words: what goes on within a word goes on with its tag.

    Args:
        units: Of a sentence.
        tags: IOB2, one a word.
        words: The words.
    """
    starts = np.cumsum([0, *map(len, words)])
    made = []
    for unit in units:
        tag = tags[unit.word]
        inside = unit.start > starts[unit.word]
        made.append(f"I-{tag[2:]}" if inside and tag != "O" else tag)
    return made


def word_tags(units: Sequence[Unit], tags: Sequence[str], words: Sequence[str]) -> list[str]:
    """Tags of words from tags of units: a word is where it begins.

    Args:
        units: Of a sentence.
        tags: IOB2, one a unit.
        words: The words.

    Returns:
        IOB2, one a word.
    """
    spans = np.cumsum([tag.startswith("B-") for tag in tags])
    starts = np.cumsum([0, *map(len, words)])
    made: list[str] = []
    place, before = 0, -1
    for word in range(len(words)):
        while place + 1 < len(units) and units[place + 1].start <= starts[word]:
            place += 1
        tag = tags[place]
        goes_on = tag != "O" and before == spans[place]
        made.append(tag if tag == "O" else f"{'I' if goes_on else 'B'}-{tag[2:]}")
        before = -1 if tag == "O" else int(spans[place])
    return made
