from itertools import pairwise

import numpy as np
import pytest

from bertpipe.retrieval.trec_run import falling_scores, one_word, run_lines


def test_lines():
    lines = list(run_lines("q 1", [("a b.md", 2.5), ("文#3", 1.25)], "my run"))
    assert lines == ["q%201 Q0 a%20b.md 1 2.5 my%20run", "q%201 Q0 文#3 2 1.25 my%20run"]


def test_scores_fall_strictly_even_as_trec_eval_keeps_them():
    scores = [1.0, 1.0, 1.0 - 1e-12, 0.5, 0.5, 0.0, 0.0, -1.0]
    falling = falling_scores(scores)
    assert all(a > b for a, b in pairwise(falling))
    np.testing.assert_allclose(falling, scores, atol=1e-6)
    assert [float(np.float32(float(str(score)))) for score in falling] == [float(score) for score in falling]


@pytest.mark.parametrize(
    ("name", "word"),
    [("", "%"), ("a%20b", "a%20b"), ("a\tb%", "a%09b%25"), ("x\x1b", "x%1B"), ("d/e.md#1", "d/e.md#1")],
)
def test_names_without_white_space(name, word):
    assert one_word(name) == word
