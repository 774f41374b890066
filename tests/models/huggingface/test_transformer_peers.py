"""Encoder-decoders in both directions against transformers, with small random models of every family."""

import json
from dataclasses import replace

import pytest
import torch

from bertpipe.models.beam_search import beam_search
from bertpipe.models.checkpoint import save_model
from bertpipe.models.decoding import DIALOGUE, SUMMARIZATION, TRANSLATION, USUAL, Decoding
from bertpipe.models.generator import Generator, GeneratorSettings
from bertpipe.models.huggingface.transformer_exporting import export_transformer, write_transformer
from bertpipe.models.huggingface.transformer_importing import import_transformer, read_transformer
from bertpipe.models.sampling import write
from bertpipe.models.transformer import Transformer
from bertpipe.models.transformer_config import TransformerConfig
from bertpipe.text.tokenizer import Tokenizer, train_tokenizer

pytestmark = pytest.mark.peer
transformers = pytest.importorskip("transformers")

V = 90
SHAPE = {
    "vocab_size": V,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 60,
    "dropout": 0.0,
}
FAMILIES = {
    "BartForConditionalGeneration": ("BartConfig", {"forced_bos_token_id": 0}),
    "MBartForConditionalGeneration": ("MBartConfig", {"decoder_start_token_id": 7, "scale_embedding": True}),
    "BlenderbotForConditionalGeneration": ("BlenderbotConfig", {"activation_function": "gelu_new"}),
    "MarianMTModel": (
        "MarianConfig",
        {
            "activation_function": "swish",
            "scale_embedding": True,
            "pad_token_id": V - 1,
            "decoder_start_token_id": V - 1,
            "bad_words_ids": [[V - 1]],
        },
    ),
    "PegasusForConditionalGeneration": ("PegasusConfig", {"activation_function": "relu", "scale_embedding": True}),
}
KINDS = {
    "BartForConditionalGeneration": {"positions": "learned", "norm_first": False, "embedding_norm": True},
    "MBartForConditionalGeneration": {"positions": "learned", "embedding_norm": True, "output_bias": True},
    "BlenderbotForConditionalGeneration": {"positions": "learned", "activation": "gelu_tanh"},
    "MarianMTModel": {"norm_first": False, "activation": "silu", "output_bias": True},
    "PegasusForConditionalGeneration": {},
}


@pytest.fixture(autouse=True)
def quiet():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)


