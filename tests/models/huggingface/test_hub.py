import sys
import types

import pytest

from bertpipe.errors import InputError
from bertpipe.models.huggingface.hub import fetch


def fake_hub(monkeypatch, answer):
    """A huggingface_hub that answers with a path or an error, and keeps what it was asked."""
    asked = {}

    def snapshot_download(name, **keywords):
        asked.update(name=name, **keywords)
        if isinstance(answer, type):
            raise hub.errors.__dict__[answer.__name__]("no")
        return answer

    hub = types.ModuleType("huggingface_hub")
    hub.snapshot_download = snapshot_download
    hub.errors = types.ModuleType("huggingface_hub.errors")
    base = type("HfHubHTTPError", (OSError,), {})
    for name, parent in (
        ("HFValidationError", ValueError),
        ("HfHubHTTPError", OSError),
        ("RepositoryNotFoundError", base),
        ("LocalEntryNotFoundError", FileNotFoundError),
        ("OfflineModeIsEnabled", ConnectionError),
    ):
        setattr(hub.errors, name, type(name, (parent,), {}))
    hub.errors.GatedRepoError = type("GatedRepoError", (hub.errors.RepositoryNotFoundError,), {})
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", hub.errors)
    return asked


def test_only_files_of_a_model_are_asked_for(monkeypatch, tmp_path):
    asked = fake_hub(monkeypatch, str(tmp_path))
    assert fetch("team/model") == tmp_path
    assert asked["name"] == "team/model"
    assert set(asked["allow_patterns"]) == {"*.json", "*.txt", "*.safetensors", "*.model"}


@pytest.mark.parametrize("name", ["./here", "/nowhere", "a/b/c", "..", "~/x", "-x", "a b", ""])
def test_a_path_is_never_taken_for_a_name(monkeypatch, name):
    asked = fake_hub(monkeypatch, "")
    with pytest.raises(InputError, match="there is no such folder"):
        fetch(name)
    assert not asked


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"team/model is no folder here .*huggingface_hub.*pip install"):
        fetch("team/model")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("HFValidationError", "there is no such folder"),
        ("GatedRepoError", "gated"),
        ("RepositoryNotFoundError", "has none of this name"),
        ("LocalEntryNotFoundError", "cannot be reached"),
        ("OfflineModeIsEnabled", "cannot be reached"),
        ("HfHubHTTPError", "cannot be reached"),
    ],
)
def test_errors_of_the_hub(monkeypatch, kind, words):
    fake_hub(monkeypatch, type(kind, (), {}))
    with pytest.raises(InputError, match=words):
        fetch("team/model")


@pytest.mark.peer
def test_the_real_package_offline(monkeypatch):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="cannot be reached"):
        fetch("bertpipe-tests/there-is-no-such-model")
