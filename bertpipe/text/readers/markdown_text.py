"""Markdown as plain text: the words, the list items and the code, without the marks."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bertpipe.text.readers.html_text import html_parts
from bertpipe.text.readers.titled import Titled, one_line, without_title

# A blank line after the first mark makes it a rule (Pandoc), and so does text that has no keys.
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?![ \t]*\n)(.{0,10000}?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FRONT_KEY = re.compile(r"^[\"']?[\w-]+[\"']?[ \t]*:", re.MULTILINE)
_FRONT_TITLE = re.compile(r"^title:[ \t]*(\S.*)$", re.MULTILINE)
_LONG = 20_000  # characters; the inline parser takes quadratic time over some longer paragraphs
_CJK = re.compile("[\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uff65]")
_LINE_BREAK = re.compile(r"[ \t]*<br[ \t]*/?>[ \t]*", re.IGNORECASE)

# The inline parser is called by hand, paragraph by paragraph.
_PARSER = MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"], ignoreInvalid=True)


def markdown_text(source: str) -> Titled:
    """The title and the text of a Markdown document.

    The title is the first heading, or ``title:`` in a YAML front matter. A paragraph comes out as one line.

    Args:
        source: Markdown with line feeds.
    """
    title = ""
    matter = _FRONT_MATTER.match(source)
    if matter is not None and (not matter[1].strip() or _FRONT_KEY.search(matter[1])):
        found = _FRONT_TITLE.search(matter[1])
        title = found[1].strip().strip("\"'") if found else ""
        source = source[matter.end() :]
    environment: dict = {}
    tokens = _PARSER.parse(source, environment)
    heading, text = _render(tokens, environment)
    return without_title(one_line(title or heading), text)


def _render(tokens: list[Token], environment: dict) -> tuple[str, str]:
    """The first heading, and the text."""
    heading = ""
    parts: list[str] = []
    lists: list[int | None] = []  # the next number of every open list; None for bullets
    prefix = ""
    row: list[str] = []
    for place, token in enumerate(tokens):
        kind = token.type
        if kind == "inline":
            words = _inline(token.content, environment)
            inside = tokens[place - 1].type
            if inside in ("th_open", "td_open"):
                row.append(" ".join(words.split()))
                continue
            if inside == "heading_open" and not heading:
                heading = " ".join(words.split())
            tight = inside == "paragraph_open" and tokens[place - 1].hidden
            parts.append(prefix + words + ("\n" if tight else "\n\n"))
            prefix = ""
        elif kind in ("fence", "code_block"):
            parts.append(prefix + token.content.rstrip("\n") + "\n\n")
            prefix = ""
        elif kind == "html_block":
            inner = html_parts(token.content)
            heading = heading or inner.title
            if inner.text:
                parts.append(prefix + inner.text + "\n\n")
                prefix = ""
        elif kind == "bullet_list_open":
            lists.append(None)
        elif kind == "ordered_list_open":
            lists.append(int(token.attrs.get("start", 1)))
        elif kind in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
            if not lists:
                parts.append("\n")
        elif kind == "list_item_open":
            number = lists[-1]
            prefix = "- " if number is None else f"{number}. "
            if number is not None:
                lists[-1] = number + 1
        elif kind == "tr_close":
            parts.append(" | ".join(row) + "\n")
            row = []
        elif kind == "table_close":
            parts.append("\n")
    return heading, re.sub(r"\n{3,}", "\n\n", "".join(parts)).strip()


def _inline(source: str, environment: dict) -> str:
    if len(source) > _LONG:
        return source
    tokens: list[Token] = []
    _PARSER.inline.parse(source, _PARSER, environment, tokens)
    words: list[str] = []
    for token in tokens:
        if token.type in ("text", "code_inline", "image", "text_special"):
            words.append(token.content)
        elif token.type == "softbreak":
            words.append("\n")
        elif token.type == "hardbreak" or (token.type == "html_inline" and _LINE_BREAK.match(token.content)):
            words.append("\n\n")
    return _unwrap("".join(words))


def _unwrap(words: str) -> str:
    """Joins the lines of a paragraph: with nothing between Chinese characters, else with a space."""
    if "\n" not in words:
        return words.strip()
    paragraphs = []
    for paragraph in words.split("\n\n"):
        joined: list[str] = []
        for line in paragraph.split("\n"):
            line = line.strip()
            if joined and joined[-1] and line and not (_CJK.match(joined[-1][-1]) and _CJK.match(line[0])):
                joined.append(" ")
            joined.append(line)
        paragraphs.append("".join(joined))
    return "\n".join(paragraph for paragraph in paragraphs if paragraph)
