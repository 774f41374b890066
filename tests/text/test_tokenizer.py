import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.errors import ArtefactError, ConfigError, InputError
from bertpipe.text.special_ids import OUR_PIECES, OURS
from bertpipe.text.tokenizer import Tokenizer, train_tokenizer

LINES = [
    "Grind the beans just before you brew the coffee.",
    "The grinder stops when the beans jam; switch it off first.",
    "Wool shrinks in hot water and is washed by hand.",
    "[MASK] and [CLS] are also words that a text may hold.",
    "加湿器每周要清洗一次，水箱里的水每天要换。",
    "羊毛衫要用冷水手洗，不要拧干。",
    "停电的时候先看看邻居家有没有灯光。",
] * 3
BYTES = 256


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    train_tokenizer(LINES, path, 420, coverage=1.0)
    return path


@pytest.fixture(scope="module")
def tokenizer(model):
    return Tokenizer(model)


def test_the_first_pieces_are_ours(tokenizer):
    assert [tokenizer.piece(index) for index in range(5)] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert tokenizer.special == OURS
    ids = (tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id)
    assert ids == (0, 1, 2, 3, 4)
    assert sum(map(tokenizer.is_byte, range(tokenizer.vocab_size))) == BYTES


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("Grind the beans", "grind the beans"),  # case is folded
        ("羊毛衫要用冷水手洗，", "羊毛衫要用冷水手洗,"),  # NFKC makes the comma narrow
        ("emoji 😀 and 👩‍👧", "emoji 😀 and 👩‍👧"),
        ("龘 is a rare one", "龘 is a rare one"),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
        ("one\ttwo\n\nthree", "one two three"),
        ("a\x00b\x07c", "a\x00bc"),
        ("a lone \ud800 half", "a lone half"),
        ("", ""),
        (" \n\t ", ""),
    ],
)
def test_round_trip(tokenizer, text, back):
    assert tokenizer.decode(tokenizer.encode(text)) == back
    assert tokenizer.unk_id not in tokenizer.encode(text)


@given(text=st.text(st.characters(), max_size=60))
def test_any_text_becomes_ordinary_pieces(tokenizer, text):
    ids = tokenizer.encode(text)
    assert all(len(OUR_PIECES) <= index < tokenizer.vocab_size for index in ids)
    # What was normalised once is not changed by another round.
    assert tokenizer.decode(tokenizer.encode(tokenizer.decode(ids))) == tokenizer.decode(ids)
    assert tokenizer.encode_batch([text, "", text], threads=2) == [ids, [], ids]


@pytest.mark.parametrize("text", ["[MASK]", "[PAD][UNK][CLS][SEP]", "<s> </s> <unk>", "<0x41>", "▁[MASK]▁"])
def test_special_pieces_never_come_from_text(tokenizer, text):
    assert min(tokenizer.encode(text)) >= len(OUR_PIECES)


def test_bytes_spell_what_has_no_piece(tokenizer):
    spelled = [index for index in tokenizer.encode("龘") if tokenizer.is_byte(index)]
    assert [tokenizer.piece(index) for index in spelled] == ["<0xE9>", "<0xBE>", "<0x98>"]
    assert not any(map(tokenizer.is_byte, tokenizer.encode("grind the beans 羊毛")))


@pytest.mark.parametrize(
    "text",
    [
        "Grind the beans.",
        "羊毛衫要用冷水手洗，不要拧干。",
        "ＦＵＬＬ　ｗｉｄｔｈ coffee",
        "a 😀 in 停电的时候",
        "line\nbreak\tand tab",
        "㎞ and …",
    ],
)
def test_offsets_are_characters(tokenizer, text):
    offsets = tokenizer.encode_offsets(text)
    ids = tokenizer.encode(text)
    assert len(offsets) == len(ids)
    at = 0
    for (start, end), index in zip(offsets, ids, strict=True):
        assert start == at  # nothing is skipped
        assert start <= end
        at = end
        piece = tokenizer.piece(index).replace("▁", "")
        if start < end and piece and not tokenizer.is_byte(index):
            part = tokenizer.decode(tokenizer.encode(text[start:end]))
            assert piece in part
    assert at == len(text)


