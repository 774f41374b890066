import json
import shutil

import pytest

from bertpipe.errors import ArtefactError
from bertpipe.pipeline.artefact import Artefact


@pytest.fixture
def published(project):
    project.run(targets=["corpus"])
    return project.runs / "corpus"


def test_the_digest_is_about_content_alone(project, published, tmp_path):
    digest = Artefact.open(published).digest
    moved = tmp_path / "moved"
    shutil.copytree(published, moved)
    assert Artefact.open(moved, verify=True).digest == digest
    project.run(targets=["corpus"], force=["corpus"])
    assert Artefact.open(published).digest == digest
    project.words("red green glue")
    project.run(targets=["corpus"])
    assert Artefact.open(published).digest != digest


def test_missing(published, tmp_path):
    with pytest.raises(ArtefactError, match="does not exist"):
        Artefact.open(tmp_path / "nowhere")
    with pytest.raises(ArtefactError, match="has no manifest"):
        Artefact.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "has format 2 .this bertpipe reads format 1"),
        ({"format": "1"}, "is damaged"),
        ({"stage": None, "surprise": 1}, "is damaged"),
        ({"outputs": []}, "outputs is not a table"),
        ({"outputs": {"../../words.txt": {"bytes": 3, "sha256": ""}}}, "lies outside the folder"),
        ({"outputs": {"/words.txt": {"bytes": 3, "sha256": ""}}}, "lies outside the folder"),
        ({"outputs": {"words.txt": {"bytes": "3"}}}, "has no size"),
        ({"seconds": "long"}, "wrong type"),
    ],
)
def test_a_manifest_that_cannot_be_trusted(published, change, words):
    path = published / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtefactError, match=words) as caught:
        Artefact.open(published)
    assert "\n" not in str(caught.value)


def test_sizes_are_always_checked_and_content_on_demand(published):
    file = published / "words.txt"
    file.write_text("RED green blue")
    Artefact.open(published)
    with pytest.raises(ArtefactError, match="its content is not what was published"):
        Artefact.open(published, verify=True)
    file.write_text("red")
    with pytest.raises(ArtefactError, match=r"words.txt is damaged: 3 bytes, 14 expected"):
        Artefact.open(published)
