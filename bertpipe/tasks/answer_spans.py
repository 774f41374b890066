"""From start and end logits to answers, comparable over all windows of all passages.

A model's logits have no origin of their own: in one window all may be higher than in another. So a span is measured
against its own window's "no answer", the logits at ``[CLS]``:

    odds(span) = start(first) + end(last) - null(window) + prior(passage)

One softmax over the spans of all windows of all passages, with "no answer" at 0, makes probabilities of these (the
scores of Devlin et al. 2019, section 4.3; one normalisation over paragraphs as in Clark and Gardner 2018, section 3.3).
A piece that stands in several windows counts once, where most is seen around it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertpipe.tasks.bootstrap import check_finite

# Spans of a window that are looked at one by one; all count in the softmax.
KEPT = 20
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")


@dataclass(frozen=True)
class WindowLogits:
    """What a model says about one window of a passage.

    Attributes:
        passage: Which of the passages it is of.
        logits: (T, 2), start and end, of the T pieces of the passage that are in the window.
        null: Start and end logit at ``[CLS]``, added.
        places: int (T, 2), where each piece begins and ends in the passage, in characters.
        own: bool (T,), False at pieces of which another window shows more around them; an answer does not begin there.
    """

    passage: int
    logits: np.ndarray
    null: float
    places: np.ndarray
    own: np.ndarray


@dataclass(frozen=True)
class AnswerSpan:
    """An answer.

    Attributes:
        text: As it stands in the passage.
        passage: Which of the passages.
        start: First character in the passage.
        end: Character after the last.
        score: Probability, 0 to 1, that of equal and overlapping answers added.
    """

    text: str
    passage: int
    start: int
    end: int
    score: float


def best_answers(
    windows: Sequence[WindowLogits],
    texts: Sequence[str],
    *,
    longest: int,
    priors: Sequence[float] | None = None,
    k: int = 5,
) -> list[AnswerSpan]:
    """The most probable answers; equal texts are one answer, and so are spans that overlap.

    Args:
        windows: Of all passages.
        texts: The passages.
        longest: Pieces of the longest answer.
        priors: Log-odds of each passage, known beforehand; 0 by default.
        k: At most how many answers.

    Returns:
        Best first. What their scores lack to 1 is the probability that there is no answer, and what is left over.

    Raises:
        ValueError: A logit is not finite.
    """
    found: list[tuple[float, int, int, int]] = []  # odds, passage, start, end
    masses = [0.0]  # "no answer"
    for window in windows:
        prior = 0.0 if priors is None else priors[window.passage]
        odds = _span_odds(window, longest) + prior  # (T, L)
        if odds.size and np.isfinite(odds).any():
            masses.append(_log_sum(odds))
            found += _best_spans(odds, window)
    whole = _log_sum(np.array(masses))
    found.sort(key=lambda item: (-item[0], item[1:]))
    groups: list[_Group] = []
    by_text: dict[str, _Group] = {}
    of_passage: dict[int, list[_Group]] = {}
    for value, passage, start, end in found:
        start, end = _trimmed(texts[passage], start, end)
        if start >= end:
            continue
        plain = _plain(texts[passage][start:end])
        nearby = of_passage.setdefault(passage, [])
        group = next((one for one in nearby if one.start < end and start < one.end), by_text.get(plain))
        if group is None:
            group = by_text[plain] = _Group(passage, start, end)
            groups.append(group)
            nearby.append(group)
        group.score += float(np.exp(value - whole))
    groups.sort(key=lambda one: -one.score)
    return [
        AnswerSpan(texts[one.passage][one.start : one.end], one.passage, one.start, one.end, min(1.0, one.score))
        for one in groups[:k]
    ]


@dataclass
class _Group:
    """Spans that are one answer; the place is that of the most probable one."""

    passage: int
    start: int
    end: int
    score: float = 0.0


def _span_odds(window: WindowLogits, longest: int) -> np.ndarray:
    """(T, L): of the span from piece t over l more pieces; minus infinity where it would leave the window."""
    logits = np.asarray(window.logits, dtype=np.float64)
    check_finite("logits", logits)
    check_finite("logits", np.array([window.null]))
    count = len(logits)
    longest = min(longest, count)
    padded = np.concatenate([logits[:, 1], np.full(longest, -np.inf)])
    if not count:
        return np.empty((0, 0))
    ends = np.lib.stride_tricks.sliding_window_view(padded, longest)[:count]  # (T, L)
    starts = np.where(window.own, logits[:, 0], -np.inf)
    return starts[:, None] + ends - window.null


def _best_spans(odds: np.ndarray, window: WindowLogits) -> list[tuple[float, int, int, int]]:
    flat = odds.ravel()
    kept = np.argpartition(-flat, KEPT - 1)[:KEPT] if len(flat) > KEPT else np.arange(len(flat))
    found = []
    for place in kept.tolist():
        if np.isfinite(flat[place]):
            first, more = divmod(place, odds.shape[1])
            start, end = int(window.places[first, 0]), int(window.places[first : first + more + 1, 1].max())
            found.append((float(flat[place]), window.passage, start, end))
    return found


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """A span without white space at its ends: a piece may have the space before its word."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _plain(text: str) -> str:
    """A text without what makes no other answer of it: case, width, punctuation at its ends, runs of spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_EDGES.sub("", folded).split()) or folded


def _log_sum(values: np.ndarray) -> float:
    """log(sum(exp(values)))."""
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum()))
