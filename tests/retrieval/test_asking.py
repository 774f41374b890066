import json
import shutil
import types

import numpy as np
import pytest

from bertpipe.errors import ArtefactError, ConfigError
from bertpipe.models.task_settings import QUESTION_ANSWERING, SETTINGS, TaskSettings
from bertpipe.retrieval.asking import ask, passage_priors
from bertpipe.retrieval.best_sentences import best_sentences
from bertpipe.retrieval.encoder import encoder_digest
from bertpipe.retrieval.fusion import NEARNESS
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.index_folder import READER, IndexSettings, build_index
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.passage_writer import PassageWriter
from bertpipe.retrieval.reader import GRAPH, open_reader, reader_digest
from bertpipe.text.tokenizer import MODEL_FILE, Tokenizer

DOCUMENT = "The burrs are made of steel. Brush them once a week. Never wash the burrs with water, since steel rusts."
PASSAGES = [(0, 53), (54, len(DOCUMENT))]
OTHERS = [
    "The tap drips. Change the washer of the tap.",
    "水箱里的水每天要换。滤芯每月清洗一次。",
    "Grind some rice in winter.",
]


def passages():
    for number, (start, end) in enumerate(PASSAGES):
        yield Passage(number, f"a.md#{number}", "a.md", "Grinder", DOCUMENT[start:end], start, end)
    for number, text in enumerate(OTHERS, start=len(PASSAGES)):
        yield Passage(number, f"{number}.md#0", f"{number}.md", "", text, 0, len(text))


@pytest.fixture(scope="module")
def torch_reader_and_folder(tmp_path_factory, encoder_folder):
    """A reader with random weights that has much to say."""
    import torch

    from bertpipe.models.answer_reader import AnswerReader
    from bertpipe.models.bert import Bert
    from bertpipe.models.config import BertConfig
    from bertpipe.models.onnx_export import export_reader

    folder = tmp_path_factory.mktemp("reader") / "reader"
    folder.mkdir()
    shutil.copyfile(encoder_folder / MODEL_FILE, folder / MODEL_FILE)
    torch.manual_seed(1)
    vocab_size = Tokenizer(folder).vocab_size
    reader = AnswerReader(Bert(BertConfig(vocab_size, width=16, layers=1, heads=2, inner=32, max_length=48))).eval()
    with torch.no_grad():
        for parameter in reader.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.4)
    export_reader(reader, folder / GRAPH)
    settings = TaskSettings(
        QUESTION_ANSWERING, 32, stride=6, threshold=0.0, question_tokens=8, answer_tokens=5, retrieval_weight=1.0
    )
    settings.save(folder)
    return reader, folder


@pytest.fixture(scope="module")
def reader_folder(torch_reader_and_folder):
    return torch_reader_and_folder[1]


def build(folder, encoder, encoder_folder, reader=None):
    with PassageWriter(folder / "passages") as store:
        store.add_many(passages())
    vectors = encoder.encode_passages([(one.title, one.text) for one in passages()])
    made = folder / "index"
    build_index(
        made,
        passages=folder / "passages",
        vectors=vectors,
        encoder=encoder_folder,
        advance=lambda count: None,
        reader=reader,
    )
    digest = reader_digest(reader) if reader else ""
    IndexSettings(encoder_digest(encoder_folder), len(vectors), "hybrid", 0.5, reader=digest).save(made)
    return made


@pytest.fixture(scope="module")
def plain(tmp_path_factory, encoder, encoder_folder):
    """An index without a reader."""
    return build(tmp_path_factory.mktemp("plain"), encoder, encoder_folder)


@pytest.fixture(scope="module")
def with_reader(tmp_path_factory, encoder, encoder_folder, reader_folder):
    return build(tmp_path_factory.mktemp("read"), encoder, encoder_folder, reader_folder)


def test_words_of_a_question_that_stand_together_count(plain, monkeypatch):
    """Whatever the queries are that the index was tuned with: an answer mostly stands in one sentence."""
    index = Index(plain)
    asked = []

    def search(*query, **how):
        asked.append(how)
        return Index.search(index, *query, **how)

    monkeypatch.setattr(index, "search", search)
    question = "Why not water?"
    assert ask(index, question).answers
    assert [how["nearness"] for how in asked] == [NEARNESS]
    near = index.search(question, 100, nearness=NEARNESS).hits
    usual = {hit.passage.number: hit for hit in index.search(question, 100).hits}
    assert "nearness" not in usual[near[0].passage.number].scores
    for hit in near:
        assert hit.score == pytest.approx(usual[hit.passage.number].score + hit.parts["nearness"])


def test_the_graph_answers_as_the_model_does(torch_reader_and_folder):
    from bertpipe.models.answerer import answerer

    model, folder = torch_reader_and_folder
    graph = open_reader(folder, threads=1)
    torch_reader = answerer(model, Tokenizer(folder), graph.settings, "cpu")
    texts = [DOCUMENT, *OTHERS]
    for question in (
        "Why not water?",
        "多久换水？",
        "a question that is longer than what is read of one by this reader",
    ):
        one, other = graph.read(question, texts, k=9), torch_reader.read(question, texts, k=9)
        assert [(a.text, a.passage, a.start) for a in one.answers] == [
            (a.text, a.passage, a.start) for a in other.answers
        ]
        assert [a.score for a in one.answers] == pytest.approx([a.score for a in other.answers], abs=1e-5)
        assert one.cut == other.cut


