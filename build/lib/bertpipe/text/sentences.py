"""Sentences of English and Chinese text, as character offsets.

First lines are put together to blocks, then each block is cut at its stops.

Lines. A blank line ends a block. A single line break is a soft wrap and joins, unless

- the next line starts a list item, a heading, a table row, a quotation, a field or directive, or a code
  prompt;
- the line is itself a heading, an underline or a code prompt, or ends with a colon while the next is indented
  deeper;
- the line is too wide to have been wrapped (then each line is a paragraph of its own);
- the line is much shorter than the widest of its paragraph, does not end in the middle of something (a comma,
  a hyphen), and the next does not go on in lower case: a heading, an address, a verse;
- the text at the break is Chinese and the line does not reach a right margin that several lines share: Chinese
  text is seldom hard-wrapped.

Stops. The Chinese ones and a double ellipsis end a sentence wherever they stand, together with closing quotes
and brackets. The Latin ones need white space, the end or a Chinese character behind them; a full stop ends
nothing after initials, list numbers and the usual abbreviations, nor (unless a long word stands before it) in
front of a small letter; three dots end nothing in front of an operator or a bracket.

A stretch without any stop is cut near `LONGEST` characters, at white space where there is some.

The time is linear in the text: every look around a stop is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from heapq import nlargest
from itertools import pairwise
from typing import NamedTuple

LONGEST = 1000  # characters; longer sentences are cut

_WRAP = 120  # columns; text with wider lines is not hard-wrapped
_SHORT = 60  # columns; the least width that a paragraph counts as having, when lines are called short
_MOST_LINES = 2000  # of a paragraph; a longer one is looked at in parts
_LOOK = 40  # characters to look at before and after a stop

# Chinese and Japanese characters, and the full-width punctuation that goes with them.
_CJK = re.compile(
    "[\u2e80-\u2fdf\u3000-\u3011\u3021-\u3029\u3040-\u30ff\u3100-\u312f\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff01-\uff65\U00020000-\U0003ffff]"
)

# Every break here is white space to `str.isspace`, so cutting at it loses nothing.
_LINE = re.compile(
    "(?P<hard>[\f\x1c-\x1e\u2029])|(?P<soft>\r\n|[\n\r\v\x85\u2028])|(?P<line>[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+)"
)

_STARTS = re.compile(
    r"[-*+•·‣◦▪●○■□–—][ \t\u3000]+\S"  # bullets
    r"|\(?(?:\d{1,3}|[a-z]|[ivx]{2,4})[.)][ \t]+\S|\(?[A-Z]\)[ \t]+\S"  # 1. (1) a. A)
    r"|[(（]?(?:\d{1,2}|[一二三四五六七八九十]{1,3})[)）、．]"  # 一、 （一） 1、
    r"|第[一二三四五六七八九十百零\d]{1,4}[章节条篇回]"
    r"|#{1,6}[ \t]|>|\||\.\. |:\w[^:\n]{0,40}:[ \t]|@\w+[ \t]"  # heading, quotation, table, directive, field
    r"|```|~~~|[$%][ \t]|\.\.\.(?:[ \t]|$)|In \[\d+\]:|Q[:：]|A[:：]|问[:：]|答[:：]"
)
_ALONE = re.compile(r"#{1,6}[ \t]|>>>|\.\.\.(?:[ \t]|$)|[$%][ \t]|```|~~~|\|.*\|$")
_UNDERLINE = re.compile(r"([=\-~*^_#+.`])\1{2,}$")
_UNFINISHED = frozenset(",，、;-–—(（[【《“‘「『/&=+\\")

_CLOSERS = "\"'”’»›)\\]}）］｝」』】》〉〕〗*_`"
_STOP = re.compile(
    rf"(?P<cjk>[。！？；｡…‥.!?]*[。！？；｡][。！？；｡…‥.!?]*|…{{2,}})(?P<cjk_close>[{_CLOSERS}]*)"
    rf"|(?P<stop>[.!?…‥]+)(?P<close>[{_CLOSERS}]*(?:\[\d{{1,3}}\])*)"
)
_OPENERS = "\"'“‘«‹([{（［｛「『【《〈〔*_`¿¡#"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GOES_ON = frozenset("，、,：:；;。！？.!?)）]】》」』”’…~～")

# A full stop after these never ends a sentence: something must follow.
_NEVER = _words(
    """
    mr mrs ms mx dr prof st mt ft gen rev hon capt cpt lt sgt col cmdr maj sen rep gov pres supt
    messrs mme mlle vs v cf viz e.g i.e eg ie approx ca resp incl excl esp fig figs eq eqs sec sect
    ch chap vol pp p par ed eds art op nr nos ref refs tab dept univ assn ave blvd bldg
    """
)
# A full stop after these ends a sentence only if the next word is one that often starts sentences.
_SELDOM = _words(
    """
    inc ltd co corp jr sr llc plc bros a.m p.m am pm ph.d m.d b.a m.a u.s u.k u.n e.u d.c al jan feb
    mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun est min max
    avg no etc misc
    """
)
_STARTERS = _words(
    """
    a after all also although an and another any as at because before both but by consequently
    during each either even every finally first for from furthermore he hence her here his how
    however i if in indeed instead it its last later many meanwhile moreover most my nevertheless
    next no none nonetheless not note now of on once one only or other others our otherwise over
    please second several she similarly since so some sometimes soon still such that the their then
    there therefore these they this those though three thus to today two under unless until use we
    what when where whether which while who why with without yes yet you your
    """
)


class _Line(NamedTuple):
    """A stripped line of a paragraph."""

    start: int
    end: int
    indent: int
    width: int  # columns, a Chinese character taking two
    text: str


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Splits a text into sentences.

    Args:
        text: Any text of any length; English, Chinese or both.

    Returns:
        ``(start, end)`` character offsets: in order, apart from each other, not empty, without white space at
        their ends, and together covering everything that is not white space.
    """
    sentences: list[tuple[int, int]] = []
    for paragraph in _paragraphs(text):
        for block_start, block_end in _blocks(paragraph):
            for start, end in _cut_block(text, block_start, block_end):
                _append(text, start, end, sentences)
    return sentences


