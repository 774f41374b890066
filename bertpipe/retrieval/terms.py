"""The terms of a passage as BM25 counts them, and what they depend on."""

from __future__ import annotations

import unicodedata

import Stemmer

from bertpipe.retrieval.analysis import analyse

TITLE_WEIGHT = 3
"""How often the terms of a title count; measured."""
# To be raised when `analyse` gives other terms for the same text.
_ANALYSIS = 1
TERMS = f"{_ANALYSIS}, title {TITLE_WEIGHT}, Unicode {unicodedata.unidata_version}, Snowball {Stemmer.version()}"
"""What the terms of a passage depend on beside its title and text. Terms kept under another name are not used."""


def passage_terms(title: str, text: str, title_weight: int = TITLE_WEIGHT) -> str:
    """The terms of a passage, with repetitions and with a space between them.

    Args:
        title: Of its document.
        text: Its own.
        title_weight: How often the terms of the title count.
    """
    return " ".join(analyse(title) * title_weight + analyse(text))