def shaken(model):
    """A model whose biases and norms are not at their start either; its targets end now and then."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "embed_positions" not in name or "inusoidal" not in type(model.get_submodule(name[:-7])).__name__:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def published(name, folder, **changes):
    """A random model as transformers saves it."""
    config, values = FAMILIES[name]
    model = shaken(getattr(transformers, name)(getattr(transformers, config)(**{**SHAPE, **values, **changes})))
    model.final_logits_bias.normal_(std=0.3)
    for key in ("forced_bos_token_id", "bad_words_ids"):
        if key in values:
            setattr(model.generation_config, key, values[key])
    # It forces an end on a target that is too long; ours does not.
    model.generation_config.forced_eos_token_id = None
    model.generation_config.max_length = 30
    model.save_pretrained(folder)
    return model


def own(kind, **changes):
    """A random model of ours."""
    model = Transformer(TransformerConfig(V, 32, 2, 3, 4, 64, max_length=60, **KINDS[kind], **changes))
    return shaken(model)


def sources(pad_id):
    """Sources of different lengths."""
    ids = torch.randint(8, V - 2, (4, 19))
    mask = torch.ones_like(ids, dtype=torch.bool)
    for row, length in ((1, 9), (2, 14)):
        ids[row, length:], mask[row, length:] = pad_id, False
    return ids, mask


def logits_agree(ours, theirs):
    ids, mask = sources(ours.config.pad_id)
    targets = torch.randint(8, V - 2, (4, 50))
    targets[:, 0] = ours.config.start_id
    with torch.no_grad():
        mine = ours(ids, targets, mask)
        yours = theirs(input_ids=ids, attention_mask=mask.long(), decoder_input_ids=targets).logits
    torch.testing.assert_close(mine, yours, atol=1e-5, rtol=0)


def plain(row, end_id):
    """What transformers wrote, without the start, the end and what follows."""
    row = row[1:]
    return row[: row.index(end_id)] if end_id in row else row


EVERY_STOP = {True: "always", False: "likely", "never": "never"}


def targets_agree(ours, theirs, penalties=(1.0,), **settings):
    """Greedily, and by beams in every way to stop."""
    ids, mask = sources(ours.config.pad_id)
    given = {"input_ids": ids, "attention_mask": mask.long(), "max_length": 31, **settings}
    end_id, ngram = ours.config.end_id, settings.get("no_repeat_ngram_size", 0)
    greedy = [pieces for pieces, _ in write(ours, ids, mask, max_length=30, no_repeat_ngram=ngram)]
    assert greedy == [plain(row, end_id) for row in theirs.generate(**given, num_beams=1).tolist()]
    for penalty in penalties:
        for stopping, name in EVERY_STOP.items():
            options = {"beams": 4, "max_length": 30, "length_penalty": penalty, "no_repeat_ngram": ngram, "best": 3}
            mine = beam_search(ours, ids, mask, early_stopping=name, **options)
            yours = theirs.generate(
                **given,
                num_beams=4,
                num_return_sequences=3,
                length_penalty=penalty,
                early_stopping=stopping,
                return_dict_in_generate=True,
                output_scores=True,
            )
            rows = [plain(row, end_id) for row in yours.sequences.tolist()]
            assert [pieces for best in mine for pieces, _ in best] == rows
            scores = torch.tensor([score for best in mine for _, score in best])
            torch.testing.assert_close(scores, yours.sequences_scores, atol=1e-4, rtol=1e-5)


def opened(folder, **changes):
    """A published model in our classes, without a tokenizer."""
    read = read_transformer(folder)
    model = Transformer(replace(read.config, **changes))
    model.load_state_dict(read.tensors)
    return model.eval()


@pytest.mark.parametrize("name", FAMILIES)
def test_imported_models_compute_the_same(tmp_path, name):
    theirs = published(name, tmp_path)
    ours = opened(tmp_path)
    logits_agree(ours, theirs)
    targets_agree(ours, theirs)


@pytest.mark.parametrize("name", FAMILIES)
def test_models_without_a_head_are_read(tmp_path, name):
    whole = published(name, tmp_path / "whole")
    whole.model.save_pretrained(tmp_path / "bare")
    whole.final_logits_bias.zero_()
    ours = opened(tmp_path / "bare")
    assert ours.output_bias is None
    logits_agree(ours, whole)


@pytest.mark.parametrize("name", KINDS)
def test_exported_models_compute_the_same(tmp_path, name):
    ours = own(name)
    written = write_transformer(ours.config, ours.state_dict(), tmp_path)
    assert written.architecture == name
    theirs, loading = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path, output_loading_info=True)
    assert type(theirs).__name__ == name
    assert not any(loading[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    logits_agree(ours, theirs.eval())
    targets_agree(ours, theirs, penalties=(0.0, 0.6, 2.0))


@pytest.mark.parametrize("name", ["BartForConditionalGeneration", "PegasusForConditionalGeneration"])
def test_first_forbidden_and_repeated_pieces(tmp_path, name):
    # Theirs counts the start piece as the first of a run; a start piece that is never written makes no difference.
    ours = own(name, first_id=9, forbidden_ids=(0, 2, 11, 12))
    write_transformer(ours.config, ours.state_dict(), tmp_path)
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path).eval()
    targets_agree(ours, theirs, no_repeat_ngram_size=2)


@pytest.mark.parametrize("name", FAMILIES)
def test_import_export_import_changes_no_byte(tmp_path, name):
    published(name, tmp_path / "theirs")
    first = read_transformer(tmp_path / "theirs")
    (tmp_path / "ours").mkdir()
    written = write_transformer(first.config, first.tensors, tmp_path / "ours", max_target=first.max_target)
    assert written.architecture == name
    second = read_transformer(tmp_path / "ours")
    assert (second.config, second.max_target) == (first.config, first.max_target) != (None, 60)
    assert second.tensors.keys() == first.tensors.keys()
    assert all(torch.equal(second.tensors[key], tensor) for key, tensor in first.tensors.items())


TEXTS = ["a small dog sees a tree.", "the old cat", "two birds find one tree. the dog sleeps.", "x"]


@pytest.mark.parametrize("task", [TRANSLATION, SUMMARIZATION, DIALOGUE])
def test_a_generator_is_exported_with_all_that_generate_needs(tmp_path, task):
    """From text to text, without arguments; what is drawn, by its settings."""
    source, out = tmp_path / "ours", tmp_path / "theirs"
    out.mkdir()
    source.mkdir()
    train_tokenizer(TEXTS * 30, source / "tokenizer.model", 330)
    tokenizer = Tokenizer(source)
    config = TransformerConfig(
        tokenizer.vocab_size, 32, 2, 2, 4, 64, max_length=60, forbidden_ids=(0, 2), output_bias=True
    )
    model = shaken(Transformer(config))
    with torch.no_grad():
        model.output_bias[3] += 2.0
        # Bytes that spell no character are shown differently.
        model.output_bias[[piece for piece in range(tokenizer.vocab_size) if tokenizer.is_byte(piece)]] = -50.0
    save_model(model, source)
    settings = GeneratorSettings(task, max_source=60, max_target=12)
    settings.save(source)
    export_transformer(config, model.state_dict(), source / "tokenizer.model", out, settings=settings)
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(out).eval()
    pieces = transformers.AutoTokenizer.from_pretrained(out)
    batch = pieces(TEXTS, return_tensors="pt", padding=True)
    assert set(batch) == {"input_ids", "attention_mask"}
    generator = Generator(source)
    for text, ids, mask in zip(TEXTS, batch["input_ids"], batch["attention_mask"], strict=True):
        assert ids[mask.bool()].tolist() == [*generator.source_ids(text), 3] == generator.framed(text)
    if task == DIALOGUE:
        usual, theirs_usual = USUAL[DIALOGUE], theirs.generation_config
        assert theirs_usual.do_sample
        assert (theirs_usual.temperature, theirs_usual.top_p) == (usual.temperature, usual.top_p)
        assert (theirs_usual.top_k, theirs_usual.no_repeat_ngram_size) == (0, usual.no_repeat_ngram)
        return
    mine = [best[0].text for best in generator.generate(TEXTS, USUAL[task])]
    yours = pieces.batch_decode(theirs.generate(**batch), skip_special_tokens=True)
    assert mine == [text.strip() for text in yours]
    assert len(set(mine)) > 1


def byte_level(folder):
    """A tokenizer of BART's kind, as transformers saves it."""
    from tokenizers import Tokenizer as Published
    from tokenizers import decoders, models, pre_tokenizers, processors, trainers

    made = Published(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=names, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(TEXTS * 5, trainer)
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", sep_token="</s>", cls_token="<s>", unk_token="<unk>",
        pad_token="<pad>", mask_token="<mask>",
    ).save_pretrained(folder)  # fmt: skip