def _paragraphs(text: str) -> Iterator[list[_Line]]:
    """Runs of lines that are not blank."""
    lines: list[_Line] = []
    breaks = 0
    for match in _LINE.finditer(text):
        if match.lastgroup != "line":
            breaks += 2 if match.lastgroup == "hard" else 1
            continue
        whole = match.group()
        stripped = whole.strip()
        if not stripped:
            continue
        if lines and (breaks > 1 or len(lines) == _MOST_LINES):
            yield lines
            lines = []
        breaks = 0
        indent = len(whole) - len(whole.lstrip())
        start = match.start() + indent
        lines.append(_Line(start, start + len(stripped), indent, _width(stripped), stripped))
    if lines:
        yield lines


def _width(line: str) -> int:
    if line.isascii():
        return len(line)
    # Three bytes, two columns: close enough for a guess, and fast.
    return (len(line) + len(line.encode("utf-8", "surrogatepass"))) // 2


def _blocks(lines: list[_Line]) -> Iterator[tuple[int, int]]:
    widths = nlargest(2, (line.width for line in lines))
    widest = widths[0]
    # One line reaches the margin by itself; it takes two to tell a margin from a long line.
    margin = int(0.85 * widest) if widths[-1] >= 0.85 * widest and widest <= _WRAP else None
    start = lines[0].start
    for line, following in pairwise(lines):
        if _is_bound(line, following, widest, margin):
            yield start, line.end
            start = following.start
    yield start, lines[-1].end


def _is_bound(line: _Line, following: _Line, widest: int, margin: int | None) -> bool:
    """Whether the break between two lines of a paragraph ends a block.

    Args:
        line: The line before the break.
        following: The line behind it.
        widest: The width of the paragraph's widest line, in columns.
        margin: The width from which on a line has been wrapped at the margin, or None if there is no margin.
    """
    head, tail = following.text[0], line.text[-1]
    if _UNDERLINE.match(following.text):
        return False  # stays with its heading
    if _STARTS.match(following.text) or following.text.startswith(">>>"):
        return True
    if _ALONE.match(line.text) or _UNDERLINE.match(line.text):
        return True
    if tail in ":：" and (following.indent > line.indent or tail == "："):
        return True
    if line.width > _WRAP:
        return True
    if _CJK.match(tail) or _CJK.match(head):
        if widest > _WRAP:
            return True
        return tail not in _UNFINISHED and (margin is None or line.width < margin)
    if tail in _UNFINISHED or head.islower():
        return False
    return line.width < 0.5 * max(min(widest, _WRAP), _SHORT)


