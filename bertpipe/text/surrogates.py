"""Surrogates: halves of characters that a Python string may hold and UTF-8 may not."""

from __future__ import annotations


def encodable(text: str) -> str:
    """Makes one character of two halves, and U+FFFD of a half alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def places_before(text: str) -> list[int]:
    """Where the characters of ``encodable(text)`` stand in ``text``, and where the text ends.

    Args:
        text: Any text.

    Returns:
        One place more than ``encodable(text)`` has characters.
    """
    places = []
    place = 0
    while place < len(text):
        places.append(place)
        pair = "\ud800" <= text[place] <= "\udbff" and "\udc00" <= text[place + 1 : place + 2] <= "\udfff"
        place += 2 if pair else 1
    return [*places, len(text)]
