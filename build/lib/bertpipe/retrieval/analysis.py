"""The lexical terms of a text: what BM25 counts, and what a hit highlights.

One function serves documents and queries, so a word is found however it is written: ``foo_bar``, ``fooBar``,
``foo-bar``, ``FOOBAR`` and full-width ``ｆｏｏｂａｒ`` meet in the same terms. The rules:

- Text is NFKC-normalised and case-folded; words are runs of letters, digits and marks of any script.
- A compound (``os.path.join``, ``foo_bar``, ``camelCase``, ``utf-8``) yields its parts and, without its
  separators, the whole; a dotted one also every tail, because people who mean ``os.path.join`` search for
  ``path.join``.
- Words are stemmed with Snowball's English stemmer (https://snowballstem.org/algorithms/english/stemmer.html).
  A stem need not be a word; it only has to be the same on both sides.
- Numbers are kept; ``3.11`` yields ``3``, ``11`` and ``3.11``.
- Chinese, Japanese and Korean runs yield every character and every pair of neighbours: no dictionary, and no
  segmenter to be wrong about a new name (figures in ``benchmarks/RESULTS.md``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from operator import add

import Stemmer

LONGEST_WORD = 64
"""Characters of a word that count. Longer ones are encoded data; they are cut, so that terms stay short."""

_MOST_PARTS = 8
_CACHED_WORDS = 200_000

# Ideographs with their iteration marks, kana (not the middle dot, which separates words), bopomofo, Hangul.
_CJK = (
    "\u1100-\u11ff\u3005-\u3007\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f"
    "\u3131-\u318e"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7fb\uf900-\ufaff"
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
# `\w` knows letters and digits but no combining marks, without which Hindi or pointed Hebrew falls apart.
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u07a6-\u07b0\u0816-\u082d\u0859-\u085b"
    "\u08ca-\u08e1\u08e3-\u0903\u093a-\u093c\u093e-\u094f\u0951-\u0957\u0962\u0963\u0981-\u0983\u09bc\u09be-\u09d7"
    "\u09e2\u09e3\u0a01-\u0a03\u0a3c-\u0a51\u0a70\u0a71\u0a75\u0a81-\u0a83\u0abc\u0abe-\u0acd\u0ae2\u0ae3\u0b01-\u0b03"
    "\u0b3c\u0b3e-\u0b57\u0b62\u0b63\u0b82\u0bbe-\u0bcd\u0bd7\u0c00-\u0c04\u0c3c\u0c3e-\u0c56\u0c62\u0c63\u0c81-\u0c83"
    "\u0cbc\u0cbe-\u0cd6\u0ce2\u0ce3\u0d00-\u0d03\u0d3b\u0d3c\u0d3e-\u0d4d\u0d57\u0d62\u0d63\u0d81-\u0d83\u0dca-\u0ddf"
    "\u0df2\u0df3\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u0f18\u0f19\u0f35\u0f37\u0f39\u0f3e"
    "\u0f3f\u0f71-\u0f84\u0f86\u0f87\u0f8d-\u0fbc\u0fc6\u102b-\u103e\u1056-\u1059\u105e-\u1060\u1062-\u1064\u1067-\u106d"
    "\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d\u135d-\u135f\u1712-\u1715\u1732-\u1734\u17b4-\u17d3\u17dd"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
)
# Invisible inside a word: the soft hyphen, the joiners, the byte order mark.
_INVISIBLE = "\u00ad\u200c\u200d\u2060\ufeff"
# Possessive quantifiers: nothing backtracks, so a token of a million characters takes linear time.
_WORD = rf"(?:[^\W{_CJK}]++[{_MARKS}{_INVISIBLE}]*+)++"
_TOKEN = re.compile(
    rf"[{_CJK}]++"
    r"|(?<!\w)[A-Za-z](?:\+\+|#)(?!\w)"  # C++, C#
    rf"|{_WORD}(?:[.'\u2019\u2010-]{_WORD})*+"
)
_IS_CJK = re.compile(f"[{_CJK}]")
_SEGMENT = re.compile(r"[^.\u2010-]++")
_PIECE = re.compile(r"[^_]++")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+")
# Characters that are their own normal form and never join what precedes them; a mark may join the last.
_PLAIN = re.compile("[\x00-\x7f\u3400-\u4dbf\u4e00-\u9fff]+(?![^\x00-\x7f\u3400-\u4dbf\u4e00-\u9fff])")
_REMOVE = str.maketrans(dict.fromkeys(_INVISIBLE, "") | {"\u2019": "'"})

_COMMON = (
    "a an and are as at be by can do for from has have how i if in is it its not of on or that the this to was "
    "what when where which who why will with you your 的 了 和 是 在 有 与 及 或 吗 呢 吧 着 也 就"
)

_stemmer = Stemmer.Stemmer("english", 0)
_cache: dict[str, tuple[str, ...]] = {}


def analyse(text: str) -> list[str]:
    """Returns the terms of ``text``, with repetitions.

    Args:
        text: Anything, of any length; lone surrogates and control characters separate words.

    Returns:
        Terms without white space, in the order of their words; within a compound the parts come before the
        wholes, within a CJK run the characters before the pairs.
    """
    terms: list[str] = []
    for token in _TOKEN.findall(_nfkc(text)):
        known = _cache.get(token)
        if known is None:
            if _IS_CJK.match(token):
                terms.extend(token)
                terms.extend(map(add, token, token[1:]))
                continue
            known = _word_terms(token)
            if len(token) <= LONGEST_WORD:
                if len(_cache) >= _CACHED_WORDS:
                    _cache.clear()
                _cache[token] = known
        terms.extend(known)
    return terms


def matching_spans(text: str, terms: Collection[str]) -> list[tuple[int, int]]:
    """Returns where ``text`` shows one of ``terms``, for highlighting.

    A compound whose whole is sought is one span; otherwise each of its parts stands for itself. Of a CJK run,
    the characters of a sought pair are marked, and a single character only if it is sought outside every
    pair: otherwise each sentence would be sprinkled with characters that have nothing to do with the query.

    Terms in `UNMARKED` are left out, unless the query has no others.

    Args:
        text: The text as it will be shown, not normalised.
        terms: What `analyse` made of the query.

    Returns:
        ``(start, end)`` character offsets into ``text``, in order and without overlap.
    """
    sought = set(terms) - UNMARKED or set(terms)
    paired = {character for term in sought if len(term) == 2 and _IS_CJK.match(term) for character in term}
    normal, starts, ends = _nfkc_with_offsets(text)
    spans: list[tuple[int, int]] = []
    for match in _TOKEN.finditer(normal):
        token, offset = match.group(), match.start()
        cjk = _IS_CJK.match(token)
        found = _cjk_spans(token, sought, paired) if cjk else _word_spans(token, sought)
        for start, end in found:
            first, last = starts[offset + start], ends[offset + end - 1]
            # One original character can hold several normal ones (㎞ is k and m): spans then overlap.
            if spans and first < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
            else:
                spans.append((first, last))
    return spans


def _nfkc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _nfkc_with_offsets(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """Returns the normal form and, for each character of it, where the original ones start and end.

    The text is cut into the smallest stretches that normalise on their own: a base with its marks, Hangul
    letters that make one syllable, a half-width kana with its voicing.
    """
    if unicodedata.is_normalized("NFKC", text):
        return text, range(len(text)), range(1, len(text) + 1)
    normal: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    start = 0
    while start < len(text):
        plain = _PLAIN.match(text, start)
        if plain:
            end = plain.end()
            normal.append(plain.group())
            starts.extend(range(start, end))
            ends.extend(range(start + 1, end + 1))
        else:
            end = start + 1
            while end < len(text) and _joins(text, start, end):
                end += 1
            piece = unicodedata.normalize("NFKC", text[start:end])
            normal.append(piece)
            starts.extend([start] * len(piece))
            ends.extend([end] * len(piece))
        start = end
    return "".join(normal), starts, ends


def _joins(text: str, start: int, index: int) -> bool:
    """Tells whether ``text[index]`` normalises together with ``text[start:index]``."""
    character = text[index]
    if character.isascii():
        return False
    if unicodedata.combining(unicodedata.normalize("NFKD", character)[0]):
        return True
    last = unicodedata.normalize("NFKC", text[start:index])[-1]
    apart = last + unicodedata.normalize("NFKC", character)
    return unicodedata.normalize("NFKC", last + character) != apart


def _stem(word: str) -> str:
    return str(_stemmer.stemWord(word[:LONGEST_WORD]))


def _fold(piece: str) -> str:
    return piece.translate(_REMOVE).casefold()


def _parts(word: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yields the offsets of the smallest words in ``word[start:end]``, a stretch without dots and hyphens."""
    for piece in _PIECE.finditer(word, start, end):
        text = piece.group()
        mixed = not text.islower() and not text.isupper() and not text[1:].islower()
        if mixed and text.isascii() and text.isalnum():
            for part in _CAMEL.finditer(text):
                yield piece.start() + part.start(), piece.start() + part.end()
        else:
            yield piece.start(), piece.end()