def unigram(folder, names, template):
    """A tokenizer of Pegasus's or mBART's kind."""
    from tokenizers import Tokenizer as Published
    from tokenizers import decoders, models, pre_tokenizers, processors, trainers

    made = Published(models.Unigram())
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=V, special_tokens=names, unk_token="<unk>", show_progress=False)
    made.train_from_iterator(TEXTS * 5, trainer)
    made.add_special_tokens(names)
    around = [name for name in names if name in template]
    made.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(name, made.token_to_id(name)) for name in around]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    ).save_pretrained(folder)  # fmt: skip


def text_agrees(theirs, folder, out, task=None):
    """A published model reads and writes the same text in both libraries."""
    out.mkdir()
    found = import_transformer(folder, out, task)
    generator, tokenizer = Generator(out), transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(TEXTS, return_tensors="pt", padding=True)
    batch.pop("token_type_ids", None)
    for text, ids, mask in zip(TEXTS, batch["input_ids"], batch["attention_mask"], strict=True):
        assert generator.framed(text) == ids[mask.bool()].tolist()
    for beams in (1, 3):
        mine = [best[0].text for best in generator.generate(TEXTS, Decoding(beams=beams))]
        written = theirs.generate(**batch, num_beams=beams, early_stopping=beams > 1)
        yours = tokenizer.batch_decode(written, skip_special_tokens=True)
        assert mine == yours
    return found


def test_a_bart_from_text_to_text(tmp_path):
    byte_level(tmp_path / "bart")
    theirs = published("BartForConditionalGeneration", tmp_path / "bart")
    theirs.resize_token_embeddings(310)
    theirs.save_pretrained(tmp_path / "bart")
    found = text_agrees(theirs, tmp_path / "bart", tmp_path / "out")
    assert (found.config.source_prefix, found.config.source_suffix, found.config.first_id) == ((0,), (), 0)
    assert (found.settings.task, found.settings.max_target) == (SUMMARIZATION, 29)


def test_an_mbart_names_its_languages(tmp_path):
    unigram(tmp_path / "mbart", ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "en_XX", "ro_RO"], "$A </s> en_XX")
    theirs = published("MBartForConditionalGeneration", tmp_path / "mbart", decoder_start_token_id=6)
    found = text_agrees(theirs, tmp_path / "mbart", tmp_path / "out")
    assert (found.config.source_suffix, found.config.start_id) == ((5,), 6)


def test_a_pegasus_has_no_piece_that_begins_a_text(tmp_path):
    unigram(tmp_path / "pegasus", ["<pad>", "</s>", "<mask_1>", "<unk>"], "$A </s>")
    theirs = published("PegasusForConditionalGeneration", tmp_path / "pegasus")
    text_agrees(theirs, tmp_path / "pegasus", tmp_path / "out", SUMMARIZATION)
    # And out again, with its own frame.
    (tmp_path / "again").mkdir()
    generator = Generator(tmp_path / "out")
    written = export_transformer(
        generator.model.config,
        generator.model.state_dict(),
        tmp_path / "out" / "tokenizer.json",
        tmp_path / "again",
        settings=generator.settings,
    )
    assert written.architecture == "PegasusForConditionalGeneration"
    settings = json.loads((tmp_path / "again" / "tokenizer_config.json").read_text())
    assert "mask_token" not in settings
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "again")
    assert [again(text)["input_ids"] for text in TEXTS] == [generator.framed(text) for text in TEXTS]
