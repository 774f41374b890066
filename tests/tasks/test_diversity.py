import pytest

from bertpipe.tasks.diversity import distinct


def test_by_hand():
    # 7 tokens; a b c; (a b) (b a) (b c), each counted once, and none from "a" of the first text to "b" of the second.
    texts = [["a", "b", "a"], ["b", "c"], ["a", "b"]]
    assert distinct(texts, 1) == pytest.approx(3 / 7)
    assert distinct(texts, 2) == pytest.approx(3 / 7)
    assert distinct(texts, 3) == pytest.approx(1 / 7)


def test_one_reply_for_everything_is_dull():
    dull, varied = [["i", "do", "not", "know"]] * 50, [[f"w{place}", f"v{place}"] for place in range(50)]
    assert distinct(dull, 2) == pytest.approx(3 / 200)
    assert distinct(varied, 1) == 1
    assert distinct(varied, 2) == 0.5


def test_nothing():
    assert distinct([], 1) == distinct([[]], 2) == distinct([["a"]], 2) == 0
    with pytest.raises(ValueError, match="n-grams of 0"):
        distinct([["a"]], 0)
