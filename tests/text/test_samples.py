"""The samples in data/ are what data/README.md says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertpipe.text.readers.folder import FolderReader
from bertpipe.text.readers.inspection import inspect_source
from bertpipe.text.sentences import split_sentences

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize(("folder", "low", "high"), [("sample_en", 1000, 1600), ("sample_zh", 300, 450)])
def test_sample_folders(folder, low, high):
    documents = list(FolderReader(DATA / folder))
    assert len(documents) == 12
    for document in documents:
        assert document.title not in ("", "text")
        assert not document.text.startswith(document.title)
        assert low * 0.9 < len(document.text) < high
        assert 8 <= len(split_sentences(document.text)) <= 40


def test_faq():
    documents = list(FolderReader(DATA / "faq.jsonl"))
    assert len(documents) == 30
    assert [document.metadata["lang"] for document in documents] == ["en"] * 15 + ["zh"] * 15
    assert all(document.title and document.text for document in documents)
    seen = inspect_source(DATA / "faq.jsonl")
    assert (seen.text_field, seen.title_field, seen.id_field) == ("text", "title", "id")


def test_pairs():
    pairs = list(FolderReader(DATA / "pairs.tsv", text_field="passage", title_field="query"))
    assert len(pairs) == 30
    assert all(pair.title and pair.text for pair in pairs)


def test_sentence_pairs():
    pairs = list(FolderReader(DATA / "sample_pairs_en_zh.tsv", text_field="english", title_field="chinese"))
    assert len({pair.text for pair in pairs}) == len(pairs) == 300
    for pair in pairs:
        assert pair.text.isascii()
        assert pair.text[0].isupper()
        assert (pair.text[-1], pair.title[-1]) in ((".", "。"), ("?", "？"))
        assert all(ord(character) > 127 for character in pair.title)
    assert 20 <= sum(pair.held_out for pair in pairs) <= 45
