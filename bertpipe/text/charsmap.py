"""SentencePiece's rules of normalisation, as its models carry them: runs of characters and what becomes of them.

The rules are a trie, laid out as a double array (Darts-clone, by Susumu Yata), and the texts that it points to. At each
place of a text the longest run that has a rule is replaced, and reading goes on behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache

import numpy as np

Trie = dict[str, "Trie"]
END = ""  # the key under which a trie says that a run ends here


def read_charsmap(blob: bytes) -> dict[str, str]:
    """Reads the rules.

    Args:
        blob: ``normalizer_spec.precompiled_charsmap`` of a model; empty where it leaves text as it is.

    Returns:
        What becomes of each run of characters; of all others nothing does.
    """
    if not blob:
        return {}
    (size,) = struct.unpack_from("<I", blob)
    units = np.frombuffer(blob, "<u4", size // 4, 4)
    texts = blob[4 + size :]
    labels = units & np.uint32(0x800000FF)
    bytes_ = np.arange(1, 256, dtype=np.uint32)

    def base(place: int) -> int:
        unit = int(units[place])
        return place ^ ((unit >> 10) << ((unit & 0x200) >> 6))

    # Many runs share their ends, and with them their part of the trie.
    @cache
    def below(place: int) -> list[tuple[int, int]]:
        places = np.uint32(base(place)) ^ bytes_
        inside = places < len(units)
        found = inside & (labels[np.where(inside, places, 0)] == bytes_)
        return list(zip(bytes_[found].tolist(), places[found].tolist(), strict=True))

    rules: dict[bytes, bytes] = {}
    waiting = [(0, b"")]
    while waiting:
        place, run = waiting.pop()
        if units[place] & 0x100:
            start = int(units[base(place)]) & 0x7FFFFFFF
            rules[run] = texts[start : texts.index(b"\0", start)]
        waiting += [(child, run + bytes([byte])) for byte, child in below(place)]
    return {run.decode(): text.decode() for run, text in rules.items()}


def pattern_of(runs: Iterable[str]) -> str:
    """A regular expression that matches the longest of many runs of characters, as short as it can be.

    Args:
        runs: Texts of at least one character.

    Returns:
        In Oniguruma's syntax. Runs that go on alike share a branch: 220,000 make 16,000 characters.
    """
    trie: Trie = {}
    for run in runs:
        node = trie
        for character in run:
            node = node.setdefault(character, {})
        node[END] = {}
    return _branches(trie)


def character_class(characters: Iterable[str]) -> str:
    """A class of a regular expression."""
    codes = np.array(sorted(map(ord, characters)))
    first = np.concatenate([[True], np.diff(codes) > 1])
    spans = zip(codes[first].tolist(), codes[np.append(first[1:], True)].tolist(), strict=True)
    return "[" + "".join(f"\\x{{{start:x}}}-\\x{{{end:x}}}" for start, end in spans) + "]"


def _branches(node: Trie) -> str:
    alike: dict[str, list[str]] = {}
    for character, child in node.items():
        if character != END:
            alike.setdefault(_branches(child), []).append(character)
    if not alike:
        return ""
    either = "|".join(character_class(characters) + rest for rest, characters in alike.items())
    # Greedy, so that a longer run comes before a shorter one.
    return f"(?:{either})" + ("?" if END in node else "")
