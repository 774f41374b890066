from __future__ import annotations

import pytest

from bertpipe.errors import ConfigError, InputError
from bertpipe.pipeline.pipeline import load_pipeline
from bertpipe.pipeline.stage import StageRun
from bertpipe.stages import STAGES
from bertpipe.stages.corpus import DOCUMENTS, CorpusConfig, corpus_source, read_corpus
from bertpipe.text.document import read_documents


@pytest.fixture
def load(tmp_path):
    """The corpus's config from the lines of a table."""

    def write(*lines: str) -> CorpusConfig:
        path = tmp_path / "bertpipe.toml"
        path.write_text("\n".join(["[corpus]", *lines]), encoding="utf-8")
        return load_pipeline(path, STAGES).configs["corpus"]

    return write


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ['target_path = "x.de"'],
            'bertpipe.toml:2: [corpus] target_path = "x.de" is not usable (it is for the reader',
        ),
        (['reader = "dialogue"', 'target_path = "x"'], 'bertpipe.toml:3: [corpus] target_path = "x" is not usable'),
        (["history = 3"], 'it is for the reader dialogue, and reader is "folder"'),
        (['reader = "parallel"', 'target_path = "x"', 'turn_separator = "|"'], 'reader is "parallel"'),
        (['reader = "parallel"', 'target_path = "x"', 'text_field = "a"'], "reader folder or dialogue"),
        (['reader = "dialogue"', 'title_field = "a"'], "it is for the reader folder"),
        (['reader = "python-docs"', 'id_field = "a"'], "it is for the reader folder"),
        (['reader = "parallel"', 'path = "x.en"'], "the reader parallel needs target_path"),
        (['reader = "dialogue"', "history = 0"], "greater than or equal to 1"),
        (['reader = "dialogue"', 'turn_separator = ""'], "at least 1 character"),
    ],
)
def test_a_key_for_another_reader_is_refused(load, lines, words):
    with pytest.raises(ConfigError) as caught:
        load(*lines)
    assert words in str(caught.value)


def test_each_reader_takes_its_keys(load):
    assert load('reader = "parallel"', 'path = "a"', 'target_path = "b"').target_path == "b"
    assert load('reader = "dialogue"', 'text_field = "t"', 'turn_separator = "|"', "history = 2").history == 2
    assert load('text_field = "t"', 'title_field = "u"', 'id_field = "i"').id_field == "i"


@pytest.fixture
def parallel(tmp_path):
    (tmp_path / "x.en").write_text("a\nb\n")
    (tmp_path / "x.de").write_text("1\n2\n")
    return CorpusConfig(reader="parallel", path="x.en", target_path="x.de")


@pytest.mark.parametrize("name", ["x.en", "x.de"])
def test_the_digest_covers_both_files(parallel, tmp_path, name):
    before = corpus_source(parallel, tmp_path)
    assert corpus_source(parallel, tmp_path) == before
    (tmp_path / name).write_text("a\nB\n")
    assert corpus_source(parallel, tmp_path) != before


def test_the_digest_knows_which_side_is_which(parallel, tmp_path):
    turned = CorpusConfig(reader="parallel", path="x.de", target_path="x.en")
    assert corpus_source(turned, tmp_path) != corpus_source(parallel, tmp_path)


def test_a_missing_file_has_no_digest(parallel, tmp_path):
    (tmp_path / "x.de").unlink()
    with pytest.raises(InputError, match=r"x\.de: there is no such file"):
        corpus_source(parallel, tmp_path)


def run(config, base, out):
    out.mkdir()
    metrics = read_corpus(StageRun(config, {}, out, base))
    return metrics, list(read_documents(out / DOCUMENTS))


def test_the_stage_reads_pairs(parallel, tmp_path):
    metrics, documents = run(parallel, tmp_path, tmp_path / "out")
    assert metrics == {"documents": 2, "characters": 2, "skipped": 0}
    assert [(document.text, document.title) for document in documents] == [("a", "1"), ("b", "2")]


def test_the_stage_reads_dialogues_and_keeps_their_groups(tmp_path):
    (tmp_path / "d.txt").write_text("a|b|c\nalone\n")
    config = CorpusConfig(reader="dialogue", path="d.txt", turn_separator="|", history=1, skip_bad=True)
    metrics, documents = run(config, tmp_path, tmp_path / "out")
    assert metrics == {"documents": 2, "characters": 6, "skipped": 1}
    assert [(document.id, document.text, document.title) for document in documents] == [
        ("d.txt#1.2", "— a", "b"),
        ("d.txt#1.3", "— b", "c"),
    ]
    assert {document.group for document in documents} == {"d.txt#1"}
