import random

import pytest

from bertpipe.text.span_tags import parts_of, recognise, to_iob2


def spans_to(written: str, length: int, spans: list[tuple[int, int, str]]) -> list[str]:
    """Tags of known spans, written from the schemes' definitions."""
    tags = ["O"] * length
    for number, (start, end, kind) in enumerate(spans):
        for place in range(start, end):
            tags[place] = f"I-{kind}"
        touches = number > 0 and spans[number - 1][1:] == (start, kind)
        if written == "iob2" or (written == "iob1" and touches):
            tags[start] = f"B-{kind}"
        if written in ("bioes", "bilou", "bmes"):
            inside = "M" if written == "bmes" else "I"
            single, last = ("U", "L") if written == "bilou" else ("S", "E")
            for place in range(start, end):
                tags[place] = f"{inside}-{kind}"
            tags[start], tags[end - 1] = f"B-{kind}", f"{last}-{kind}"
            if end - start == 1:
                tags[start] = f"{single}-{kind}"
    return tags


def some_spans(generator: random.Random) -> tuple[int, list[tuple[int, int, str]]]:
    spans, place = [], 0
    for _ in range(generator.randrange(5)):
        start = place + generator.choice([0, 0, 1, 2])
        place = start + generator.randrange(1, 4)
        spans.append((start, place, generator.choice(["PER", "ORG"])))
    return place + generator.randrange(1, 3), spans


@pytest.mark.parametrize("written", ["iob1", "iob2", "bioes", "bilou", "bmes"])
def test_every_way_of_writing_comes_out_the_same(written):
    generator = random.Random(1)
    sentences = [some_spans(generator) for _ in range(300)]
    tags = [spans_to(written, *sentence) for sentence in sentences]
    found = recognise(tags)
    assert found == {"bilou": "bioes", "bmes": "bioes"}.get(written, written)
    for sentence, one in zip(sentences, tags, strict=True):
        assert to_iob2(one, found) == (spans_to("iob2", *sentence), [])


def test_a_few_mistakes_do_not_make_another_scheme():
    good = [["B-PER", "I-PER", "O"]] * 10
    assert recognise([*good, ["I-PER", "O"], ["O", "I-ORG"]]) == "iob2"
    assert recognise([["I-PER", "I-PER", "O"]] * 10 + [["B-PER"]]) == "iob1"
    assert recognise([["O"], []]) == "iob2"


@pytest.mark.parametrize(
    ("written", "tags", "expected", "broken"),
    [
        ("iob2", "O I-X I-X", "O B-X I-X", [1]),
        ("iob2", "B-X I-Y", "B-X B-Y", [1]),
        ("iob1", "O B-X I-X", "O B-X I-X", [1]),
        ("iob1", "I-X I-Y B-Y", "B-X B-Y B-Y", []),
        ("bioes", "B-X O", "B-X O", [1]),
        ("bioes", "B-X", "B-X", [0]),
        ("bioes", "S-X E-X", "B-X B-X", [1]),
        ("bioes", "B-X E-X I-X E-X", "B-X I-X B-X I-X", [2]),
        ("bioes", "B-X B-X E-X", "B-X B-X I-X", [1]),
        ("bioes", "B-X I-Y E-Y", "B-X B-Y I-Y", [1]),
    ],
)
def test_broken_rules_are_named_and_come_closest(written, tags, expected, broken):
    assert to_iob2(tags.split(), written) == (expected.split(), broken)


def test_what_is_a_tag():
    assert parts_of("O") == ("O", "")
    assert parts_of("B-creative-work") == ("B", "creative-work")
    for bad in ("", "B", "B-", "X-PER", "PER", "o", "BI-PER", "-PER", "B_PER"):
        assert parts_of(bad) is None
    with pytest.raises(ValueError, match="'NOUN' is no tag"):
        recognise([["NOUN"]])
