import numpy as np
import pytest

from bertpipe.models.passage_reader import PassageReader
from bertpipe.models.task_settings import QUESTION_ANSWERING, TaskSettings
from bertpipe.stages.understanding.search_tuning import USUAL, tune_for_search
from bertpipe.text.special_ids import OURS

THINGS = [f"thing{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(60)]
CONTEXTS = [f"the {thing} is {thing}gold here" for thing in THINGS]
QUESTIONS = [(f"what is the {thing}", [f"{thing}gold"]) for thing in THINGS[:30]]


class Words:
    special, pad_id = OURS, OURS.pad

    def __init__(self):
        self.words = [""] * 10

    def encode(self, text):
        return self.encode_with_offsets(text)[0]

    def encode_with_offsets(self, text):
        ids, places, place = [], [], 0
        for word in text.split():
            if word not in self.words:
                self.words.append(word)
            start = text.index(word, place)
            place = start + len(word)
            ids.append(self.words.index(word))
            places.append((start, place))
        return ids, places


def reader(likes):
    words = Words()

    def run(input_ids, attention_mask, token_type_ids):
        scores = [
            [
                likes(words.words[piece], kind, row) if piece >= 10 else 0.0
                for piece, kind in zip(ids, kinds, strict=True)
            ]
            for row, (ids, kinds) in enumerate(zip(input_ids, token_type_ids, strict=True))
        ]
        return np.array(scores, dtype=np.float32)[..., None].repeat(2, axis=-1)

    settings = TaskSettings(QUESTION_ANSWERING, 32, stride=4, question_tokens=8, answer_tokens=1)
    return PassageReader(words, settings, run)


def same(answer, golds):
    return float(answer in golds)


def tune(likes, folder, questions=QUESTIONS, contexts=CONTEXTS):
    return tune_for_search(questions, contexts, reader(likes), same, folder, lambda count: None)


def test_a_reader_that_takes_every_gold_for_the_answer_needs_the_search(tmp_path):
    """It cannot tell passages apart, but the words of the question can."""
    found = tune(lambda word, kind, row: 4.0 if kind and word.endswith("gold") else -4.0, tmp_path / "words")
    assert found.weight > 0
    # Asked of the right passages it is right, asked of the others it has to keep silent.
    assert found.curve.best.f1 > 90
    assert found.curve.best.coverage == pytest.approx(0.5, abs=0.1)
    assert found.curve.best.threshold > 0


def test_a_reader_that_finds_nothing_stays_silent(tmp_path):
    found = tune(lambda word, kind, row: -9.0, tmp_path / "words")
    assert found.curve.best.f1 == pytest.approx(50)
    assert found.curve.best.coverage == 0


@pytest.mark.parametrize(("questions", "contexts"), [(QUESTIONS[:19], CONTEXTS), (QUESTIONS, CONTEXTS[:13])])
def test_too_little_to_measure_with(tmp_path, questions, contexts):
    found = tune(lambda word, kind, row: 0.0, tmp_path / "words", questions, contexts)
    assert (found.weight, found.curve) == (USUAL, None)
