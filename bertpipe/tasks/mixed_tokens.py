"""Chinese characters one by one and the words between them, as CMRC 2018 counts them."""

from __future__ import annotations

import re

# What CMRC 2018 takes for punctuation. The ASCII marks ! ? , . ; and the brackets are not among it.
_PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_CHINESE = "\u4e00-\u9fa5"
_PARTS = re.compile(f"[{_CHINESE}]|[^{_CHINESE}]+")
_OPENING_QUOTE = re.compile(r"(?:^|(?<=[ (\[{<]))(?:\"|'')")
_LAST_STOP = re.compile(r"(?<!\.)\.(?=[\])}>\"' ]*\s*$)")
_WORDS = re.compile(
    r"""\.{2,}|[;@#$%&?!\[\](){}<>"“–—]|,(?!\d)|(?:[^\s;@#$%&?!\[\](){}<>"“–—,.]|,(?=\d)|\.(?!\.))+|\."""
)
_LONE_QUOTE = re.compile(r"(?<!\w)'(?!re|ve|ll|[mtsdn])(?=\w)")
_CANNOT = re.compile(r"\bcannot\b")
_CLITIC = re.compile(r"(.+?)(n't|'(?:s|m|d|ll|re|ve)?)")


def without_punctuation(text: str) -> str:
    """A text in small letters without CMRC 2018's punctuation marks; white space inside stays."""
    return "".join(character for character in text.lower().strip() if character not in _PUNCTUATION)


def mixed_tokens(text: str) -> list[str]:
    """The tokens of a text that may be Chinese: ideographs one by one, what is between them as English words.

    CMRC 2018's own program leaves the English to NLTK's word tokenizer, after the Penn Treebank. Here it is taken apart
    by the same conventions: most marks by themselves, a comma or a full stop inside a number or a word with it, a
    clitic (``'s``, ``n't``) from its word, opening quotation marks told from others. NLTK also splits slang such as
    "gonna", which stays whole here.

    Args:
        text: Any text; punctuation and capital letters do not count.
    """
    tokens: list[str] = []
    for part in _PARTS.findall(without_punctuation(text)):
        if re.match(f"[{_CHINESE}]", part):
            tokens.append(part)
            continue
        part = _OPENING_QUOTE.sub("“", part).replace("''", '"')  # a mark that no part has any more
        part = _LONE_QUOTE.sub("' ", _LAST_STOP.sub(" . ", part))
        for word in _WORDS.findall(_CANNOT.sub(" can not ", part)):
            clitic = _CLITIC.fullmatch(word)
            tokens += clitic.groups() if clitic else [word]
    return tokens
