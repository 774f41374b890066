import json
import math
import random
import shutil

import pytest
import torch
from torch.nn import functional

from bertpipe.errors import ArtefactError, InputError
from bertpipe.models import generator as module
from bertpipe.models.checkpoint import save_model
from bertpipe.models.decoding import DIALOGUE, SUMMARIZATION, TRANSLATION, Decoding
from bertpipe.models.generator import Generator, GeneratorSettings
from bertpipe.models.transformer import Transformer
from bertpipe.models.transformer_config import TransformerConfig
from bertpipe.text.tokenizer import Tokenizer, train_tokenizer

WORDS = ("the", "one", "red", "green", "small", "old", "dog", "cat", "bird", "tree", "sees", "finds", "near", "slowly")


def sentence(rng, count):
    return " ".join(rng.choices(WORDS, k=count)).capitalize() + "."


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A generator of random weights whose targets end early or late."""
    folder = tmp_path_factory.mktemp("generator")
    rng = random.Random(0)
    lines = [sentence(rng, rng.randint(2, 12)) for _ in range(300)] + ["天空是蓝色的。", "我们去看大海。"] * 20
    train_tokenizer(lines, folder / "tokenizer.model", 400)
    torch.manual_seed(0)
    shape = {"width": 32, "encoder_layers": 1, "decoder_layers": 1, "heads": 2, "inner": 32, "max_length": 60}
    vocabulary = Tokenizer(folder / "tokenizer.model").vocab_size
    model = Transformer(TransformerConfig(vocab_size=vocabulary, output_bias=True, **shape))
    with torch.no_grad():
        model.decoder.final_norm.weight.mul_(2)
        model.decoder.layers[0].cross_attention.output.weight.mul_(20)  # so that targets depend on their sources
        model.output_bias.normal_(std=0.5)
        model.output_bias[model.config.end_id] += 5
    save_model(model, folder)
    GeneratorSettings(TRANSLATION, max_source=20, max_target=12).save(folder)
    return folder


@pytest.fixture(scope="session")
def generator(folder):
    return Generator(folder)


def texts(count, longest=9):
    rng = random.Random(1)
    return [sentence(rng, rng.randint(1, longest)) for _ in range(count)]


def test_settings_round_trip(tmp_path):
    settings = GeneratorSettings(SUMMARIZATION, 400, 64)
    settings.save(tmp_path)
    assert GeneratorSettings.load(tmp_path) == settings


@pytest.mark.parametrize("text", ["", "[]", "{", '{"task": "translation"}', '{"taste": 1}'])
def test_damaged_settings(tmp_path, text):
    (tmp_path / "generator.json").write_text(text)
    with pytest.raises(ArtefactError, match=r"generator\.json"):
        GeneratorSettings.load(tmp_path)


@pytest.mark.parametrize("name", ["generator.json", "tokenizer.model", "config.json", "model.safetensors"])
def test_every_file_is_needed(folder, tmp_path, name):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / name).write_bytes((copy / name).read_bytes()[:50])
    with pytest.raises(ArtefactError, match=name):
        Generator(copy)
    (copy / name).unlink()
    with pytest.raises(ArtefactError, match=name):
        Generator(copy)


def test_a_tokenizer_of_another_model_is_refused(folder, tmp_path):
    """The embedding has a row for each piece: with other pieces, ids would be out of range or mean other words."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    train_tokenizer(["A quick brown fox jumps over the lazy dog."] * 50, copy / "tokenizer.model", 330)
    with pytest.raises(ArtefactError, match=r"tokenizer\.model"):
        Generator(copy)


def test_a_source_is_read_as_in_training(generator):
    """Sentence by sentence, as `tokenize` writes documents."""
    text = "The dog sees a cat. The cat sleeps near the tree.\n天空是蓝色的。我们去看大海。"
    encode = generator.tokenizer.encode
    parts = ["The dog sees a cat.", "The cat sleeps near the tree.", "天空是蓝色的。", "我们去看大海。"]
    assert generator.source_ids(text) == [piece for part in parts for piece in encode(part)]
    assert generator.source_ids("") == []


def test_a_text_is_translated_by_sentences(generator):
    assert generator.sentences("") == []
    assert generator.sentences("The dog sees a cat. The cat sleeps.\n\nA dog.") == [
        "The dog sees a cat.",
        "The cat sleeps.",
        "A dog.",
    ]
    assert generator.sentences("天空是蓝色的。我们去看大海。") == ["天空是蓝色的。", "我们去看大海。"]


def test_nothing_of_a_long_text_is_lost(generator):
    rng = random.Random(2)
    for _ in range(20):
        written = [sentence(rng, rng.randint(1, 8)) for _ in range(rng.randint(8, 30))]
        text = rng.choice([" ", "  ", "\n\n"]).join(written)
        sentences = generator.sentences(text)
        pieces = [piece for one in sentences for piece in generator.source_ids(one)]
        assert pieces == [piece for one in written for piece in generator.source_ids(one)]


