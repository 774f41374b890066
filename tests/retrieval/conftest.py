from pathlib import Path

import pytest

from bertpipe.retrieval.encoder import GRAPH, EncoderSettings
from bertpipe.text.sentences import split_sentences
from bertpipe.text.tokenizer import MODEL_FILE, Tokenizer, train_tokenizer

DATA = Path(__file__).parents[2] / "data"
WIDTH, QUERY_TOKENS, PASSAGE_TOKENS = 16, 12, 40


def make_encoder(folder, seed):
    """An encoder with random weights, exported; returns the model that was exported."""
    import torch

    from bertpipe.models.bert import Bert
    from bertpipe.models.config import BertConfig
    from bertpipe.models.encoder import TextEncoder
    from bertpipe.models.onnx_export import export_encoder

    folder.mkdir()
    texts = [file.read_text(encoding="utf-8") for file in sorted(DATA.glob("sample_*/*"))]
    lines = [text[start:end] for text in texts for start, end in split_sentences(text)]
    train_tokenizer(lines, folder / MODEL_FILE, 1500)
    torch.manual_seed(seed)
    vocab_size = Tokenizer(folder / MODEL_FILE).vocab_size
    shape = BertConfig(vocab_size, width=WIDTH, layers=1, heads=2, inner=32, max_length=64)
    encoder = TextEncoder(Bert(shape)).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():  # far from what training starts with: every part has a say
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    export_encoder(encoder, folder / GRAPH)
    EncoderSettings(WIDTH, QUERY_TOKENS, PASSAGE_TOKENS).save(folder)
    return encoder


@pytest.fixture(scope="session")
def torch_encoder_and_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("retrieval") / "encoder"
    return make_encoder(folder, 0), folder


@pytest.fixture(scope="session")
def encoder_folder(torch_encoder_and_folder):
    """A folder with a random encoder; read it only."""
    return torch_encoder_and_folder[1]


@pytest.fixture(scope="session")
def other_encoder_folder(tmp_path_factory):
    """A folder with an encoder of other weights; read it only."""
    folder = tmp_path_factory.mktemp("retrieval") / "other"
    make_encoder(folder, 1)
    return folder


@pytest.fixture(scope="session")
def encoder(encoder_folder):
    from bertpipe.retrieval.encoder import Encoder

    return Encoder(encoder_folder, threads=1)


TEXTS = {
    "Cleaning the grinder": ["Brush the burrs once a week.", "Never wash the burrs with water.", "Grind some rice."],
    "A dripping tap": ["Turn off the water.", "Change the washer of the tap."],
    "加湿器": ["水箱里的水每天要换。", "滤芯每月清洗一次。", "不要用热水冲洗。"],
    "": ["A passage without a title, about water."],
}


@pytest.fixture(scope="session")
def built_index(tmp_path_factory, encoder, encoder_folder):
    """A folder with an index of a few passages, three of a document; look at it only."""
    from bertpipe.retrieval.encoder import encoder_digest
    from bertpipe.retrieval.index_folder import IndexSettings, build_index
    from bertpipe.retrieval.passage import Passage
    from bertpipe.retrieval.passage_writer import PassageWriter

    folder = tmp_path_factory.mktemp("index")
    passages = []
    for title, texts in TEXTS.items():
        start = 0
        for text in texts:
            place = len(passages), f"notes.jsonl#{title}@{start}", f"notes.jsonl#{title or 'untitled'}"
            passages.append(Passage(*place, title, text, start, start + len(text)))
            start += len(text) + 1
    with PassageWriter(folder / "passages") as store:
        store.add_many(passages)
    vectors = encoder.encode_passages([(passage.title, passage.text) for passage in passages])
    whole = folder / "index"
    build_index(whole, passages=folder / "passages", vectors=vectors, encoder=encoder_folder, advance=lambda _: None)
    IndexSettings(encoder_digest(encoder_folder), len(passages), "hybrid", 0.35).save(whole)
    (whole / "report.json").write_text('{"measured": false}')
    return whole
