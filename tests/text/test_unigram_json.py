import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece.sentencepiece_model_pb2 import ModelProto

from bertpipe.errors import ArtefactError
from bertpipe.text.charsmap import read_charsmap
from bertpipe.text.sentences import split_sentences
from bertpipe.text.tokenizer import Tokenizer, train_tokenizer
from bertpipe.text.unigram_json import cut_inside, normalizer, unigram_json

DATA = Path(__file__).parents[2] / "data"
TEXTS = [file.read_text(encoding="utf-8") for file in sorted(DATA.glob("sample_*/*"))]
LINES = [text[start:end] for text in TEXTS for start, end in split_sentences(text)]
# SentencePiece's tables are of a later Unicode than those of the library; see the module.
NOT_COMPOSED = 393
NASTY = [
    "",
    " ",
    "  two  spaces  ",
    " \t\r\n\u3000\u00a0 ",
    "tab\tand\r\nlines\u2028",
    "a\x00b\x00",
    "\x01e\x01\u0301\x02\u0301",
    "bell\x07 and \x7f\x9f",
    "▁",
    "▁▁ a▁▁b ▁",
    "\u200b zero \u200d width \ufeff",
    "E\u0301 e\u0301 É é",
    "a\u0301\u0323 a\u0323\u0301",
    "X\u0301\u0308 ™\ufe0f 1\ufe0f\u20e3",
    "ﷺ ㎞ ① Ⅷ ﬁ ß ẞ ς İ",
    "～ ~ ～\u0301 ～～",
    "ㄱㅏㄴ 각 가\u11a8 ㅋㅋㅋ ｶﾞ か\u3099",
    "क\u093c \u0958",
    "👩‍👧 🇩🇪🇫🇷 😀\ufe0e",
    "\ue000\uf8ff\U0010ffff\ufffe\ufffd",
    "<0x41> <0xE9> <0x0A>x<0x0a> <<0x41>>",
    "[MASK] [PAD] [UNK][CLS] [SEP]x",
    "8888888 =====---===== 哈哈哈哈哈",
    "混合 mixed 文字text。",
]


@pytest.fixture(scope="module", params=["fold", "keep", "exact", "simplified"])
def model(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param) / "tokenizer.model"
    how = {"chinese": "simplified"} if request.param == "simplified" else {"case": request.param}
    train_tokenizer(LINES, path, 1500, **how)
    return path


@pytest.fixture(scope="module")
def ours(model):
    return Tokenizer(model)


@pytest.fixture(scope="module")
def theirs(model):
    made = unigram_json(model.read_bytes())
    made.encode_special_tokens = True
    return made


@pytest.mark.parametrize("text", NASTY)
def test_nasty_texts(ours, theirs, text):
    assert theirs.encode(text, add_special_tokens=False).ids == ours.encode(text)


def test_lines_of_documents(ours, theirs):
    for line in [*LINES, *TEXTS]:
        assert theirs.encode(line, add_special_tokens=False).ids == ours.encode(line), line


@given(
    text=st.text(st.characters(exclude_categories=["Cs", "Cn", "Co"]), max_size=30),
    around=st.sampled_from(["", "a", " ", "<0x41>", "\u0301"]),
)
def test_any_text(ours, theirs, text, around):
    text = f"{around}{text}{around}{text}"
    assert theirs.encode(text, add_special_tokens=False).ids == ours.encode(text)


def test_text_comes_back(ours, theirs):
    for line in LINES[::20]:
        assert theirs.decode(ours.encode(line)) == ours.decode(ours.encode(line))


@pytest.mark.slow
def test_every_character_and_every_sequence_is_normalised_alike(model):
    charsmap = ModelProto.FromString(model.read_bytes()).normalizer_spec.precompiled_charsmap
    rules = read_charsmap(charsmap)
    found = normalizer(charsmap)

    def differ(runs: list[str]) -> list[str]:
        # NUL is changed by nothing, and between two runs it keeps them apart; "a" keeps spaces at the ends.
        text = found.normalize_str("".join(f"a{run}a\0" for run in runs))
        parts = text.removeprefix("▁").split("\0")
        wanted = [f"a{rules.get(run, run)}a".replace(" ", "▁") for run in runs]
        return [run for run, part, want in zip(runs, parts, wanted, strict=False) if part != want]

    rng = random.Random(0)
    characters = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    rng.shuffle(characters)
    # What joins with the letter before or after it is a sequence, and not looked at here.
    joins = {run[-1] for run in rules if run[0] == "a" and len(run) > 1}
    assert differ([character for character in characters if character not in joins]) == []
    sequences = [run for run in rules if len(run) > 1]
    assert len(differ(sequences)) == (NOT_COMPOSED if rules else 0)


def test_names_are_cut_where_no_piece_lies():
    name = [*"<0x", "0123456789ABCDEF", "0123456789ABCDEF", ">"]
    assert cut_inside(name, ["a", "<", "▁<", "0x"]) == "[<](?=[0][x][0123456789ABCDEF][0123456789ABCDEF][>])"
    # "<0" may lie over the first place; the second is free, since "10x" cannot be a part of the name.
    assert cut_inside(name, ["(<0", "10x"]).startswith("[<][0](?=[x]")
    assert cut_inside(name, ["<0", "0x", "xF", "7F", "1>"]) == ""
    assert cut_inside(list("[A]"), ["A]", "x[A"]) == ""


def test_a_model_of_somebody_else():
    proto = ModelProto()
    proto.normalizer_spec.add_dummy_prefix = False
    with pytest.raises(ArtefactError, match="not trained by bertpipe"):
        unigram_json(proto.SerializeToString())