def test_a_reply_reads_the_newest_words(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    text = " ".join(["The old dog sees a red cat near the tree."] * 8)
    for task, kept in ((DIALOGUE, slice(-19, None)), (TRANSLATION, slice(19))):
        GeneratorSettings(task, max_source=20, max_target=12).save(copy)
        generator = Generator(copy)
        assert generator.framed(text) == [*generator.source_ids(text)[kept], generator.model.config.end_id]


def test_a_sentence_that_is_too_long(generator):
    long = " ".join(["dog"] * 40) + "."
    with pytest.raises(InputError, match=r"a sentence of \d+ tokens is too long.*the model reads 19"):
        generator.sentences(f"The dog sees a cat. {long} The cat sleeps.")
    with pytest.raises(InputError, match="is too long"):
        generator.sentences(long)


def test_join():
    join = Generator.join
    assert join([]) == ""
    assert join(["A dog.", "A cat."]) == "A dog. A cat."
    assert join(["天是蓝的。", "我们去看海！", "好"]) == "天是蓝的。我们去看海！好"
    assert join(["他说：“好。”", "她走了。"]) == "他说：“好。”她走了。"
    assert join(["one", "", "two", ""]) == "one two"


DECODINGS = [
    Decoding(),
    Decoding(beams=3),
    Decoding(beams=4, best=3, length_penalty=0.5, no_repeat_ngram=2),
    Decoding(beams=2, early_stopping="never", max_length=5),
]


@pytest.mark.parametrize("decoding", DECODINGS)
@pytest.mark.parametrize("batch_tokens", [30, 200, 8192])
def test_targets_come_in_the_order_of_their_sources(generator, monkeypatch, decoding, batch_tokens):
    """Whatever shares a batch, each source gets what it gets alone."""
    monkeypatch.setattr(module, "BATCH_TOKENS", batch_tokens)
    sources = texts(60, longest=30)  # some are cut
    written = list(generator.generate(sources, decoding))
    assert len(written) == len(sources)
    for place in range(0, 60, 7):
        ((*alone,),) = generator.generate([sources[place]], decoding)
        assert [one.text for one in alone] == [one.text for one in written[place]]
        for one, other in zip(alone, written[place], strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4)
            assert one.tokens == other.tokens
    assert all(len(one) == decoding.best for one in written)
    assert all(one.tokens <= (decoding.max_length or 12) for targets in written for one in targets)
    assert len({targets[0].text for targets in written}) > 5  # so that an order shows


def test_nothing_to_generate(generator):
    assert list(generator.generate([], Decoding())) == []


def test_what_is_written_is_one_line(generator, monkeypatch):
    """Line i of the output answers line i of the input, whatever bytes the model spells."""
    tokenizer = generator.tokenizer
    pieces = {tokenizer.piece(index): index for index in range(tokenizer.vocab_size)}
    ids = [*tokenizer.encode("dog"), pieces["<0x0A>"], pieces["<0x0D>"], pieces["<0x0A>"], *tokenizer.encode("cat")]
    assert "\n" in tokenizer.decode(ids)
    monkeypatch.setattr(module, "write", lambda *arguments, **named: [(ids, -1.0)])
    (((only,),),) = [list(generator.generate(["The dog."], Decoding()))]
    assert only == module.Written("dog cat", -1.0, len(ids))


def test_temperature_draws(generator):
    decoding = Decoding(temperature=1.5, seed=1)
    sources = texts(30)
    first = list(generator.generate(sources, decoding))
    assert list(generator.generate(sources, decoding)) == first
    assert list(generator.generate(sources, Decoding(temperature=1.5, seed=2))) != first
    assert list(generator.generate(sources, Decoding(temperature=1.5, top_k=1))) == list(
        generator.generate(sources, Decoding())
    )


def test_perplexity_is_that_of_the_pieces(generator, monkeypatch):
    """One pair after the other, without padding; long sources and targets are cut as in training."""
    monkeypatch.setattr(module, "BATCH_TOKENS", 100)
    sources, targets = texts(40, longest=30), texts(80, longest=25)[40:]
    model, tokenizer = generator.model, generator.tokenizer
    total, count = 0.0, 0
    for source, target in zip(sources, targets, strict=True):
        src = [*generator.source_ids(source)[:19], model.config.end_id]
        tgt = [*tokenizer.encode(target)[:11], model.config.end_id]
        with torch.no_grad():
            logits = model(torch.tensor([src]), torch.tensor([[model.config.start_id, *tgt[:-1]]]))[0]
        total += float(functional.cross_entropy(logits.double(), torch.tensor(tgt), reduction="sum"))
        count += len(tgt)
    got = generator.perplexity(list(zip(sources, targets, strict=True)))
    assert got == pytest.approx(math.exp(total / count), rel=1e-4)


def test_a_generator_keeps_to_its_task(folder):
    values = json.loads((folder / "generator.json").read_text())
    assert values == {"task": TRANSLATION, "max_source": 20, "max_target": 12, "by_sentence": True}
    assert DIALOGUE not in values.values()


def test_a_published_model_reads_texts_as_they_are_and_in_their_frame(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"source_prefix": [7], "source_suffix": [8], "first_id": 9}))
    GeneratorSettings(TRANSLATION, max_source=20, max_target=12, by_sentence=False).save(copy)
    published, usual = Generator(copy), Generator(folder)
    # Where no space parts two sentences, cut ones have a piece more.
    text = "天空是蓝色的。我们去看大海。"
    whole = published.tokenizer.encode(text)
    assert published.source_ids(text) == whole != usual.source_ids(text)
    assert published.framed(text) == [7, *whole[:17], 3, 8]
    long = " ".join(texts(6))
    assert " ".join(published.sentences(long)) == long
    ((written,),) = published.generate(["The old dog."], Decoding())
    assert written.tokens > 1
    # The first piece is given, so it surprises nobody.
    pair = ("The old dog.", "The red cat.")
    ids = torch.tensor([published.framed(pair[0])])
    target = [*published.tokenizer.encode(pair[1]), 3]
    logits = published.model(ids, torch.tensor([[2, 9, *target[:-1]]]))[0, 1:]
    expected = functional.cross_entropy(logits.double(), torch.tensor(target)).exp()
    assert published.perplexity([pair]) == pytest.approx(expected.item(), rel=1e-5)
