import pytest

from bertpipe.errors import InputError
from bertpipe.text.readers.scored_pairs import ScoredPair, ScoredPairReader

NUMBERED = {"text_field": "1", "pair_field": "2", "score_field": "3"}
NAMED = {"text_field": "a", "pair_field": "b", "score_field": "score"}


def error(path, **options) -> str:
    with pytest.raises(InputError) as caught:
        list(ScoredPairReader(path, **options))
    assert "--skip-bad" not in str(caught.value)
    return str(caught.value)


def test_a_table_without_names(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('"A plane, taking off.",飞机起飞。,5.0\nx,y,-1e1\n', encoding="utf-8")
    reader = ScoredPairReader(path, **NUMBERED)
    assert list(reader) == [
        ScoredPair("a.csv#1", "A plane, taking off.", "飞机起飞。", 5.0, path, 1),
        ScoredPair("a.csv#2", "x", "y", -10.0, path, 2),
    ]
    assert reader.report.documents == 2


def test_json_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": "x", "b": "y", "score": 3}\n{"a": "x", "b": "z", "score": "0.25"}\n')
    assert [pair.score for pair in ScoredPairReader(path, **NAMED)] == [3.0, 0.25]


@pytest.mark.parametrize("score", ["nan", "NaN", "inf", "-Infinity", "1e999", "", " ", "3,5", "1_0", "high"])
def test_a_score_is_a_finite_number(tmp_path, score):
    path = tmp_path / "a.tsv"
    path.write_text(f"a\tb\tscore\nx\ty\t1\nx\ty\t{score}\n")
    message = error(path, **NAMED)
    assert message.startswith(f"{path}:3: the score in the field 'score' is no finite number (it is ")
    assert message.endswith("choose another field with score_field.")


@pytest.mark.parametrize("score", ["null", "true", "[1]", "{}", '"nan"', f"1{'0' * 400}"])
def test_a_score_of_json_is_a_finite_number(tmp_path, score):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"a": "x", "b": "y", "score": {score}}}\n')
    assert "is no finite number" in error(path, **NAMED)
    path.write_text('{"a": "x", "b": "y", "score": NaN}\n')
    assert f"{path}:1: broken JSON (NaN is not a JSON number)" in error(path, **NAMED)


def test_missing_fields_and_empty_texts(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": "x", "b": "y", "scores": 1}\n')
    assert 'Set score_field = "scores"' in error(path, **NAMED)
    path.write_text('{"a": "x", "b": "", "score": 1}\n{"a": "x", "b": "y", "score": 1}\n')
    reader = ScoredPairReader(path, **NAMED)
    assert [pair.id for pair in reader] == ["a.jsonl#2"]
    assert reader.report.skipped == 1
    assert error(path, **NAMED, strict=True).startswith(f"{path}:1: the field 'b' is empty")
