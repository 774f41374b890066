import json

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers

from bertpipe.errors import ArtefactError, ConfigError
from bertpipe.text import json_backend
from bertpipe.text.special_ids import SpecialIds
from bertpipe.text.tokenizer import JSON_FILE, Tokenizer, tokenizer_file

LINES = ["grind the beans just before you brew", "wool shrinks in hot water", "羊毛衫要用冷水手洗"] * 5
BERT = ["[PAD]", "[unused1]", "[unused2]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["grind", "##er", "the", "bean", "##s", "羊", "毛", "[", "]", "mask", "a", "b"]


def wordpiece() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(
        models.WordPiece({piece: place for place, piece in enumerate(BERT + WORDS)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([name for name in BERT if not name.startswith("[unused")])
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=9)
    return tokenizer


def byte_level() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    return tokenizer


def unigram() -> tokenizers.Tokenizer:
    spelled = [(f"<0x{byte:02X}>", 0.0) for byte in range(256)]
    pieces = [("▁", -2.0), ("▁the", -3.0), ("be", -4.0), ("an", -4.0), ("s", -5.0)]
    names = [(name, 0.0) for name in ("<s>", "<pad>", "</s>", "<unk>")]
    tokenizer = tokenizers.Tokenizer(models.Unigram([*names, *spelled, *pieces, ("<mask>", 0.0)], 3, True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    return tokenizer


@pytest.fixture(scope="module", params=[wordpiece, byte_level, unigram], ids=lambda make: make.__name__)
def file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param.__name__) / JSON_FILE
    request.param().save(str(path))
    return path


@pytest.fixture(scope="module")
def tokenizer(file):
    return Tokenizer(file)


def saved(made: tokenizers.Tokenizer, folder) -> Tokenizer:
    made.save(str(folder / JSON_FILE))
    return Tokenizer(folder)


def test_special_pieces_are_found_by_name(tmp_path):
    bert = saved(wordpiece(), tmp_path)
    assert bert.special == SpecialIds(pad=0, unk=3, cls=4, sep=5, mask=6, unused=(1, 2))
    assert (bert.pad_id, bert.unk_id, bert.cls_id, bert.sep_id, bert.mask_id) == (0, 3, 4, 5, 6)
    roberta = saved(byte_level(), tmp_path)
    assert roberta.special == SpecialIds(cls=0, pad=1, sep=2, unk=3, mask=roberta.vocab_size - 1)


def test_the_unknown_piece_is_the_model_s_own(tmp_path):
    names = ["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>", "word"]
    made = tokenizers.Tokenizer(models.WordPiece({name: place for place, name in enumerate(names)}, unk_token="[UNK]"))
    made.add_special_tokens(names[:-1])
    assert saved(made, tmp_path).unk_id == 4


@pytest.mark.parametrize("text", ["[MASK]", "a [SEP] b", "<mask>", "</s><s>", "[PAD]<pad>"])
def test_special_pieces_never_come_from_text(tokenizer, text):
    special = set(tokenizer.special.all) - {tokenizer.unk_id}
    assert not special & set(tokenizer.encode(text))
    assert not special & set(tokenizer.encode_batch([text], threads=2)[0])
    assert len(tokenizer.encode_offsets(text)) == len(tokenizer.encode(text))


def test_nothing_is_cut_or_padded(tmp_path):
    bert = saved(wordpiece(), tmp_path)
    ids = bert.encode("the beans the beans the beans")
    assert [bert.piece(index) for index in ids] == ["the", "bean", "##s"] * 3
    assert bert.encode_batch(["the", ""], threads=2) == [[9], []]


@given(text=st.text(st.characters(), max_size=40))
def test_offsets_are_ordered_and_inside(tokenizer, text):
    ids = tokenizer.encode(text)
    assert all(0 <= index < tokenizer.vocab_size for index in ids)
    assert tokenizer.encode_batch([text, "", text], threads=2) == [ids, tokenizer.encode(""), ids]
    offsets = tokenizer.encode_offsets(text)
    assert len(offsets) == len(ids)
    assert all(0 <= start <= end <= len(text) for start, end in offsets)
    assert [start for start, _ in offsets] == sorted(start for start, _ in offsets)


def test_offsets_are_those_of_the_given_text(tokenizer):
    # A pair of surrogates is one character of what is read, and two of what was given.
    text = "\ud83d\ude00 the beans"
    assert text[slice(*tokenizer.encode_offsets(text)[-1])].strip() in ("s", "beans")


def test_bytes_spell_what_has_no_piece(tmp_path):
    tokenizer = saved(unigram(), tmp_path)
    ids = tokenizer.encode("the 龘")
    assert [tokenizer.piece(index) for index in ids if tokenizer.is_byte(index)] == ["<0xE9>", "<0xBE>", "<0x98>"]
    assert tokenizer.decode(ids) == "the 龘"
    assert not any(map(saved(wordpiece(), tmp_path).is_byte, range(10)))


def test_there_is_no_such_piece(tokenizer):
    with pytest.raises(IndexError, match="there is no piece"):
        tokenizer.piece(tokenizer.vocab_size)


@pytest.mark.parametrize("missing", ["[PAD]", "[SEP]"])
def test_a_tokenizer_without_a_special_piece(tmp_path, missing):
    path = tmp_path / JSON_FILE
    wordpiece().save(str(path))
    path.write_text(path.read_text().replace(missing, "[other]"))
    with pytest.raises(ArtefactError, match=r"has no piece \[.*models need one"):
        Tokenizer(path)


def test_the_unknown_is_what_the_file_says(tmp_path):
    path = tmp_path / JSON_FILE
    wordpiece().save(str(path))
    path.write_text(path.read_text().replace("[UNK]", "[other]"))
    tokenizer = Tokenizer(path)
    assert tokenizer.piece(tokenizer.unk_id) == "[other]"


def test_damaged_files(file, tmp_path):
    content = file.read_bytes()
    broken = tmp_path / JSON_FILE
    values = json.loads(content)
    odd = [values | {"model": {}}, values | {"model": values["model"] | {"vocab": [["a", 1.0]]}}, [], "x"]
    parts = [content[:kept] for kept in (0, 10, len(content) // 2, len(content) - 1)]
    for damaged in (*parts, b"\xff\xfe", *(json.dumps(value).encode() for value in odd)):
        broken.write_bytes(damaged)
        with pytest.raises(ArtefactError, match=r"tokenizer\.json") as caught:
            Tokenizer(broken)
        assert "\n" not in str(caught.value)


def test_a_folder_stands_for_its_tokenizer(file, tmp_path):
    with pytest.raises(ArtefactError, match=r"neither tokenizer\.model nor tokenizer\.json"):
        Tokenizer(tmp_path)
    assert tokenizer_file(file.parent) == file


def test_without_the_library(file, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r"not installed.*pip install \"bertpipe\[hub\]\""):
        json_backend.JsonBackend(file)
