"""What a search and a run do when files of an artefact are missing, cut off or of another run."""

import json

import pytest

from bertpipe.retrieval.encoder import GRAPH, SETTINGS, encoder_digest
from bertpipe.text.tokenizer import MODEL_FILE

ENCODER_FILES = (GRAPH, MODEL_FILE, SETTINGS)
VECTOR_FILES = ("vectors/vectors.npy", "vectors/structure.json")
INDEX_FILES = ["index.json", "passages.sqlite", *VECTOR_FILES, *(f"encoder/{name}" for name in ENCODER_FILES)]
PUBLISHED = [
    ("corpus", "documents.jsonl"),
    ("tokenize", "tokenizer.model"),
    ("tokenize", "train/sentences.npy"),
    ("embed", "vectors.npy"),
    ("embed", "passages.sqlite"),
    ("embed", "manifest.json"),
    ("index", "manifest.json"),
]


def cut(path, kept):
    """Leaves a share of a file; None removes it."""
    if kept is None:
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * kept)])


def test_a_damaged_index_is_named_and_mended(project):
    folder = project.runs / "index"
    lexical = sorted(path.relative_to(folder).as_posix() for path in folder.glob("lexical/*"))
    assert lexical
    before = project.digests()
    for name in [*INDEX_FILES, *lexical]:
        whole = (folder / name).read_bytes()
        for kept in (None, 0, 0.7):
            (folder / name).write_bytes(whole)
            cut(folder / name, kept)
            assert name.rpartition("/")[2] in project("search", "water").error, (name, kept)
        if name not in lexical[1:]:
            assert project.ran() == ["index"], name
        (folder / name).write_bytes(whole)
        assert project.digests() == before
        assert project.hits("water", "hybrid")


@pytest.mark.parametrize("kept", [None, 0, 0.7])
def test_damaged_artefacts_are_made_again(project, kept):
    before = project.digests()
    for step, name in PUBLISHED:
        cut(project.runs / step / name, kept)
        steps = project.run()
        assert [each for each, state in steps.items() if state["state"] == "ran"] == [step], name
        expected = "has no manifest" if (name, kept) == ("manifest.json", None) else name
        assert expected in " ".join(steps[step]["reasons"])
        assert project.digests() == before


def test_a_damaged_encoder_is_trained_again_to_the_same_bytes(project):
    before = project.digests()
    cut(project.runs / "finetune" / "encoder" / "encoder.onnx", 0.7)
    assert project.ran() == ["finetune"]
    assert project.digests() == before


def test_damage_that_keeps_the_size_is_found_by_status_verify(project):
    path = project.runs / "embed" / "vectors.npy"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert project.ran() == []
    assert "vectors.npy is damaged" in project("status", "--verify").out.replace("\n", " ")


def test_an_index_made_by_another_encoder_is_refused(project, built):
    """The encoder of another training run, copied into the index: its files may even have the same sizes."""
    folder = project.runs / "index" / "encoder"
    ours = encoder_digest(folder)
    content = bytearray((folder / "encoder.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "encoder.onnx").write_bytes(content)
    theirs = encoder_digest(folder)
    error = project("search", "water").error
    assert ours[:12] in error
    assert theirs[:12] in error
    assert "bertpipe index --force" in error
    assert project.ran("--force", "index") == ["index"]
    assert project.search("water")["hits"] == built.search("water")["hits"]


def test_an_index_of_another_format(project):
    path = project.runs / "index" / "manifest.json"
    table = json.loads(path.read_text())
    path.write_text(json.dumps(table | {"format": 99}))
    assert "has format 99" in project("search", "water").error
    assert project.ran() == ["index"]


def test_a_file_where_the_run_folder_should_be(fresh):
    (fresh.folder / "runs").write_text("mine")
    assert "stands where a folder" in fresh("run").error
    assert (fresh.folder / "runs").read_text() == "mine"
