import numpy as np
import pytest

from bertpipe.models.task_settings import QUESTION_ANSWERING, TaskSettings
from bertpipe.tasks.reading import PassageReader
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

    def made(**changes):
        words = Words()
        gold = words.id_of("gold")
        batches = []

        def run(input_ids, attention_mask, token_type_ids):
            assert ((input_ids == OURS.pad) == (attention_mask == 0)).all()
            batches.append(input_ids)
            found = (input_ids == gold) & (token_type_ids == 1)
            return np.where(found[..., None], 6.0, 0.0).astype(np.float32).repeat(2, axis=-1)

        values = {"max_tokens": 24, "stride": 4, "question_tokens": 6, "answer_tokens": 3} | changes
        reader = PassageReader(words, TaskSettings(QUESTION_ANSWERING, **values), run)
        reader.batches = batches
        return reader

    return made
