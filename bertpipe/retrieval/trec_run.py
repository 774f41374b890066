"""Runs: rankings as the tools of TREC read them, ``query Q0 document rank score name``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

import numpy as np


def run_lines(query: str, ranking: Sequence[tuple[str, float]], name: str) -> Iterator[str]:
    """The lines of one query.

    Args:
        query: Its id.
        ranking: Documents and scores, best first.
        name: What the run is called.

    Yields:
        Lines without their ends. Scores fall strictly (`falling_scores`).
    """
    scores = falling_scores([score for _, score in ranking])
    for rank, ((document, _), score) in enumerate(zip(ranking, scores, strict=True), start=1):
        yield f"{one_word(query)} Q0 {one_word(document)} {rank} {score!s} {one_word(name)}"


def falling_scores(scores: Sequence[float]) -> list[np.float32]:
    """Scores as trec_eval keeps them, each lower than the one before.

    trec_eval does not look at ranks: it sorts by score, in single precision, and equal scores by the documents' names.
    So a score that is not below the one before becomes the next lower number that there is.

    Args:
        scores: Best first.
    """
    falling: list[np.float32] = []
    for score in scores:
        value = np.float32(score)
        if falling and value >= falling[-1]:
            value = np.nextafter(falling[-1], np.float32(-np.inf))
        falling.append(value)
    return falling


def one_word(name: str) -> str:
    """A name without white space; where it has any, it is written with percent signs, as in a URL."""
    if not name or re.search(r"[\s\x00-\x1f\x7f-\x9f]", name):
        return quote(name, safe="/#:@!$&'()*+,;=~?[]", errors="replace") or "%"
    return name
