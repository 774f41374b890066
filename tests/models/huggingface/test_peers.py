"""Both directions against transformers and sentence-transformers, with small random models of every family."""

import json
from dataclasses import replace

import pytest
import torch

from bertpipe.models.bert import Bert
from bertpipe.models.checkpoint import save_model
from bertpipe.models.config import BertConfig
from bertpipe.models.encoder import TextEncoder
from bertpipe.models.heads import BertForPretraining
from bertpipe.models.huggingface.exporting import piece_weights, write_model
from bertpipe.models.huggingface.importing import read_model
from bertpipe.models.huggingface.sentence_encoder import write_sentence_encoder
from bertpipe.models.imported import ImportedPooling, load_imported

pytestmark = pytest.mark.peer
transformers = pytest.importorskip("transformers")

SHAPE = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
    "hidden_dropout_prob": 0.0,
}
DISTIL = {"vocab_size": 60, "dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 40}
ROBERTA = {**SHAPE, "max_position_embeddings": 42, "type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5}
FAMILIES = {
    "BertForPreTraining": ("BertConfig", SHAPE),
    "BertForMaskedLM": ("BertConfig", {**SHAPE, "hidden_act": "gelu_new"}),
    "BertModel": ("BertConfig", {**SHAPE, "hidden_act": "relu", "type_vocab_size": 1}),
    "RobertaForMaskedLM": ("RobertaConfig", ROBERTA),
    "RobertaModel": ("RobertaConfig", ROBERTA),
    "XLMRobertaForMaskedLM": ("XLMRobertaConfig", ROBERTA),
    "CamembertModel": ("CamembertConfig", ROBERTA),
    "DistilBertForMaskedLM": ("DistilBertConfig", DISTIL),
    "DistilBertModel": ("DistilBertConfig", {**DISTIL, "activation": "relu", "sinusoidal_pos_embds": True}),
}


@pytest.fixture(autouse=True)
def quiet():
    transformers.utils.logging.set_verbosity_error()
    torch.manual_seed(0)


def shaken(model):
    """A model whose biases and norms are not at their start either."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def batch(pad_id):
    """Two texts of different length."""
    ids = torch.randint(5, 60, (2, 17))
    mask = torch.ones_like(ids)
    ids[1, 9:], mask[1, 9:] = pad_id, 0
    return ids, mask


def agree(ours, theirs, mask):
    torch.testing.assert_close(ours[mask.bool()], theirs[mask.bool()], atol=1e-5, rtol=0)


def imported(folder, destination):
    """The model as `load_imported` gives it, and the heads that are new."""
    from bertpipe.models.checkpoint import CONFIG, WEIGHTS, write_tensors

    model = read_model(folder)
    destination.mkdir()
    model.config.save(destination / CONFIG)
    write_tensors(model.tensors, destination / WEIGHTS)
    loaded, new = load_imported(destination)
    return loaded.eval(), new


def masked_logits(model, hidden):
    return model.masked_language(hidden.flatten(0, 1), model.bert.token_embedding.weight).unflatten(0, hidden.shape[:2])


@pytest.mark.parametrize("shard", ["5GB", "20KB"])
@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_imported_models_compute_the_same(tmp_path, name, shard):
    config, values = FAMILIES[name]
    theirs = shaken(getattr(transformers, name)(getattr(transformers, config)(**values)))
    theirs.save_pretrained(tmp_path / "theirs", max_shard_size=shard)
    assert (tmp_path / "theirs" / "model.safetensors").exists() == (shard == "5GB")
    ours, new = imported(tmp_path / "theirs", tmp_path / "ours")
    ids, mask = batch(ours.bert.config.pad_id)
    given = {"input_ids": ids, "attention_mask": mask}
    types = torch.zeros_like(ids)
    if values.get("type_vocab_size", 2) == 2 and values is not DISTIL and "Distil" not in name:
        types[:, 6:] = 1
        given["token_type_ids"] = types
    hidden = ours.bert(ids, mask, types)
    result = theirs(**given, output_hidden_states=True)
    agree(hidden, result.hidden_states[-1], mask)
    if name.endswith("Model"):
        assert new == {"masked_language", "next_sentence"}
        return
    assert new == (set() if name == "BertForPreTraining" else {"next_sentence"})
    logits = result.prediction_logits if name == "BertForPreTraining" else result.logits
    agree(masked_logits(ours, hidden), logits, mask)
    if name == "BertForPreTraining":
        torch.testing.assert_close(
            ours.next_sentence(hidden[:, 0]).flip(1), result.seq_relationship_logits, atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_import_export_import_changes_no_byte(tmp_path, name):
    config, values = FAMILIES[name]
    shaken(getattr(transformers, name)(getattr(transformers, config)(**values))).save_pretrained(tmp_path / "theirs")
    first = read_model(tmp_path / "theirs")
    (tmp_path / "ours").mkdir()
    write_model(first.config, first.tensors, tmp_path / "ours")
    second = read_model(tmp_path / "ours")
    assert second.config == first.config
    assert second.tensors.keys() == first.tensors.keys()
    assert all(torch.equal(second.tensors[key], tensor) for key, tensor in first.tensors.items())
    transformers.AutoModel.from_pretrained(tmp_path / "ours")


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
@torch.no_grad()
def test_exported_models_compute_the_same(tmp_path, positions, norm_first):
    shape = BertConfig(60, 32, 3, 4, 64, max_length=40, positions=positions, norm_first=norm_first)
    model = shaken(BertForPretraining(Bert(shape)))
    written = write_model(shape, model.state_dict(), tmp_path, mask_id=4)
    theirs, loading = getattr(transformers, written.architecture).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(loading[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    bare = transformers.AutoModel.from_pretrained(tmp_path).eval()
    ids, mask = batch(0)
    given = {"input_ids": ids, "attention_mask": mask}
    types = torch.zeros_like(ids)
    if "the second segment" not in written.left_out:
        types[:, 6:] = 1
        given["token_type_ids"] = types
    hidden = model.bert(ids, mask, types)
    agree(hidden, bare(**given).last_hidden_state, mask)
    result = theirs.eval()(**given)
    is_bert = written.architecture == "BertForPreTraining"
    agree(masked_logits(model, hidden), result.prediction_logits if is_bert else result.logits, mask)
    assert is_bert == (positions != "rotary" and not norm_first)
    if is_bert:
        torch.testing.assert_close(
            model.next_sentence(hidden[:, 0]).flip(1), result.seq_relationship_logits, atol=1e-5, rtol=0
        )
    else:
        assert "the next-sentence head" in written.left_out


@pytest.mark.parametrize("activation", ["gelu_tanh", "relu"])
@pytest.mark.parametrize("positions", ["learned", "rotary"])
@torch.no_grad()
def test_activations_are_exported(tmp_path, positions, activation):
    shape = BertConfig(60, 32, 2, 4, 64, max_length=40, positions=positions, activation=activation)
    model = shaken(BertForPretraining(Bert(shape)))
    written = write_model(shape, model.state_dict(), tmp_path)
    theirs = getattr(transformers, written.architecture).from_pretrained(tmp_path).eval()
    ids, mask = batch(0)
    result = theirs(ids, attention_mask=mask)
    logits = result.prediction_logits if positions == "learned" else result.logits
    agree(masked_logits(model, model.bert(ids, mask)), logits, mask)


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{number}" for number in range(55))]
TEXTS = [
    " ".join(WORDS[5 + (7 * row + 3 * place) % 55] for place in range(length)) for row, length in enumerate((1, 4, 9))
]


def word_tokenizer(folder):
    """A tokenizer of whole words with [CLS] and [SEP], for `AutoTokenizer`."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "mask_token": "[MASK]", "model_max_length": 40, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


@pytest.mark.parametrize("kind", ["mean", "weighted", "cls"])
@pytest.mark.parametrize(("positions", "norm_first"), [("learned", False), ("rotary", True)])
@torch.no_grad()
def test_sentence_transformers_makes_the_same_vectors(tmp_path, kind, positions, norm_first):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    pooling = "cls" if kind == "cls" else "weighted"
    shape = BertConfig(60, 32, 2, 4, 64, max_length=40, positions=positions, norm_first=norm_first, pooling=pooling)
    encoder = shaken(TextEncoder(Bert(shape)))
    if kind == "mean":
        encoder.pooling.set_weights(torch.ones(60))
    elif kind == "weighted":
        # [CLS] and [SEP] have weights of their own, far from 1.
        weights = torch.rand(60) * 3 + 0.01
        weights[2], weights[3] = 4.0, 0.05
        encoder.pooling.set_weights(weights)
    state = encoder.state_dict()
    write_model(shape, {name: one for name, one in state.items() if name.startswith("bert.")}, tmp_path, mask_id=4)
    word_tokenizer(tmp_path)
    facts = ImportedPooling("cls" if kind == "cls" else "mean", True, 8)
    modules = write_sentence_encoder(tmp_path, 32, facts, WORDS, piece_weights(state))
    assert ("WordWeights" in modules) == (kind == "weighted")
    model = sentence_transformers.SentenceTransformer(str(tmp_path), device="cpu")
    theirs = model.encode(TEXTS, convert_to_tensor=True)
    for text, vector in zip(TEXTS, theirs, strict=True):
        ids = [2, *[WORDS.index(word) for word in text.split()][:6], 3]
        ours = encoder(torch.tensor([ids]), torch.ones(1, len(ids)))
        torch.testing.assert_close(vector, ours[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", ["mean", "cls"])
@pytest.mark.parametrize("normalize", [True, False])
def test_what_sentence_transformers_saves_is_read(tmp_path, mode, normalize):
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    plain = tmp_path / "plain"
    shaken(transformers.BertModel(transformers.BertConfig(**SHAPE))).save_pretrained(plain)
    word_tokenizer(plain)
    bert = Transformer(str(plain), max_seq_length=11)
    modules = [bert, Pooling(32, pooling_mode=mode), *([Normalize()] if normalize else [])]
    SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / "saved"))
    model = read_model(tmp_path / "saved")
    assert model.encoder is not None
    assert model.encoder.pooling == ImportedPooling(mode, normalize, 11)
    whole = BertForPretraining(Bert(model.config))
    whole.load_state_dict(model.tensors, strict=False)
    vector = TextEncoder(whole.bert).eval()(torch.tensor([[2, 9, 30, 3]]), torch.ones(1, 4))[0]
    text = f"{WORDS[9]} {WORDS[30]}"
    theirs = SentenceTransformer(str(tmp_path / "saved"), device="cpu").encode(text, convert_to_tensor=True)
    torch.testing.assert_close(torch.nn.functional.normalize(theirs, dim=0), vector, atol=1e-5, rtol=0)


def test_an_exported_encoder_can_be_read_back(tmp_path):
    shape = replace(BertConfig(60, 32, 2, 4, 64, max_length=40), pooling="cls")
    encoder = shaken(TextEncoder(Bert(shape)))
    save_model(encoder, tmp_path / "ours")
    (tmp_path / "theirs").mkdir()
    write_model(shape, encoder.state_dict(), tmp_path / "theirs")
    write_sentence_encoder(tmp_path / "theirs", 32, ImportedPooling("cls", True, 40))
    back = read_model(tmp_path / "theirs")
    assert back.config == shape
    assert all(torch.equal(back.tensors[name], tensor) for name, tensor in encoder.state_dict().items())
