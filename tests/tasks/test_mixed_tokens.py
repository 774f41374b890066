import random
import re

import pytest

from bertpipe.tasks.mixed_tokens import mixed_tokens, without_punctuation

MARKS = [
    "-",
    ":",
    "_",
    "*",
    "^",
    "/",
    "\\",
    "~",
    "`",
    "+",
    "=",
    "，",
    "。",
    "：",
    "？",
    "！",
    "“",
    "”",
    "；",
    "’",
    "《",
]
MARKS += ["》", "·", "、", "「", "」", "（", "）", "－", "～", "『", "』"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("。，！", []),
        ("1998年，北京大学。", ["1998", "年", "北", "京", "大", "学"]),
        (" NBA 球星 Kobe Bryant ", ["nba", "球", "星", "kobe", "bryant"]),
        ("3.5公里", ["3.5", "公", "里"]),
        ("1,000 km.", ["1,000", "km", "."]),
        ("It's 50% (AT&T)", ["it", "'s", "50", "%", "(", "at", "&", "t", ")"]),
        ("ＡＢＣ１２３", ["ａｂｃ１２３"]),  # full width: small letters, one word
        ("2V2、4V4", ["2v24v4"]),  # a mark that does not count parts nothing
        ("\u3000东\u3000京", ["东", "京"]),
        ("かな", ["かな"]),
    ],
)
def test_tokens(text, tokens):
    assert mixed_tokens(text) == tokens


def test_marks_that_do_not_count():
    assert without_punctuation("".join(MARKS)) == ""
    assert without_punctuation(" A.b!c?d,e;f…g(h) 甲 ") == "a.b!c?d,e;f…g(h) 甲"


@pytest.mark.peer
def test_nltk_takes_the_english_apart_in_the_same_way():
    tokenize = pytest.importorskip("nltk.tokenize")

    def oracle(text: str) -> list[str]:
        """CMRC 2018's program, with NLTK's rules for words but not those for sentences, which need a model."""
        tokens, waiting = [], ""
        for character in [*text.lower().strip(), None]:
            if character is not None and character in MARKS:
                continue
            if character is None or re.match("[\u4e00-\u9fa5]", character):
                words = tokenize.NLTKWordTokenizer().tokenize(waiting)
                tokens += [{"``": "“", "''": '"'}.get(word, word) for word in words]
                waiting = ""
                tokens += [character] if character else []
            else:
                waiting += character
        return tokens

    words = ["3.5", "1,000", "U.S.", "don't", "it's", "Nexon", "km", "50%", "(NPC)", "AT&T", "v2.0", "A", "the", "e.g."]
    words += ["...", "1998,", "end.", "?", "!", "[1]", "东京", "年", "“引”", "，", '"x"', "C#", "$5", "@home", "we'll"]
    words += [
        "cannot",
        "I'm",
        "can't",
        "2V2、4V4",
        "he'd",
        "'90s",
        "...a",
        "ａ１",
        "é",
        "…",
        "\u3000",
        "1—2",
        "——",
        '"',
    ]
    generator = random.Random(0)
    for _ in range(2000):
        text = "".join(
            generator.choice(words) + generator.choice([" ", "", ""]) for _ in range(generator.randint(0, 6))
        )
        assert mixed_tokens(text) == oracle(text), text
