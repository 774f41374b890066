"""Lead-1: the first sentence of a text as its summary, the baseline that a summariser has to beat."""

from __future__ import annotations

from bertpipe.text.sentences import split_sentences


def first_sentence(text: str) -> str:
    """The first sentence on one line; empty for a text without any."""
    for start, end in split_sentences(text):
        return " ".join(text[start:end].split())
    return ""
