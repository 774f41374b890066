from itertools import pairwise

import numpy as np
import pytest

from bertpipe.text.token_store import TokenStore, TokenStoreWriter
from bertpipe.training.sentence_run import sentence_run

VOCAB = 300


def stored(folder, documents) -> TokenStore:
    """A store of documents, each a list of its sentences' lengths, the title's first."""
    writer = TokenStoreWriter(folder, VOCAB)
    for lengths in documents:
        writer.add([[7] * length for length in lengths])
    writer.close()
    return TokenStore(folder)


def runs(store, most, seed=0):
    rng = np.random.default_rng(seed)
    return [(position, sentence_run(store, position, most, rng)) for position in range(store.num_tokens)]


@pytest.mark.parametrize("most", [1, 2, 7, 30, 1000])
def test_runs_are_sentences_of_one_document_and_fit(store, most):
    ends = set(store.sentences.tolist())
    for position, bounds in runs(store, most):
        document = store.document_at(position)
        assert {store.document_at(bounds[0]), store.document_at(bounds[-1] - 1)} == {document}
        assert bounds[0] <= position < bounds[-1]
        assert all(stop > start for start, stop in pairwise(bounds))
        assert bounds[-1] - bounds[0] <= most
        # Whole sentences, unless it is one that is too long.
        assert set(bounds) <= ends or (len(bounds) == 2 and bounds[1] - bounds[0] == most)
        if set(bounds) <= ends:
            assert sorted(end for end in ends if bounds[0] <= end <= bounds[-1]) == bounds


def test_no_sentence_more_would_fit(store):
    first = store.sentences[store.documents[:-1]].tolist()
    last = store.sentences[store.documents[1:]].tolist()
    lengths = {start: stop - start for start, stop in pairwise(store.sentences.tolist())}
    before = {stop: stop - start for start, stop in pairwise(store.sentences.tolist())}
    for _, bounds in runs(store, 40):
        size = bounds[-1] - bounds[0]
        assert bounds[0] in first or size + before[bounds[0]] > 40
        assert bounds[-1] in last or size + lengths[bounds[-1]] > 40


def test_a_document_is_covered_evenly(tmp_path):
    store = stored(tmp_path, [[3, *[10] * 200]])
    seen = np.zeros(store.num_tokens)
    for _, bounds in runs(store, 100):
        seen[bounds[0] : bounds[-1]] += 1
    # Its title and its end have visits from one side only.
    assert seen.min() > 0.4 * seen.mean()
    assert seen.max() < 2 * seen.mean()


def test_all_of_a_long_sentence_is_seen(tmp_path):
    store = stored(tmp_path, [[0, 1003], [0, 5, 250, 5]])
    seen = np.zeros(store.num_tokens)
    for _, bounds in runs(store, 100):
        seen[bounds[0] : bounds[-1]] += 1
    # A piece of the long sentence leaves no room for the five tokens on its sides, nor they for it.
    assert seen[:1003].min() > 0.4 * seen[:1003].mean()
    assert seen.min() == 5


def test_empty_sentences_are_passed_over(tmp_path):
    store = stored(tmp_path, [[], [0], [0, 0, 4, 0, 0, 3, 0], [1], [0, 0]])
    assert [bounds for _, bounds in runs(store, 5)] == [[0, 4]] * 4 + [[4, 7]] * 3 + [[7, 8]]
    assert {tuple(bounds) for _, bounds in runs(store, 10)} == {(0, 4, 7), (7, 8)}
