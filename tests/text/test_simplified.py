"""Traditional Chinese read as Simplified, against OpenCC and the rules that SentencePiece comes with."""

import builtins

import pytest
import sentencepiece
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.errors import ConfigError
from bertpipe.text.hub_tokenizer import export_tokenizer
from bertpipe.text.simplified import simplified_characters
from bertpipe.text.tokenizer import Tokenizer, train_tokenizer

SIMPLIFIED = [
    "软体开发后来台湾的电脑。",
    "龙头还在滴水，先关总阀。",
    "里程表显示的数字",
    "干净的头发",
    "Washing 毛衣 by hand",
]
TRADITIONAL = [
    "軟體開發後來臺灣的電腦。",
    "龍頭還在滴水，先關總閥。",
    "里程表顯示的數字",
    "乾淨的頭髮",
    "Washing 毛衣 by hand",
]


TABLE = simplified_characters()


@pytest.fixture(scope="module", params=["fold", "keep"])
def models(request, tmp_path_factory):
    """Two tokenizers of the same lines and case: one that reads both scripts alike, one that does not."""
    folder = tmp_path_factory.mktemp("simplified")
    for chinese in ("simplified", "keep"):
        train_tokenizer(SIMPLIFIED * 3, folder / f"{chinese}.model", 350, case=request.param, chinese=chinese)
    return folder / "simplified.model", folder / "keep.model"


def test_both_scripts_are_the_same_pieces_at_the_same_places(models):
    ours, plain = map(Tokenizer, models)
    for simplified, traditional in zip(SIMPLIFIED, TRADITIONAL, strict=True):
        assert ours.encode_with_offsets(traditional) == ours.encode_with_offsets(simplified)
        assert ours.encode(traditional) == plain.encode(simplified)
    assert plain.encode(TRADITIONAL[0]) != plain.encode(SIMPLIFIED[0])


def test_what_depends_on_the_word_stays():
    """Places would move, or one character would be two."""
    assert "著" not in TABLE
    assert (TABLE["後"], TABLE["髮"], TABLE["臺"]) == ("后", "发", "台")
    assert all(len(one) == len(other) == 1 and one != other for one, other in TABLE.items())


@given(
    st.text(
        st.one_of(
            st.characters(max_codepoint=0x36F, exclude_categories=["Cs"]),
            st.characters(min_codepoint=0x1100, max_codepoint=0x11FF),
            st.characters(min_codepoint=0x2000, max_codepoint=0x33FF),
            st.characters(min_codepoint=0x3400, max_codepoint=0x9FFF),
            st.characters(min_codepoint=0xF900, max_codepoint=0xFFFF),
            st.sampled_from("後臺髮乾閥龍"),
        ),
        max_size=30,
    )
)
def test_nothing_else_is_read_otherwise(models, text):
    ours, plain = (sentencepiece.SentencePieceProcessor(model_file=str(model)) for model in models)
    assert ours.normalize(text) == plain.normalize(text).translate(str.maketrans(TABLE))


def test_exported_it_reads_the_same(models, tmp_path):
    ours = Tokenizer(models[0])
    export_tokenizer(models[0], tmp_path, max_length=64)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in [*TRADITIONAL, *SIMPLIFIED]:
        assert theirs.encode(text, add_special_tokens=False).ids == ours.encode(text)


def test_without_opencc_an_error_says_what_to_do(tmp_path, monkeypatch):
    real = builtins.__import__

    def missing(name, *arguments, **more):
        if name == "opencc":
            raise ImportError("No module named 'opencc'")
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError, match="needs OpenCC") as caught:
        train_tokenizer(SIMPLIFIED * 3, tmp_path / "tokenizer.model", 350, chinese="simplified")
    assert "bertpipe[chinese]" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_the_same_lines_give_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        train_tokenizer(SIMPLIFIED * 3, tmp_path / name, 350, chinese="simplified")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
