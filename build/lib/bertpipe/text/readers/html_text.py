"""HTML as plain text: what a browser would show, one block a line.

The standard library's `html.parser` takes quadratic time over some broken pages (minutes for 200 kB of
``<!--``), so this is a scanner of our own: it never looks at a character more often than a few times,
whatever the page.
"""

from __future__ import annotations

import html
import re

from bertpipe.text.readers.titled import Titled, one_line, without_title

_NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9:-]*)")
# A tag up to the ">" that is not inside a quoted value. Quotes are bounded, since one may be left open, and
# the quantifiers possessive, so that nothing is tried twice.
_REST = re.compile(r"""(?:[^<>"']++|"[^"]{0,1000}+"|'[^']{0,1000}+')*+>""")
_SILENT = frozenset({"script", "style", "nav", "noscript", "template", "svg", "iframe", "object", "select"})
# Inside these nothing is a tag but their own end.
_RAW = frozenset({"script", "style", "textarea", "iframe", "noscript"})
_VOID = frozenset({"br", "hr", "img", "input", "meta", "link", "wbr"})
_BLOCK = frozenset(
    {
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "body",
            "br",
            "caption",
            "center",
            "dd",
            "details",
            "dialog",
        ),
        *(
            "div",
            "dl",
            "dt",
            "fieldset",
            "figcaption",
            "figure",
            "footer",
            "form",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
        ),
        *(
            "header",
            "hr",
            "html",
            "legend",
            "li",
            "main",
            "ol",
            "option",
            "p",
            "pre",
            "section",
            "summary",
            "table",
        ),
        *("tbody", "tfoot", "thead", "title", "tr", "ul"),
    }
)
_PARAGRAPH = _BLOCK - {"br", "li", "tr", "dt", "dd", "option", "tbody", "thead", "tfoot", "body", "html"}
# Characters of private use that stand for what must outlive the folding of white space.
_KEPT_BREAK, _BLANK = "\ue000", "\ue001"
_SPACES = re.compile(r"[ \t\n\f\r\v]+")


def html_text(source: str) -> Titled:
    """The title and the text of an HTML page.

    The title is ``<title>``, or the first ``<h1>``. Script, style, navigation and their like are dropped,
    blocks become lines, entities characters; ``<pre>`` keeps its line breaks.

    Args:
        source: A page or a part of one, broken or not.
    """
    title, text = html_parts(source)
    return without_title(title, text)


def html_parts(source: str) -> Titled:
    """As `html_text`, but a title at the beginning of the text stays there as well."""
    page = _Page()
    page.read(source)
    return Titled(one_line(page.title) or one_line(page.h1), page.text())


class _Page:
    def __init__(self) -> None:
        self.title = ""
        self.h1 = ""
        self._parts: list[str] = []
        self._silent: list[str] = []  # the open elements that are not shown
        self._pre = 0
        self._inside = ""  # "title" or "h1" while in the first one
        self._caught: list[str] = []

    def read(self, source: str) -> None:
        at, length = 0, len(source)
        never: set[str] = set()  # ends that were looked for and are nowhere behind; searching again would be quadratic
        while at < length:
            opening = source.find("<", at)
            if opening < 0:
                self._words(source[at:])
                return
            if opening > at:
                self._words(source[at:opening])
            at = opening + 1
            if source.startswith("!--", at):
                at = _behind(source, "-->", at + 3, never)
            elif source.startswith("![CDATA[", at):
                end = _behind(source, "]]>", at, never)
                self._words(source[at + 8 : end - 3], escaped=False)
                at = end
            elif source.startswith(("!", "?"), at):
                at = _behind(source, ">", at, never)
            else:
                name = _NAME.match(source, at)
                if name is None:
                    self._words("<")
                    continue
                at = self._tag(source, at, name, never)

    def _tag(self, source: str, at: int, match: re.Match[str], never: set[str]) -> int:
        """Handles the tag whose name has been matched; returns where the text goes on."""
        name = match[1].lower()
        rest = _REST.match(source, match.end())
        end = rest.end() if rest is not None else _behind(source, ">", match.end(), never)
        closing = source[at] == "/"
        alone = source[end - 2 : end] == "/>" and name in (
            "svg",
            "object",
        )  # elsewhere HTML ignores the slash
        if closing:
            self._close(name)
        elif not alone:
            self._open(name)
        if name in _RAW and not closing:
            # As far as the matching end tag; what is inside is not markup.
            close = _find_close(source, name, end, never)
            if name == "textarea":
                self._words(source[end:close])
            return close
        return end

    def _open(self, name: str) -> None:
        if name in _VOID:
            if name in _BLOCK:
                self._break(name)
            return
        if name in _SILENT:
            self._silent.append(name)
        if name == "pre":
            self._break(name)
            self._pre += 1
        elif name in _BLOCK:
            self._break(name)
            if name == "li" and not self._silent:
                self._parts.append("- ")
        elif name in ("td", "th") and self._parts and not self._parts[-1].endswith("\n") and not self._silent:
            self._parts.append(" | ")
        if (name == "title" and not self.title and "svg" not in self._silent) or (name == "h1" and not self.h1):
            self._inside = name
            self._caught = []

    def _close(self, name: str) -> None:
        if name == self._inside:
            setattr(self, name, _SPACES.sub(" ", "".join(self._caught)).strip())
            self._inside = ""
        if name in self._silent:
            while self._silent.pop() != name:
                continue
            return
        if name == "pre":
            self._pre = max(0, self._pre - 1)
        if name in _BLOCK and name not in _VOID:
            self._break(name)

    def _break(self, name: str) -> None:
        if not self._silent:
            self._parts.append(f"\n{_BLANK}\n" if name in _PARAGRAPH else "\n")

    def _words(self, words: str, *, escaped: bool = True) -> None:
        if escaped:
            words = _unescape(words)
        if self._inside:
            self._caught.append(words)
        if self._silent or self._inside == "title":
            return
        self._parts.append(words.replace("\n", _KEPT_BREAK) if self._pre else _SPACES.sub(" ", words))

    def text(self) -> str:
        """The lines, folded: no white space around them, at most one blank line between."""
        kept: list[str] = []
        for line in "".join(self._parts).split("\n"):
            line = line.strip(" \t\xa0")
            if _KEPT_BREAK in line:
                line = line.strip(_KEPT_BREAK).replace(_KEPT_BREAK, "\n")
            elif line == _BLANK:
                if kept and kept[-1]:
                    kept.append("")
                continue
            else:
                line = re.sub(" {2,}", " ", line).removeprefix("| ")
            if line not in ("", "-", "|"):
                kept.append(line)
        return "\n".join(kept).strip()


def _unescape(words: str) -> str:
    try:
        return html.unescape(words)
    except ValueError:  # a character number of thousands of digits
        return words


def _behind(source: str, end: str, at: int, never: set[str]) -> int:
    """The place behind the next ``end``, or the end of the page."""
    found = -1 if end in never else source.find(end, at)
    if found < 0:
        never.add(end)
        return len(source)
    return found + len(end)


def _find_close(source: str, name: str, at: int, never: set[str]) -> int:
    """Where the end tag of ``name`` begins, or the end of the page."""
    end = f"</{name}"
    if end in never:
        return len(source)
    found = re.compile(re.escape(end), re.IGNORECASE).search(source, at)
    if found is None:
        never.add(end)
        return len(source)
    return found.start()
