import numpy as np
import pytest

from bertpipe.text.tokenizer import Tokenizer, train_tokenizer
from bertpipe.text.word_bounds import WordBounds

LINES = [
    "The grinder's hopper (see below) doesn't jam.",
    "Grind the beans just before you brew the coffee; unbelievably good.",
    "加湿器每周要清洗一次，水箱里的水每天要换。",
    "用Python写一个程序，羊毛衫要用冷水手洗。",
] * 5


def words(pieces: list[str]) -> list[str]:
    """The pieces of a text, those of a word joined; every piece has an id of its own."""
    vocabulary = sorted(set(pieces))
    starts = WordBounds.of(vocabulary).starts(np.array([[vocabulary.index(piece) for piece in pieces]]))[0]
    found: list[str] = []
    for piece, start in zip(pieces, starts, strict=True):
        if start:
            found.append(piece)
        else:
            found[-1] += "+" + piece
    return found


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ("▁un believ able ▁news", "▁un+believ+able ▁news"),
        ("▁news , ▁he ' s ▁ new", "▁news , ▁he ' s ▁+new"),
        ("▁今天 天气 很好 。 明天 见", "▁今天 天气 很好 。 明天 见"),
        ("▁用 Py thon 写 程序", "▁用 Py+thon 写 程序"),
        ("▁カメラ を 買 う", "▁カメラ を 買 う"),
        ("▁한국 어 ▁단 어", "▁한국+어 ▁단+어"),
        ("▁na <0xC3> <0xAF> ve ▁x", "▁na+<0xC3>+<0xAF>+ve ▁x"),
        (
            "▁好 <0xE9> <0xBE> <0x98> <0xF0> <0x9F> <0x99> <0x82>",
            "▁好 <0xE9>+<0xBE>+<0x98> <0xF0>+<0x9F>+<0x99>+<0x82>",
        ),
        ("▁a <0x0A> b", "▁a <0x0A> b"),
        ("▁e \u0301 t", "▁e+\u0301+t"),
        ("▁😀 x ▁y", "▁😀 x ▁y"),
        ("▁a ▁▁ ▁ b", "▁a ▁▁ ▁+b"),
    ],
)
def test_words_of_sentencepiece(pieces, expected):
    assert words(pieces.split(" ")) == expected.split(" ")


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ("un ##believ ##able news", "un+##believ+##able news"),
        ("news , he ' s", "news , he ' s"),
        ("今 天 py ##thon 好", "今 天 py+##thon 好"),
        ("# ## ##x ##y", "# ## ##x+##y"),
    ],
)
def test_words_of_wordpiece(pieces, expected):
    assert words(pieces.split(" ")) == expected.split(" ")


def byte_level(text: str) -> str:
    """A text in byte-level BPE's alphabet; its letters for Chinese are as the published vocabularies have them."""
    alphabet = {" ": "Ġ", "\n": "Ċ", "中": "ä¸Ń", "文": "æĸĩ", "ï": "Ã¯", "…": "âĢ¦"}
    return "".join(alphabet.get(character, character) for character in text)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["un", "believ", "able", " news"], ["un+believ+able", "Ġnews"]),
        ([" news", ",", " he", "'s", " a", "\n", "b"], ["Ġnews", ",", "Ġhe", "'s", "Ġa", "Ċ", "b"]),
        ([" x", "中", "文", "x", "y"], ["Ġx", "ä¸Ń", "æĸĩ", "x+y"]),
        ([" x", "中文", "…", " na", "ï", "ve"], ["Ġx", "ä¸Ńæĸĩ", "âĢ¦", "Ġna+Ã¯+ve"]),
    ],
)
def test_words_of_byte_level_bpe(pieces, expected):
    assert words([byte_level(piece) for piece in pieces]) == expected


def test_a_part_of_a_chinese_character_in_byte_level_bpe():
    assert words(["Ġa", *"ä¸Ń", "Ġb", "Ġc"]) == ["Ġa", "ä+¸+Ń", "Ġb", "Ġc"]


def test_the_kind_is_told_by_most_pieces():
    # Ġ is a letter of Maltese, ## a heading in Markdown.
    assert words(["▁il", "-", "Ġ", "ar", "▁##", "##", "▁x"]) == ["▁il", "-", "Ġ+ar", "▁##", "##", "▁x"]


def test_an_empty_vocabulary_and_an_empty_row():
    bounds = WordBounds.of([])
    assert len(bounds.begins) == len(bounds.ends) == 0
    assert WordBounds.of(["▁a"]).starts(np.zeros((2, 0), np.int64)).shape == (2, 0)


def test_a_row_starts_with_a_word_and_rows_are_apart():
    bounds = WordBounds.of(["▁a", "b", ","])
    starts = bounds.starts(np.array([[1, 1, 0, 1], [2, 1, 1, 0], [1, 0, 2, 2]]))
    assert starts.tolist() == [[True, False, True, False], [True, True, False, True], [True, True, True, True]]


def test_words_of_our_own_tokenizer(tmp_path):
    train_tokenizer(LINES, tmp_path / "m", 420, coverage=1.0)
    tokenizer = Tokenizer(tmp_path / "m")
    bounds = WordBounds.of([tokenizer.piece(index) for index in range(tokenizer.vocab_size)])
    text = "the grinder's hopper (see below) doesn't jam; unbelievably good."
    ids = np.array(tokenizer.encode(text))
    starts = np.flatnonzero(bounds.starts(ids[None])[0])
    found = [tokenizer.decode(part.tolist()) for part in np.split(ids, starts[1:])]
    # A space that got no piece together with the sign behind it is left over.
    expected = "the|grinder|'|s|hopper|(|see|below|)|doesn|'|t|jam|;|unbelievably|good|."
    assert "|".join(filter(None, found)) == expected
