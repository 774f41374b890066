"""Counts of terms in given passages, against counting them."""

from __future__ import annotations

import numpy as np
import pytest

from bertpipe.retrieval import forward_index
from bertpipe.retrieval.forward_index import ForwardIndex, ForwardWriter

PASSAGES = {0: ["split", "a", "string", "split"], 1: [], 4: ["字", "a"], 5: ["\ud800", "a", "a"]}


def written(folder, passages):
    folder.mkdir()
    with ForwardWriter(folder) as writer:
        for number, terms in passages.items():
            writer.add(number, terms)
        writer.finish()
    return ForwardIndex(folder)


def counted(passages, terms, numbers):
    rows = [[passages.get(number, []).count(term) for term in terms] for number in numbers]
    return rows, [len(passages.get(number, [])) for number in numbers]


@pytest.mark.parametrize("terms", [["split"], ["a", "never", "split", "字", "\ud800"], ["never"], []])
def test_counts_terms_of_passages_in_any_order(tmp_path, terms):
    """Passages twice, without terms, passed over, past the end and below zero."""
    numbers = [5, 0, 3, 1, 4, 0, 99, -1, 2]
    counts, lengths = written(tmp_path / "forward", PASSAGES).counts(terms, np.array(numbers))
    rows, sizes = counted(PASSAGES, terms, numbers)
    assert counts.shape == (len(numbers), len(terms))
    assert counts.tolist() == rows
    assert lengths.tolist() == sizes


def test_counts_what_many_passages_hold(tmp_path):
    random = np.random.default_rng(5)
    passages = {
        number: [f"w{word}" for word in random.zipf(1.3, random.integers(0, 60)).clip(max=500)] for number in range(300)
    }
    index = written(tmp_path / "forward", passages)
    numbers = random.permutation(300)[:120].tolist()
    terms = [f"w{word}" for word in range(0, 600, 7)]
    counts, lengths = index.counts(terms, np.array(numbers))
    assert (counts.tolist(), lengths.tolist()) == counted(passages, terms, numbers)
    assert index.total_terms == sum(map(len, passages.values()))


@pytest.mark.parametrize("span", [1, 2, 5, 24, 1000])
def test_what_stands_together(tmp_path, monkeypatch, span):
    """Against trying every stretch; passages are read side by side, and no stretch goes from one into the next."""
    random = np.random.default_rng(span)
    passages = {
        number: [f"w{word}" for word in random.zipf(1.4, random.integers(0, 50)).clip(max=30)] for number in range(200)
    }
    index = written(tmp_path / "forward", passages)
    numbers = [*random.permutation(200)[:90].tolist(), 999, -1, 7, 7]
    terms = [f"w{word}" for word in (1, 3, 4, 9, 17, 29, 77)]
    weights = random.random(len(terms)).astype(np.float32)

    def worth(stretch):
        return sum(weight for term, weight in zip(terms, weights.tolist(), strict=True) if term in stretch)

    expected = []
    for number in numbers:
        own = passages.get(number, [])
        expected.append(max((worth(own[start : start + span]) for start in range(len(own))), default=0))
    np.testing.assert_allclose(index.most_together(terms, weights, np.array(numbers), span), expected, rtol=1e-12)
    monkeypatch.setattr(forward_index, "_AT_ONCE", 7)
    np.testing.assert_allclose(index.most_together(terms, weights, np.array(numbers), span), expected, rtol=1e-12)
    assert index.most_together(["never"], weights[:1], np.array([0, 1]), span).tolist() == [0, 0]
    assert index.most_together([], weights[:0], np.array([0, 1]), span).tolist() == [0, 0]
    assert index.most_together(terms, weights, np.empty(0, np.int64), span).shape == (0,)


def test_of_no_passages_and_without_passages(tmp_path):
    index = written(tmp_path / "forward", PASSAGES)
    assert index.counts(["a", "split"], np.empty(0, np.int64))[0].shape == (0, 2)
    empty = written(tmp_path / "empty", {})
    assert empty.total_terms == 0
    assert empty.counts(["a"], np.array([0, 1]))[0].tolist() == [[0], [0]]


def test_files_that_do_not_fit_each_other_are_refused(tmp_path):
    written(tmp_path / "forward", PASSAGES)
    terms = tmp_path / "forward" / "forward-terms.u4"
    terms.write_bytes(terms.read_bytes()[:-4])
    with pytest.raises(ValueError, match="do not fit"):
        ForwardIndex(tmp_path / "forward")
