"""A text with its title, as the formats with one document a file give it."""

from __future__ import annotations

import re
from typing import NamedTuple

_TITLE = 200  # characters that a title may have
_STOPS = (".", "。", "!", "！", "?", "？", ";", "；", ",", "，", ":", "：")
_UNDERLINE = re.compile(r"([=\-~*^_#+])\1{2,}")
_SHORT = 80  # characters


class Titled(NamedTuple):
    """What a format gives: a title, which may be empty, and the text."""

    title: str
    text: str


def one_line(text: str) -> str:
    """A title on one line and of bearable length."""
    line = " ".join(text.split())
    return line if len(line) <= _TITLE else line[: _TITLE - 1].rstrip() + "…"


def without_title(title: str, text: str) -> Titled:
    """Takes the title off the text where the text begins with it and goes on.

    A passage carries its document's title, so the words would stand there twice.
    """
    first, _, rest = text.partition("\n")
    if title and one_line(first) == title and rest.strip():
        return Titled(title, rest.strip())
    return Titled(title, text)


def plain_title(text: str) -> Titled:
    """A plain text's first line is its title if it looks like one.

    That is: it is short, does not end like a sentence or a clause, and a blank line or an underline follows.
    An overline above it is taken for decoration.
    """
    lines = text.split("\n", 3)
    if len(lines) > 3 and _UNDERLINE.fullmatch(lines[0].strip()) and lines[1].strip() and lines[0] == lines[2]:
        return plain_title("\n".join(lines[1:]))
    if len(lines) < 3:
        return Titled("", text)
    first, second = lines[0].strip(), lines[1].strip()
    if len(first) > _SHORT or first.endswith(_STOPS) or first[0] in "-*>|<{[":
        return Titled("", text)
    if not second:
        return without_title(one_line(first), text)
    if _UNDERLINE.fullmatch(second):
        rest = "\n".join(lines[2:]).strip()
        return Titled(one_line(first), rest) if rest else Titled(one_line(first), text)
    return Titled("", text)


def readable_stem(stem: str) -> str:
    """A file's name, without its ending, as a title: ``getting_started`` becomes ``getting started``."""
    return one_line(re.sub(r"[_\-]+", " ", stem)) or stem