def test_answers_stand_where_they_say(with_reader):
    result = ask(Index(with_reader), "What are the burrs made of?", k=5, answers=9)
    assert result.reader
    assert result.read == 5
    assert len(result.answers) > 1
    for answer in result.answers:
        whole = DOCUMENT if answer.passage.document == "a.md" else answer.passage.text
        assert whole[answer.start : answer.end] == answer.text
        start, end = answer.place
        assert answer.passage.text[start:end] == answer.text
        told = answer.as_json()
        begin = told["start"] - told["context_start"]
        assert told["context"][begin : begin + len(told["text"])] == told["text"]
    scores = [answer.score for answer in result.answers]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) <= 1 + 1e-9


def test_the_json_document(with_reader):
    document = ask(Index(with_reader), "burrs?").as_json()
    assert list(document) == ["question", "answers", "reader", "took_ms"]
    keys = ["text", "score", "passage_id", "document", "start", "end", "context"]
    assert list(document["answers"][0])[: len(keys)] == keys
    json.dumps(document)


def test_nothing_under_the_threshold_is_an_answer(with_reader, tmp_path):
    index = Index(with_reader)
    best = ask(index, "What are the burrs made of?").answers[0]
    index.reader.settings = TaskSettings(**{**index.reader.settings.__dict__, "threshold": best.score})
    assert ask(index, "What are the burrs made of?").answers[0] == best
    index.reader.settings = TaskSettings(**{**index.reader.settings.__dict__, "threshold": best.score + 1e-6})
    assert ask(index, "What are the burrs made of?").answers == []


def test_only_as_many_passages_are_read_as_asked_for(with_reader):
    index = Index(with_reader)
    assert {answer.passage.passage_id for answer in ask(index, "burrs water", k=1, answers=9).answers} == {
        index.search("burrs water", 1).hits[0].passage.passage_id
    }
    with pytest.raises(ConfigError, match="k = 0"):
        ask(index, "burrs", k=0)


@pytest.mark.parametrize("question", ["", "   "])
def test_an_empty_question_has_no_answer(with_reader, plain, question):
    assert ask(Index(with_reader), question).answers == []
    assert ask(Index(plain), question).answers == []


def test_a_long_question_is_told_to_be_cut(with_reader):
    assert ask(Index(with_reader), "burrs " * 20).cut
    assert not ask(Index(with_reader), "burrs").cut


def test_without_a_reader_the_best_sentences(plain):
    result = ask(Index(plain), "How often should I brush them?")
    assert not result.reader
    assert result.as_json()["reader"] is False
    assert "Brush them once a week." in [answer.text for answer in result.answers]
    for answer in result.answers:
        if answer.passage.document == "a.md":
            assert DOCUMENT[answer.start : answer.end] == answer.text


def test_an_index_without_a_reader_has_the_settings_it_always_had(plain, with_reader):
    assert "reader" not in json.loads((plain / "index.json").read_text())
    assert json.loads((with_reader / "index.json").read_text())["reader"]
    assert not (plain / READER).exists()


def test_another_reader_is_refused(with_reader, tmp_path):
    folder = shutil.copytree(with_reader, tmp_path / "index")
    settings = json.loads((folder / READER / SETTINGS).read_text())
    (folder / READER / SETTINGS).write_text(json.dumps(settings | {"threshold": 0.25}))
    index = Index(folder)
    assert index.search("burrs").hits, "searching needs no reader"
    with pytest.raises(ArtefactError, match=r"built with reader \w{12}, but reader \w{12}"):
        ask(index, "burrs")


@pytest.mark.parametrize("name", [GRAPH, SETTINGS, MODEL_FILE])
def test_a_reader_with_a_file_missing(reader_folder, tmp_path, name):
    folder = shutil.copytree(reader_folder, tmp_path / "reader")
    (folder / name).unlink()
    with pytest.raises(ArtefactError):
        open_reader(folder)
    with pytest.raises(ArtefactError):
        reader_digest(folder)


def test_a_model_of_another_task_is_no_reader(reader_folder, tmp_path):
    folder = shutil.copytree(reader_folder, tmp_path / "reader")
    TaskSettings("similarity", 32).save(folder)
    with pytest.raises(ArtefactError, match="its task is similarity"):
        open_reader(folder)


def test_priors():
    scores = [5.0, 4.0, 1.0]
    priors = passage_priors(scores, 2.0)
    assert priors[0] == 0
    assert priors == pytest.approx([2 * (score - 5) / np.std(scores) for score in scores])
    assert passage_priors([100 * score for score in scores], 2.0) == pytest.approx(priors), "whatever the units"
    assert passage_priors([3.0, 3.0], 2.0) == [0.0, 0.0]
    assert passage_priors([], 2.0) == []


class Still:
    """An encoder for which all texts mean the same."""

    def encode_queries(self, queries):
        return np.ones((len(queries), 2), dtype=np.float32)

    encode_passages = encode_queries


def test_best_sentences_by_words():
    texts = [("", "One is red. Two is blue. Three is red."), ("", "Four is blue and heavy. Two is blue.")]
    found = best_sentences("Which is blue and heavy?", texts, [1.0, 1.0], Still(), 0.5, 3)
    said = [texts[one.passage][1][one.start : one.end] for one in found]
    assert said[0] == "Four is blue and heavy."
    assert said.count("Two is blue.") == 1
    assert best_sentences("x", [("", " ")], [1.0], Still(), 0.5, 3) == []


def test_a_better_passage_has_the_better_sentence():
    texts = [("", "It is blue."), ("", "That is blue.")]
    found = best_sentences("blue", texts, [3.0, 1.0], Still(), 0.5, 2)
    assert [one.passage for one in found] == [0, 1]


def test_meaning_is_not_asked_for_where_it_has_no_weight():
    found = best_sentences("blue", [("", "It is red. It is blue.")], [1.0], types.SimpleNamespace(), 0.0, 1)
    assert found[0].start == 11
