import dataclasses

import pytest

from bertpipe.retrieval.passage import Passage


def passage(**changes):
    return dataclasses.replace(Passage(0, "a#0", "a", "title", "text", 0, 4, {"k": 1}), **changes)


def test_the_digest_is_that_of_title_and_text():
    assert passage().digest == passage(number=5, passage_id="b#9", document="b", start=7, end=11, metadata={}).digest
    assert passage().digest != passage(title="other").digest
    assert passage().digest != passage(text="other").digest
    assert passage(title="ab", text="c").digest != passage(title="a", text="bc").digest
    assert len(passage().digest) == 64


def test_any_string_has_a_digest():
    assert passage(text="\ud800").digest != passage(text="?").digest


def test_a_passage_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        passage().text = "other"