def _cut_block(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    begin = start
    for match in _STOP.finditer(text, start, end):
        if match["cjk"] is not None:
            stop = _cjk_end(text, begin, end, match)
        else:
            stop = match.end() if _ends(text, begin, end, match) else None
        if stop is not None and stop > begin:
            yield begin, stop
            begin = stop
    if begin < end:
        yield begin, end


def _cjk_end(text: str, begin: int, end: int, match: re.Match[str]) -> int | None:
    """Where the sentence ends that a Chinese stop ends, or None if it goes on."""
    stop = match.end()
    closers = match["cjk_close"]
    if closers == '"' and text.count('"', max(begin, match.start() - LONGEST), match.start()) % 2 == 0:
        stop -= 1  # opens the next sentence
    elif stop < end and text[stop] in _GOES_ON:
        return None
    return stop


def _ends(text: str, begin: int, end: int, match: re.Match[str]) -> bool:
    """Whether a Latin stop ends a sentence."""
    stop = match.end()
    if stop >= end:
        return True
    behind = text[stop]
    before = text[max(begin, match.start() - _LOOK) : match.start()]
    if not behind.isspace():
        dots = match["stop"]
        if not _CJK.match(behind) or behind in _GOES_ON:
            return False
        # Chinese right behind a Latin stop: a sentence end, but not in "e.g.中文" or "3.工具".
        return dots != "." or not (before[-1:].isdigit() or _word(before).lower() in _NEVER)
    following = text[stop : stop + _LOOK].lstrip().lstrip(_OPENERS)
    small = following[:1].islower()
    stops = match["stop"]
    if "!" in stops or "?" in stops:
        return not (small and match["close"])
    if stops != ".":
        return not small and following[:1].isalnum()  # an ellipsis
    if match["close"]:
        return not small or "." not in before[-4:]
    return _full_stop_ends(before, at_start=match.start() - begin <= 4, following=following, small=small)


def _full_stop_ends(before: str, *, at_start: bool, following: str, small: bool) -> bool:
    """Whether a single full stop with white space behind it ends a sentence.

    Args:
        before: What stands before it, from the start of the sentence at most.
        at_start: Whether the sentence has just begun.
        following: What comes behind it, opening quotes and brackets removed.
        small: Whether that begins with a small letter.
    """
    if before[-1:].isspace() or not before:
        return True  # standing alone, as in tokenised text
    word = _word(before)
    lowered = word.lower()
    if at_start and (word.isdigit() or len(word) == 1) and word == before.strip().lstrip(_OPENERS):
        return False  # a list number
    if lowered in _NEVER:
        return False
    if small:
        return len(word) >= 4 and lowered not in _SELDOM
    if lowered == "no":
        return not following[:1].isdigit()
    if lowered == "etc":
        return True
    initials = word[-1:].isupper() and (len(word) == 1 or word[-2] == ".")
    if lowered in _SELDOM or initials:
        first = re.match(r"[^\W\d_]+", following)
        if first is None:
            return not following[:1].isdigit()
        return first[0].lower() in _STARTERS or _CJK.match(first[0]) is not None
    return True


def _word(before: str) -> str:
    """The last word before a stop, dots inside included."""
    return before.rsplit(None, 1)[-1].lstrip(_OPENERS + "-–—/") if before and not before.isspace() else ""


def _append(text: str, start: int, end: int, sentences: list[tuple[int, int]]) -> None:
    """Appends a sentence without the white space around it, in pieces if it is too long."""
    sentence = text[start:end]
    end -= len(sentence) - len(sentence.rstrip())
    start += len(sentence) - len(sentence.lstrip())
    while end - start > LONGEST:
        piece = text[start : start + LONGEST + 1]
        cut = max(piece.rfind(" ", LONGEST // 2), piece.rfind("\n", LONGEST // 2))
        if cut < 0:
            cut = LONGEST
        stripped = piece[:cut].rstrip()
        sentences.append((start, start + len(stripped)))
        start += cut
        # Bounded: white space this long is rare, and each turn moves on by what it has looked at.
        while start < end and text[start].isspace():
            start += 1
    if start < end:
        sentences.append((start, end))
