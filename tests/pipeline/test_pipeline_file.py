import subprocess
import sys
from pathlib import Path

import pytest

from bertpipe.errors import ConfigError
from bertpipe.pipeline.pipeline_file import find_pipeline, read_pipeline


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("BERTPIPE_PIPELINE", raising=False)


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_order_of_looking(tmp_path, monkeypatch):
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    with pytest.raises(ConfigError, match="bertpipe init"):
        find_pipeline(start=here)
    quickstart = write(here / "pipelines" / "quickstart.toml")
    assert find_pipeline(start=here) == quickstart
    above = write(tmp_path / "bertpipe.toml")
    assert find_pipeline(start=here) == above
    nearer = write(here / "bertpipe.toml")
    assert find_pipeline(start=here) == nearer
    named = write(tmp_path / "named.toml")
    monkeypatch.setenv("BERTPIPE_PIPELINE", str(named))
    assert find_pipeline(start=here) == named
    assert find_pipeline("bertpipe.toml", start=here) == nearer
    assert find_pipeline(tmp_path) == above  # a folder stands for the file in it
    with pytest.raises(ConfigError, match="gone"):
        find_pipeline("gone.toml", start=here)
    monkeypatch.setenv("BERTPIPE_PIPELINE", "gone.toml")
    with pytest.raises(ConfigError, match=r"named by \$BERTPIPE_PIPELINE"):
        find_pipeline(start=here)


def test_names_and_places(tmp_path):
    file = read_pipeline(write(tmp_path / "notes" / "bertpipe.toml"))
    assert (file.name, file.run_folder) == ("notes", tmp_path / "notes" / "runs" / "notes")
    file = read_pipeline(write(tmp_path / "pipelines" / "small.toml", 'runs = "../runs"\n[corpus]\na = 1\n'))
    assert (file.name, file.run_folder) == ("small", tmp_path / "runs" / "small")
    assert file.tables == {"corpus": {"a": 1}}
    assert file.base == tmp_path / "pipelines"
    assert file.artefact("index") == tmp_path / "runs" / "small" / "index"
    (tmp_path / "runs" / "small" / ".old-index").mkdir(parents=True)
    assert file.artefact("index").name == ".old-index"  # between the two renames of publishing
    file = read_pipeline(write(tmp_path / "c.toml", '\ufeffname = "中文"\n'))
    assert file.name == "中文"


@pytest.mark.parametrize(
    "text", ["name = 3", 'name = ""', 'name = "a/b"', 'name = "..", runs = 3', "runs = 3", 'name = ".."']
)
def test_unusable_names(tmp_path, text):
    with pytest.raises(ConfigError, match=r"p\.toml"):
        read_pipeline(write(tmp_path / "p.toml", text))


def test_not_text(tmp_path):
    (tmp_path / "p.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        read_pipeline(tmp_path / "p.toml")


def test_lines(tmp_path):
    text = 'name = "x"\ncorpus.path = "a"\n\n[ tokenize ]  # here\n# lr = 1\nlr = 2\n"odd" = 1\n'
    text += "[index]\nlr = 3\n"
    file = read_pipeline(write(tmp_path / "p.toml", text))
    assert file.line_of("tokenize") == 4
    assert file.line_of("tokenize", "lr") == 6
    assert file.line_of("tokenize", "odd") == 7
    assert file.line_of("index", "lr") == 9
    assert file.line_of("name") == 1
    assert file.line_of("corpus") == 2
    assert file.line_of("index", "none") is None


def test_finding_an_index_needs_only_the_standard_library(tmp_path):
    write(tmp_path / "bertpipe.toml")
    code = (
        "import sys\nfrom bertpipe.pipeline.pipeline_file import find_pipeline, read_pipeline\n"
        "from bertpipe.pipeline.artefact import Artefact\n"
        "print(read_pipeline(find_pipeline()).artefact('index'))\n"
        "print([n for n in ('pydantic', 'torch', 'numpy', 'filelock', 'rich', 'click') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    folder, loaded = done.stdout.splitlines()
    assert Path(folder) == tmp_path / "runs" / tmp_path.name / "index"
    assert loaded == "[]"
