"""Predictors of random weights; `tests/stages/understanding` has those that have learned something."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bertpipe.errors import ConfigError, InputError
from bertpipe.models.answer_reader import AnswerReader
from bertpipe.models.answerer import answerer
from bertpipe.models.bert import Bert
from bertpipe.models.checkpoint import save_model
from bertpipe.models.config import BertConfig
from bertpipe.models.encoder import TextEncoder
from bertpipe.models.predictor import Predictor
from bertpipe.models.task_settings import CLASSIFICATION, QUESTION_ANSWERING, SIMILARITY, TAGGING, TaskSettings
from bertpipe.models.text_classifier import TextClassifier
from bertpipe.models.token_tagger import TokenTagger
from bertpipe.tasks.tagging_scheme import TaggingScheme
from bertpipe.text.tokenizer import Tokenizer, train_tokenizer
from bertpipe.text.words import units_of

DATA = Path(__file__).parents[2] / "data"
TEXTS = ["The grinder hums, and Ann waits.", "a", "磨豆机怎么清洗？我不知道。", "word " * 70, "🦔"]
TAGS = ("O", "B-X", "I-X", "E-X", "S-X")


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    files = sorted(DATA.glob("sample_*/*"))
    train_tokenizer((line for file in files for line in file.read_text("utf-8").splitlines()), path, 1500)
    return path


@pytest.fixture(scope="module")
def make(tmp_path_factory, tokenizer_file):
    def made(model_of, settings):
        folder = tmp_path_factory.mktemp(settings.task)
        torch.manual_seed(0)
        config = BertConfig(
            Tokenizer(tokenizer_file).vocab_size, width=32, layers=2, heads=2, inner=64, max_length=64, dropout=0.3
        )
        model = model_of(Bert(config))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(std=0.3)
        save_model(model, folder)
        settings.save(folder)
        (folder / "tokenizer.model").write_bytes(tokenizer_file.read_bytes())
        return Predictor(folder, device="cpu")

    return made


@pytest.fixture(scope="module")
def classifier(make):
    return make(
        lambda bert: TextClassifier(bert, 3), TaskSettings(CLASSIFICATION, 32, ("a", "b", "c"), temperature=2.0)
    )


@pytest.fixture(scope="module")
def tagger(make):
    return make(lambda bert: TokenTagger(bert, 5), TaskSettings(TAGGING, 16, TAGS, scheme="bioes", stride=4))


def test_texts_are_answered_in_order_as_if_alone(classifier):
    many = list(classifier.predict(TEXTS * 60))
    assert [one.text for one in many] == TEXTS * 60
    for text, found in zip(TEXTS, many, strict=False):
        (alone,) = classifier.predict([text])
        assert alone.labels == found.labels
        for one, other in zip(alone.probabilities, found.probabilities, strict=True):
            assert one.probability == pytest.approx(other.probability, abs=1e-5)
    assert [one.cut for one in many[:5]] == [False, False, False, True, many[4].cut]


def test_probabilities_are_of_the_cooled_logits(classifier):
    ids = classifier.tokenizer.encode(TEXTS[0])
    special = classifier.tokenizer.special
    with torch.inference_mode():
        row = torch.tensor([[special.cls, *ids, special.sep]])
        logits = classifier.model(row, torch.ones_like(row), torch.zeros_like(row))[0]
    wanted = (logits / 2.0).softmax(-1)
    (found,) = classifier.predict([TEXTS[0]])
    by_label = {one.label: one.probability for one in found.probabilities}
    assert [by_label[label] for label in "abc"] == pytest.approx(wanted.tolist(), abs=1e-5)


def test_tags_are_legal_and_spans_lie_in_the_text(tagger):
    scheme = TaggingScheme("bioes", TAGS)
    found = list(tagger.predict(TEXTS))
    assert sum(len(one.entities) for one in found) > 5
    for text, one in zip(TEXTS, found, strict=True):
        assert one.text == text
        end = 0
        for entity in one.entities:
            assert end <= entity.start < entity.end <= len(text)
            assert text[entity.start : entity.end] == entity.text
            assert entity.text == entity.text.strip()
            end = entity.end
    sentence = units_of(["one", "two", "three"] * 9, tagger.tokenizer)
    (log_probabilities,) = tagger.unit_log_probabilities([sentence])
    assert log_probabilities.shape == (len(sentence), 5)
    assert np.allclose(np.exp(log_probabilities).sum(1), 1)
    assert scheme.is_legal([TAGS[tag] for tag in scheme.decode(log_probabilities)])


def test_similarity_is_symmetric_and_within_its_scale(make):
    settings = TaskSettings(SIMILARITY, 32, paired=True, slope=4.0, intercept=0.5, lowest=0.0, highest=4.0)
    encoder = make(TextEncoder, settings)
    (one,), (other,) = (list(encoder.predict([TEXTS[a]], [TEXTS[b]])) for a, b in ((0, 2), (2, 0)))
    assert one.cosine == pytest.approx(other.cosine, abs=1e-6)
    assert one.score == pytest.approx(min(4.0, max(0.0, 4 * one.cosine + 0.5)))
    (same,) = encoder.predict(["a"], ["a"])
    assert same.score == 4.0
    with pytest.raises(ConfigError, match="pairs of texts"):
        list(encoder.predict(["a"]))


def test_answers_are_those_of_the_reader_that_are_good_enough(make):
    settings = TaskSettings(QUESTION_ANSWERING, 48, stride=8, question_tokens=16, answer_tokens=8, threshold=0.0)
    predictor = make(AnswerReader, settings)
    questions, texts = ["Who waits?", "怎么清洗？"], [TEXTS[0] * 4, TEXTS[2] * 4]
    found = list(predictor.predict(questions, texts))
    reader = answerer(predictor.model, predictor.tokenizer, settings, "cpu")
    readings = reader.read_pairs(list(zip(questions, texts, strict=True)), k=3)
    for one, text, reading in zip(found, texts, readings, strict=True):
        assert one.answers == tuple(reading.answers)
        assert len(one.answers) == 3
        for answer in one.answers:
            assert text[answer.start : answer.end] == answer.text
    hopeful = make(AnswerReader, replace(settings, threshold=1.1))
    assert [one.answers for one in hopeful.predict(questions, texts)] == [(), ()]
    with pytest.raises(ConfigError, match="pairs of texts"):
        list(predictor.predict(questions))


def test_nothing_and_too_little(classifier):
    assert list(classifier.predict([])) == []
    with pytest.raises(InputError, match="a text is empty"):
        list(classifier.predict(["a", " "]))
    with pytest.raises(ConfigError, match="single texts"):
        list(classifier.predict(["a"], ["b"]))
