import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bertpipe.tasks.tagging_scheme import Span, TaggingScheme, spans_of

SCHEMES = ("iob2", "bioes")


def legal(tags, name: str) -> bool:
    """Whether a sequence keeps to a scheme, by a regular expression over its letters for each type."""
    import re

    text = "".join(f"<{tag}>" for tag in tags)
    kinds = {tag[2:] for tag in tags if tag != "O"}
    if name == "iob2":
        spans = [f"<B-{kind}>(<I-{kind}>)*" for kind in kinds]
    else:
        spans = [f"(<B-{kind}>(<I-{kind}>)*<E-{kind}>|<S-{kind}>)" for kind in kinds]
    return re.fullmatch("|".join(["(" + "|".join(["<O>", *spans]) + ")*"]), text) is not None


def test_labels():
    assert TaggingScheme.for_types("iob2", ["PER", "LOC"]).labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert TaggingScheme.for_types("bioes", ["X", "X"]).labels == ("O", "B-X", "I-X", "E-X", "S-X")
    assert TaggingScheme.for_types("iob2", []).labels == ("O",)


@pytest.mark.parametrize("name", SCHEMES)
def test_transitions_are_the_scheme_s(name):
    scheme = TaggingScheme.for_types(name, ["X", "Y"])
    for tags in itertools.product(scheme.labels, repeat=3):
        assert scheme.is_legal(tags) == legal(tags, name), tags
    assert scheme.is_legal([])
    assert not scheme.is_legal(["B-Z"])


@pytest.mark.parametrize("name", SCHEMES)
def test_decode_finds_the_best_legal_sequence(name):
    scheme = TaggingScheme.for_types(name, ["X", "Y"])
    generator = np.random.default_rng(1)
    for length in (1, 2, 3, 4):
        sequences = [
            numbers
            for numbers in itertools.product(range(len(scheme.labels)), repeat=length)
            if legal([scheme.labels[number] for number in numbers], name)
        ]
        for _ in range(5):
            scores = generator.normal(size=(length, len(scheme.labels))) * 3
            best = max(sequences, key=lambda numbers: sum(scores[place, n] for place, n in enumerate(numbers)))
            assert scheme.decode(scores) == list(best)


FIGURES = st.sampled_from([-math.inf, -1e300, -5.0, -0.1, 0.0, 3.0])


@settings(max_examples=300)
@given(data=st.data(), name=st.sampled_from(SCHEMES), length=st.integers(0, 12))
def test_decode_never_gives_an_illegal_sequence(data, name, length):
    """Whatever the figures are, and whichever labels a training happened to see."""
    every = TaggingScheme.for_types(name, ["X", "Y"]).labels
    labels = data.draw(st.lists(st.sampled_from(every), unique=True).map(lambda some: [*dict.fromkeys(["O", *some])]))
    scheme = TaggingScheme(name, data.draw(st.permutations(labels)))
    scores = data.draw(arrays.arrays(np.float64, (length, len(labels)), elements=FIGURES))
    tags = [scheme.labels[number] for number in scheme.decode(scores)]
    assert len(tags) == length
    assert legal(tags, name)


def test_decode_overrules_single_places():
    scheme = TaggingScheme("iob2", ["O", "B-X", "I-X"])
    assert scheme.decode(np.log([[0.5, 0.4, 0.1], [0.1, 0.0001, 0.8999]])) == [1, 2]
    assert scheme.decode(np.log(np.full((3, 3), 1 / 3))) == scheme.decode(np.zeros((3, 3), dtype=np.float32))


def test_what_cannot_be_decoded():
    scheme = TaggingScheme("iob2", ["O", "B-X", "I-X"])
    with pytest.raises(ValueError, match=r"shape \(2, 2\) instead of \(T, 3\)"):
        scheme.decode(np.zeros((2, 2)))
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not finite"):
            scheme.decode(np.array([[0.0, bad, 0.0]]))


@pytest.mark.parametrize(
    ("name", "labels", "words"),
    [
        ("iob1", ["O"], "'iob1' is no tagging scheme"),
        ("iob2", ["O", "S-X"], "'S-X' is no label of the scheme iob2"),
        ("bioes", ["O", "L-X"], "'L-X' is no label"),
        ("iob2", ["O", "NOUN"], "'NOUN' is no label"),
        ("iob2", ["B-X", "I-X"], "and 'O'"),
        ("iob2", ["O", "B-X", "B-X"], "every label once"),
    ],
)
def test_labels_of_another_scheme(name, labels, words):
    with pytest.raises(ValueError, match=words):
        TaggingScheme(name, labels)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from("XY")), max_size=6))
def test_from_one_scheme_to_the_other_and_back(parts):
    tags: list[str] = []
    spans = []
    for gap, length, kind in parts:
        tags += ["O"] * gap
        spans.append(Span(len(tags), len(tags) + length, kind))
        tags += [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]
    for name in SCHEMES:
        scheme = TaggingScheme.for_types(name, "XY")
        new = scheme.from_iob2(tags)
        assert legal(new, name)
        assert scheme.to_iob2(new) == tags
        assert spans_of(new) == spans_of(new, name) == spans


@pytest.mark.parametrize(
    ("tags", "lenient", "iob2", "bioes"),
    [
        ("", [], [], []),
        ("O O", [], [], []),
        ("B-X I-X O", [(0, 2, "X")], [(0, 2, "X")], []),
        ("I-X I-X B-X", [(0, 2, "X"), (2, 3, "X")], [(2, 3, "X")], []),
        ("B-X I-Y", [(0, 1, "X"), (1, 2, "Y")], [(0, 1, "X")], []),
        ("B-X E-X S-Y E-Y", [(0, 2, "X"), (2, 3, "Y"), (3, 4, "Y")], None, [(0, 2, "X"), (2, 3, "Y")]),
        ("B-creative-work", [(0, 1, "creative-work")], [(0, 1, "creative-work")], []),
    ],
)
def test_spans(tags, lenient, iob2, bioes):
    assert spans_of(tags.split()) == lenient
    if iob2 is not None:
        assert spans_of(tags.split(), "iob2") == iob2
    assert spans_of(tags.split(), "bioes") == bioes


@pytest.mark.peer
def test_seqeval_finds_the_same_spans():
    pytest.importorskip("seqeval")
    from seqeval.metrics.sequence_labeling import get_entities
    from seqeval.scheme import IOB2, IOBES, Entities

    generator = np.random.default_rng(2)
    for letters, name, theirs in (("OBI", "iob2", IOB2), ("OBIES", "bioes", IOBES)):
        labels = ["O", *(f"{letter}-{kind}" for letter in letters[1:] for kind in ("X", "new-work"))]
        for _ in range(1000):
            tags = [labels[number] for number in generator.integers(0, len(labels), generator.integers(1, 12))]
            assert spans_of(tags) == [(start, end + 1, kind) for kind, start, end in get_entities(tags)]
            strict = [(one.start, one.end, one.tag) for one in Entities([tags], theirs).entities[0]]
            assert spans_of(tags, name) == strict