@given(text=st.text(st.characters(), max_size=40))
def test_offsets_are_ordered_and_inside(tokenizer, text):
    offsets = tokenizer.encode_offsets(text)
    assert len(offsets) == len(tokenizer.encode(text))
    flat = [place for span in offsets for place in span]
    assert flat == sorted(flat)
    assert all(0 <= place <= len(text) for place in flat)


def test_training_is_deterministic(model, tmp_path):
    train_tokenizer(iter(LINES), tmp_path / "again.model", 420, coverage=1.0)
    assert (tmp_path / "again.model").read_bytes() == model.read_bytes()


def test_equally_likely_cuts_do_not_depend_on_the_place(tmp_path):
    """Sums of scores are exact, so that no rounding decides between "88 8" and "8 88"."""
    path = tmp_path / "numbers.model"
    train_tokenizer([f"{number} {number}{number}" for number in (8, 88, 7, 77)] * 20, path, 300, coverage=1.0)
    tokenizer = Tokenizer(path)
    cuts = {tuple(tokenizer.encode("7 " * before + "8888888")[before:]) for before in range(300)}
    assert len(cuts) == 1


def test_case_can_be_kept(tmp_path):
    train_tokenizer(LINES, tmp_path / "kept.model", 420, case="keep", coverage=1.0)
    kept = Tokenizer(tmp_path / "kept.model")
    assert kept.decode(kept.encode("Grind")) == "Grind"


def test_text_can_be_kept_as_it_is(tmp_path):
    lines = [*LINES, "你好，世界！", "ＡＢＣ ﬁ e\u0301"]
    for case, back in (("exact", "你好，世界！ ＡＢＣ ﬁ e\u0301 Yes"), ("keep", "你好,世界! ABC fi é Yes")):
        train_tokenizer(lines, tmp_path / "tokenizer.model", 440, case=case, coverage=1.0)
        tokenizer = Tokenizer(tmp_path)
        assert tokenizer.decode(tokenizer.encode("你好，世界！ ＡＢＣ ﬁ e\u0301 Yes")) == back


def test_a_small_corpus_gives_as_many_pieces_as_it_has(tmp_path):
    train_tokenizer(["hello world"], tmp_path / "small.model", 8000)
    assert BYTES + len(OUR_PIECES) < Tokenizer(tmp_path / "small.model").vocab_size < 300


def test_a_line_too_long_for_the_trainer_is_cut_and_not_left_out(tmp_path):
    train_tokenizer(["abc " * 5000 + "羊" * 5000], tmp_path / "long.model", 300, coverage=1.0)
    tokenizer = Tokenizer(tmp_path / "long.model")
    assert not any(map(tokenizer.is_byte, tokenizer.encode("abc 羊")))


def test_a_vocabulary_too_small_for_the_characters(tmp_path):
    with pytest.raises(ConfigError, match=r"vocab_size = 300 is too small .* Raise tokenize.vocab_size") as caught:
        train_tokenizer(LINES, tmp_path / "no.model", 300, coverage=1.0)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "no.model").exists()


@pytest.mark.parametrize("lines", [[], ["", "  "], ["\u200b\n"]])
def test_no_text_to_learn_from(tmp_path, lines):
    with pytest.raises(InputError, match="too little text") as caught:
        train_tokenizer(lines, tmp_path / "no.model", 400)
    assert "src/" not in str(caught.value)
    assert not (tmp_path / "no.model").exists()


def test_damaged_models(model, tmp_path):
    with pytest.raises(ArtefactError, match="is missing"):
        Tokenizer(tmp_path / "nowhere.model")
    content = model.read_bytes()
    for kept in (0, 10, len(content) // 2, len(content) - 1):
        (tmp_path / "cut.model").write_bytes(content[:kept])
        with pytest.raises(ArtefactError, match=r"cut\.model") as caught:
            Tokenizer(tmp_path / "cut.model")
        assert "\n" not in str(caught.value)
    (tmp_path / "text.model").write_text("hello")
    with pytest.raises(ArtefactError, match=r"text\.model"):
        Tokenizer(tmp_path / "text.model")


def test_a_model_of_somebody_else(tmp_path):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_prefix=str(tmp_path / "other"), vocab_size=100, minloglevel=2
    )
    with pytest.raises(ArtefactError, match="not trained by bertpipe"):
        Tokenizer(tmp_path / "other.model")
