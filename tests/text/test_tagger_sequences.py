import numpy as np
import pytest

from bertpipe.text.special_ids import OURS
from bertpipe.text.tagger_sequences import tagger_sequences, unit_scores, unit_tags, word_tags
from bertpipe.text.words import Unit


def units_with(sizes):
    """Units of so many pieces, of which the second is labelled where there are two."""
    made, piece = [], 10
    for place, size in enumerate(sizes):
        made.append(Unit(place, place, place + 1, tuple(range(piece, piece + size)), min(1, size - 1)))
        piece += size
    return made


@pytest.mark.parametrize("max_tokens", [6, 9, 30])
def test_every_units_tag_is_read_from_its_own_piece(max_tokens):
    units = units_with([1, 3, 2, 4, 1, 1, 2, 3, 1, 9, 1])
    sequences = tagger_sequences(units, max_tokens, 2, OURS)
    seen = []
    outputs = []
    for sequence in sequences:
        assert len(sequence.input_ids) <= max_tokens
        assert (sequence.input_ids[0], sequence.input_ids[-1]) == (OURS.cls, OURS.sep)
        for unit, place in zip(sequence.units, sequence.places, strict=True):
            assert sequence.input_ids[place] == units[unit].pieces[units[unit].labelled]
        seen += sequence.units
        outputs.append(np.array(sequence.input_ids, dtype=float)[:, None])
    assert seen == list(range(11))
    wanted = [unit.pieces[unit.labelled] for unit in units]
    assert unit_scores(sequences, outputs)[:, 0].tolist() == wanted


def test_a_mark_far_behind_in_a_long_word():
    unit = Unit(0, 0, 1, tuple(range(10, 40)), 20)
    (sequence,) = tagger_sequences([unit], 8, 2, OURS)
    assert sequence.input_ids[sequence.places[0]] == 30
    assert len(sequence.input_ids) == 8


WORDS = ["我", "在", "北京市", "住"]
PIECES = [(0, 0, 1), (1, 1, 2), (2, 2, 4), (2, 4, 5), (3, 5, 6)]
UNITS = [Unit(word, start, end, (9,), 0) for word, start, end in PIECES]


def test_tags_go_on_within_a_word():
    assert unit_tags(UNITS, ["O", "B-X", "I-X", "O"], WORDS) == ["O", "B-X", "I-X", "I-X", "O"]
    assert unit_tags(UNITS, ["O", "O", "B-X", "B-X"], WORDS) == ["O", "O", "B-X", "I-X", "B-X"]


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        (["O", "B-X", "I-X", "I-X", "O"], ["O", "B-X", "I-X", "O"]),
        (["O", "O", "B-X", "B-X", "I-X"], ["O", "O", "B-X", "B-X"]),  # the second span began within a word
        (["B-X", "B-X", "B-X", "I-X", "I-X"], ["B-X", "B-X", "B-X", "I-X"]),
        (["O", "O", "O", "B-X", "O"], ["O"] * 4),
        (["B-X", "B-Y", "I-Y", "I-Y", "B-X"], ["B-X", "B-Y", "I-Y", "B-X"]),
    ],
)
def test_a_word_is_where_it_begins(tags, wanted):
    assert word_tags(UNITS, tags, WORDS) == wanted


def test_a_word_that_begins_within_a_piece():
    units = [Unit(0, 0, 3, (9,), 0), Unit(2, 3, 4, (9,), 0)]
    words = ["京", "都人", "们"]
    assert unit_tags(units, ["B-X", "O", "O"], words) == ["B-X", "O"]
    assert word_tags(units, ["B-X", "O"], words) == ["B-X", "I-X", "O"]
