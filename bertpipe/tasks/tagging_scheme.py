"""Sequences of tags that mean something: which may follow which, the best of them, and the spans that they mark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from bertpipe.text.span_tags import OUTSIDE, parts_of, to_iob2

Scheme = Literal["iob2", "bioes"]


class Span(NamedTuple):
    """A run of words that is something.

    Attributes:
        start: Its first word.
        end: The word behind its last one.
        kind: What it is: ``PER``.
    """

    start: int
    end: int
    kind: str


class TaggingScheme:
    """The labels of a tagger and what is legal among them.

    Args:
        name: ``"iob2"`` or ``"bioes"`` (`bertpipe.text.span_tags`).
        labels: The tags in the order of their numbers; "O" has to be one of them.

    Attributes:
        name: As given.
        labels: As given.
        start: Which labels may begin a sequence, (L,) of truth values.
        end: Which may end one, (L,).
        transitions: Whether label j may follow label i, (L, L).

    Raises:
        ValueError: A label is none of the scheme's, stands twice, or "O" is missing.
    """

    def __init__(self, name: Scheme, labels: Sequence[str]) -> None:
        self.name: Scheme = name
        self.labels = tuple(labels)
        if name not in _LETTERS:
            raise ValueError(f"{name!r} is no tagging scheme: {' or '.join(_LETTERS)}")
        parts = []
        for label in self.labels:
            part = parts_of(label)
            if part is None or part[0] not in _LETTERS[name]:
                raise ValueError(f"{label!r} is no label of the scheme {name}")
            parts.append(part)
        if len(set(self.labels)) < len(self.labels) or OUTSIDE not in self.labels:
            raise ValueError(f"a scheme has every label once, and {OUTSIDE!r}: {self.labels}")
        letters = np.array([letter for letter, _ in parts])
        kinds = np.array([kind for _, kind in parts])
        goes_on = np.isin(letters, ("I", "E"))  # it has to have a span before it
        is_open = np.isin(letters, ("B", "I"))  # a span may go on behind it, and in BIOES has to
        continues = is_open[:, None] & goes_on[None, :] & (kinds[:, None] == kinds[None, :])  # (L, L)
        begins = ~goes_on if name == "iob2" else ~is_open[:, None] & ~goes_on[None, :]
        self.start = ~goes_on
        self.end = np.ones_like(is_open) if name == "iob2" else ~is_open
        self.transitions = continues | begins

    @classmethod
    def for_types(cls, name: Scheme, types: Iterable[str]) -> TaggingScheme:
        """The scheme with all labels of some types of spans: "O" first, then each type's, types in sorted order."""
        letters = _LETTERS[name][1:]
        return cls(name, [OUTSIDE, *(f"{letter}-{kind}" for kind in sorted(set(types)) for letter in letters)])

    def from_iob2(self, tags: Sequence[str]) -> list[str]:
        """Tags of this scheme for the same spans as IOB2 tags."""
        new, _ = to_iob2(tags, "iob2")
        if self.name == "iob2":
            return new
        for start, end, kind in spans_of(new):
            new[end - 1] = f"{'S' if end - start == 1 else 'E'}-{kind}"
        return new

    def to_iob2(self, tags: Sequence[str]) -> list[str]:
        """IOB2 tags for the spans of this scheme's tags."""
        return to_iob2(tags, self.name)[0]

    def decode(self, log_probs: np.ndarray) -> list[int]:
        """The most probable sequence of labels that is legal (Viterbi 1967): no other can come out.

        Args:
            log_probs: The logarithm of each label's probability at each place, or what adds up like it, (T, L). Minus
                infinity says "rather not", and is taken if nothing else is legal.

        Returns:
            T numbers of labels. Of equally probable sequences, always the same one.

        Raises:
            ValueError: The shape is another, or a figure is NaN or infinity.
        """
        scores = np.asarray(log_probs, dtype=np.float64)
        if scores.ndim != 2 or scores.shape[1] != len(self.labels):
            raise ValueError(f"log_probs have the shape {scores.shape} instead of (T, {len(self.labels)})")
        if np.isnan(scores).any() or (scores == np.inf).any():
            raise ValueError("log_probs are not finite")
        if not len(scores):
            return []
        scores = np.maximum(scores, _LOWEST)  # so that only what is illegal is impossible
        illegal = np.where(self.transitions, 0.0, -np.inf)  # (L, L)
        best = np.where(self.start, scores[0], -np.inf)  # (L,), of all sequences that end in a label
        steps = np.empty(scores.shape, dtype=np.int64)
        for place in range(1, len(scores)):
            ways = best[:, None] + illegal  # (L, L)
            steps[place] = ways.argmax(axis=0)
            best = ways.max(axis=0) + scores[place]
        label = int(np.where(self.end, best, -np.inf).argmax())
        labels = [label]
        for place in range(len(scores) - 1, 0, -1):
            label = int(steps[place, label])
            labels.append(label)
        return labels[::-1]

    def is_legal(self, tags: Sequence[str]) -> bool:
        """Whether tags are a sequence that `decode` could give."""
        if not set(tags) <= set(self.labels):
            return False
        numbers = [self.labels.index(tag) for tag in tags]
        follow = all(self.transitions[before, after] for before, after in pairwise(numbers))
        return not numbers or bool(follow and self.start[numbers[0]] and self.end[numbers[-1]])


_LETTERS: dict[Scheme, str] = {"iob2": "OBI", "bioes": "OBIES"}
_LOWEST = -1e30  # a sum of as many as memory holds is still finite, and 1e30 is more than any other figure here


def spans_of(tags: Sequence[str], strict: Scheme | None = None) -> list[Span]:
    """The spans that tags mark, in their order.

    Args:
        tags: The tags of one sequence of words, in IOB2 or BIOES.
        strict: The scheme whose rules a span has to keep to count: a tag that continues nothing, or in BIOES a span
            that does not end, marks none. None: such a tag begins a span, and what follows ends one, as the evaluation
            of CoNLL 2000 has it.

    Raises:
        ValueError: A tag is none of IOB or BIOES.
    """
    plain, _ = to_iob2(tags, "bioes")
    spans: list[Span] = []
    for place, tag in enumerate(plain):
        if tag.startswith("B-"):
            spans.append(Span(place, place + 1, tag[2:]))
        elif tag != OUTSIDE:
            spans[-1] = spans[-1]._replace(end=place + 1)
    if strict is None:
        return spans
    return [span for span in spans if _is_strict(tags, span, strict)]


def _is_strict(tags: Sequence[str], span: Span, scheme: Scheme) -> bool:
    first, last = tags[span.start][0], tags[span.end - 1][0]
    if scheme == "iob2":
        return first == "B"
    return (first, last) == ("B", "E") or first == "S"
