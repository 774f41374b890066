import json

import pytest

from bertpipe.errors import ArtefactError
from bertpipe.models.task_settings import CLASSIFICATION, SETTINGS, SIMILARITY, TAGGING, TaskSettings

WHOLE = TaskSettings(TAGGING, 128, ("O", "B-人名", "I-人名"), scheme="iob2", stride=32, temperature=1.5)


def test_what_was_saved_is_loaded(tmp_path):
    WHOLE.save(tmp_path)
    assert TaskSettings.load(tmp_path) == WHOLE
    assert "人名" in (tmp_path / SETTINGS).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "guessing"}, "there is no task 'guessing'"),
        ({"labels": ["O", "O"]}, "a label is there twice"),
        ({"labels": [1]}, "labels"),
        ({"labels": "ab"}, "labels = 'ab'"),
        ({"labels": []}, "no label for tagging"),
        ({"temperature": 0}, "temperature = 0"),
        ({"temperature": float("nan")}, "temperature = nan"),
        ({"stride": 128}, "stride = 128"),
        ({"max_tokens": "128"}, "max_tokens = '128'"),
        ({"max_tokens": True}, "max_tokens = True"),
        ({"multi_label": 1}, "multi_label = 1"),
        ({"threshold": False}, "threshold = False"),
        ({"lowest": 5.0}, "5.0 to 1.0"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_damaged_files(tmp_path, change, words):
    WHOLE.save(tmp_path)
    path = tmp_path / SETTINGS
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtefactError, match=r"task\.json cannot be read") as caught:
        TaskSettings.load(tmp_path)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "{}"])
def test_no_settings_at_all(tmp_path, text):
    (tmp_path / SETTINGS).write_text(text)
    with pytest.raises(ArtefactError, match="cannot be read"):
        TaskSettings.load(tmp_path)


def test_a_missing_file(tmp_path):
    with pytest.raises(ArtefactError, match="cannot be read"):
        TaskSettings.load(tmp_path)


def test_settings_that_need_no_labels():
    assert TaskSettings(SIMILARITY, 64).labels == ()
    with pytest.raises(ArtefactError, match="no label"):
        TaskSettings(CLASSIFICATION, 64)