def _located_terms(word: str) -> list[tuple[int, int, str]]:
    """Returns every term of a word or compound with its offsets in it: first the parts, then the wholes."""
    if word[-1] in "+#":
        return [(0, len(word), word.casefold())]
    segments = [match.span() for match in _SEGMENT.finditer(word)]
    parts = [list(_parts(word, start, end)) for start, end in segments]
    folded = [[_fold(word[start:end]) for start, end in segment] for segment in parts]
    located = [
        (start, end, _stem(text))
        for segment, texts in zip(parts, folded, strict=True)
        for (start, end), text in zip(segment, texts, strict=True)
    ]
    count = len(located)
    if not 1 <= count <= _MOST_PARTS:
        return located
    wholes: list[tuple[int, int, str]] = []
    for (start, end), texts in zip(segments, folded, strict=True):
        if texts and "_" in (word[start], word[end - 1]):  # __init__ is more than init
            wholes.append((start, end, _fold(word[start:end])[:LONGEST_WORD]))
        if len(texts) > 1:
            wholes.append((start, end, _stem("".join(texts))))
    if len(segments) > 1:
        stretches = [0]
        if "-" not in word and "\u2010" not in word:
            stretches = list(range(len(segments) - 1))
        for first in stretches:
            start, end = segments[first][0], len(word)
            texts = [text for segment in folded[first:] for text in segment]
            numeric = all(text.isdigit() for text in texts)
            wholes.append((start, end, _fold(word[start:end]) if numeric else _stem("".join(texts))))
    known = {term for _, _, term in located}
    for whole in wholes:
        if whole[2] and whole[2] not in known:
            known.add(whole[2])
            located.append(whole)
    return located


def _word_terms(word: str) -> tuple[str, ...]:
    return tuple(term for _, _, term in _located_terms(word) if term)


def _word_spans(word: str, sought: set[str]) -> list[tuple[int, int]]:
    spans = sorted(
        ((start, end) for start, end, term in _located_terms(word) if term in sought),
        key=lambda span: (span[0], -span[1]),
    )
    outer: list[tuple[int, int]] = []
    for start, end in spans:
        if not outer or start >= outer[-1][1]:
            outer.append((start, end))
    return outer


def _cjk_spans(run: str, sought: set[str], paired: set[str]) -> list[tuple[int, int]]:
    marked = [character in sought and character not in paired for character in run]
    for index in range(len(run) - 1):
        if run[index : index + 2] in sought:
            marked[index] = marked[index + 1] = True
    spans: list[tuple[int, int]] = []
    for index, mark in enumerate(marked):
        if mark and spans and spans[-1][1] == index:
            spans[-1] = (spans[-1][0], index + 1)
        elif mark:
            spans.append((index, index + 1))
    return spans


UNMARKED = frozenset(analyse(_COMMON))
"""Terms too common to be worth highlighting. They are searched for like all others."""
