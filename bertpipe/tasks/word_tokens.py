"""Words to count in a generated text of any language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_IDEOGRAPHS = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_IDEOGRAPH = re.compile(f"[{_IDEOGRAPHS}]")
TOKEN = re.compile(f"[{_IDEOGRAPHS}{_KANA}]|[^\\W_{_IDEOGRAPHS}{_KANA}]+")
"""A run of letters and digits; Chinese and Japanese characters one by one."""


class WordTokens:
    """Splits a text into words, as the ``tokenizer`` of rouge-score's ``RougeScorer``.

    A word is a run of letters and digits, in small letters; Chinese and Japanese, which put no space between words, are
    split into characters. rouge-score's own tokenizer knows a to z and 0 to 9 only: in ASCII text both give the same,
    while of Chinese it leaves nothing, and of "für" an f and an r.
    """

    def tokenize(self, text: str) -> list[str]:
        """The words of a text, in order, without punctuation."""
        return TOKEN.findall(unicodedata.normalize("NFC", text).lower())


def is_chinese(texts: Iterable[str]) -> bool:
    """Whether more than half of all letters in the texts are ideographs."""
    letters = ideographs = 0
    for text in texts:
        letters += sum(map(str.isalpha, text))
        ideographs += len(_IDEOGRAPH.findall(text))
    return 2 * ideographs > letters
