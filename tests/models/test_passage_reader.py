import numpy as np
import pytest

from bertpipe.models.passage_reader import PassageReader
from bertpipe.models.task_settings import QUESTION_ANSWERING, TaskSettings
from bertpipe.text.special_ids import OURS


class Words:
    """A tokenizer whose pieces are words: enough to read with."""

    special, pad_id = OURS, OURS.pad

    def __init__(self):
        self.ids = {}

    def id_of(self, word):
        return self.ids.setdefault(word.strip("?.,").casefold(), 10 + len(self.ids))

    def encode(self, text):
        return self.encode_with_offsets(text)[0]

    def encode_batch(self, texts):
        return [self.encode(text) for text in texts]

    def encode_with_offsets(self, text):
        ids, places, place = [], [], 0
        for word in text.split():
            start = text.index(word, place)
            place = start + len(word)
            ids.append(self.id_of(word))
            places.append((start, place))
        return ids, places


@pytest.fixture
def make_reader():
    """Makes a reader that takes the word "gold" for the answer, and counts what it reads."""

    def made(batch_tokens=4096, **changes):
        words = Words()
        gold = words.id_of("gold")
        batches = []

        def run(input_ids, attention_mask, token_type_ids):
            assert ((input_ids == OURS.pad) == (attention_mask == 0)).all()
            batches.append(input_ids)
            found = (input_ids == gold) & (token_type_ids == 1)
            return np.where(found[..., None], 6.0, 0.0).astype(np.float32).repeat(2, axis=-1)

        values = {"max_tokens": 24, "stride": 4, "question_tokens": 6, "answer_tokens": 3} | changes
        reader = PassageReader(words, TaskSettings(QUESTION_ANSWERING, **values), run, batch_tokens)
        reader.batches = batches
        return reader

    return made


LONG = "word " * 200


def test_the_answer_is_found_wherever_it_stands_in_a_long_text(make_reader):
    reader = make_reader()
    for place in range(0, 200, 7):
        text = "word " * place + "gold " + "word " * (200 - place)
        answer = reader.read("where is it?", [text]).answers[0]
        assert (answer.text, answer.start) == ("gold", 5 * place)
        assert text[answer.start : answer.end] == "gold"
    assert all(batch.shape[1] <= 24 for batch in reader.batches)


def test_batches_keep_to_their_size_and_change_no_answer(make_reader):
    texts = ["word " * count + "gold " + "word " * (3 * count) for count in (1, 4, 0, 3, 2)]
    large, small = make_reader(), make_reader(batch_tokens=40)
    assert small.read("where is it?", texts) == large.read("where is it?", texts)
    assert len(large.batches) == 1
    assert len(small.batches) > 2
    assert all(batch.size <= 40 for batch in small.batches)


def test_every_window_is_read_and_batches_are_small(make_reader):
    reader = make_reader(max_tokens=128, stride=0)
    reader.read("where is it?", [LONG * 40])
    read = sum(len(batch) for batch in reader.batches)
    assert read == -(-8000 // (128 - 3 - 3))
    assert all(batch.size <= 4096 for batch in reader.batches)


def test_the_passage_that_holds_the_answer(make_reader):
    reading = make_reader().read("where is it?", ["nothing here", LONG, "some gold there"])
    assert (reading.answers[0].passage, reading.answers[0].text) == (2, "gold")
    assert not reading.cut


def test_a_long_question_is_cut_and_it_is_told(make_reader):
    reading = make_reader().read("is it in the box or in the bag?", ["gold"])
    assert reading.cut
    assert reading.answers[0].text == "gold"


def test_pairs_are_answered_in_their_order(make_reader):
    pairs = [("a?", f"{'word ' * (17 * n % 31)}gold number{n}") for n in range(20)]
    reader = make_reader()
    for (_, text), reading in zip(pairs, reader.read_pairs(pairs), strict=True):
        assert reading.answers[0].start == text.index("gold")
        alone = make_reader().read("a?", [text])
        assert reading.answers[0].score == pytest.approx(alone.answers[0].score)
    assert len(reader.batches) < 20


def test_texts_without_anything_to_read(make_reader):
    reader = make_reader()
    assert [reading.answers for reading in reader.read_pairs([("a?", ""), ("", "")])] == [[], []]
    assert list(reader.read_pairs([])) == []
    assert reader.read("a?", []).answers == []


def test_only_what_is_over_the_threshold_is_good_enough(make_reader):
    reader = make_reader(threshold=0.6)
    assert reader.good_enough(reader.read("a?", ["gold"]).answers[0])
    assert not reader.good_enough(reader.read("a?", ["word"]).answers[0])
