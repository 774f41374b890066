"""Out to the layout of transformers, in again, and on from there: a model that writes never writes anything else."""

import json
import re
import shutil

import pytest

from bertpipe.errors import ArtefactError
from bertpipe.stages.saved_model import SavedModel

SOURCE, TARGET = "The red dog sees the cat.", "Ta ru hundo vidas ta kato."
IMPORTED = """
[tokenize]
imported = "models/again"

[pretrain]
imported = "models/again"
accelerator = "cpu"

[finetune]
max_source = 24
max_target = 24
batch_tokens = 600
accelerator = "cpu"
"""


def plain(project, *arguments):
    """Runs `bertpipe` without naming the pipeline."""
    return project(*arguments, pipeline=False)


def json_of(done):
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.fixture
def again(copy_of, translation):
    """A copy of a pipeline whose model went out and came in again."""
    project = copy_of(translation)
    out, back = project.folder / "theirs", project.folder / "models" / "again"
    done = plain(project, "export", str(project.runs / "finetune"), "--to", "hf", str(out))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"wrote {out}: PegasusForConditionalGeneration, ")
    done = plain(project, "import", str(out), "-o", str(back), "--task", "translation")
    assert done.code == 0, done.err
    return project


def test_out_and_in_again_writes_the_same(again):
    back = again.folder / "models" / "again"
    assert plain(again, "translate", SOURCE, "--model", str(back)).out == TARGET + "\n"
    best = ("translate", SOURCE, "--best", "3", "--json")
    both = (again(*best), plain(again, *best, "--model", str(back)))
    first, second = ([one["text"] for one in json_of(done)["translations"]] for done in both)
    assert first == second
    done = plain(again, "summarize", SOURCE, "--model", str(back))
    assert "is for translation" in done.error


def test_what_import_says(again, tmp_path):
    theirs = again.folder / "theirs"
    done = plain(again, "import", str(theirs), "-o", str(tmp_path / "one"))
    assert done.out.splitlines()[0].startswith(f"wrote {tmp_path / 'one'}: pegasus, ")
    assert "  shape      1 + 1 layers, 32 wide, 2 heads, 64 tokens" in done.out
    assert f"task       summarization: `bertpipe summarize --model {tmp_path / 'one'}`" in done.out
    generation = json.loads((theirs / "generation_config.json").read_text())
    (theirs / "generation_config.json").write_text(json.dumps(generation | {"length_penalty": 2.0, "min_length": 5}))
    done = plain(again, "import", str(theirs), "-o", str(tmp_path / "two"))
    assert "published to write with length_penalty = 2.0, min_length = 5; here the command's options" in done.err
    facts = json_of(plain(again, "import", str(theirs), "-o", str(tmp_path / "three"), "--task", "dialogue", "--json"))
    assert (facts["family"], facts["task"], facts["max_source"], facts["max_target"]) == ("pegasus", "dialogue", 64, 24)
    assert facts["wishes"] == {"length_penalty": 2.0, "min_length": 5}


def restarted(project, changes=""):
    """The pipeline, starting from the imported model."""
    text = project.file.read_text(encoding="utf-8")
    project.file.write_text(text[: text.index("[tokenize]")] + IMPORTED.lstrip() + changes, encoding="utf-8")
    shutil.rmtree(project.runs)
    return project


def test_a_pipeline_takes_an_imported_model_as_it_is(again):
    project = restarted(again, "steps = 0\n")
    assert project.ran() == ["corpus", "snapshot", "tokenize", "pretrain", "finetune"]
    assert project("translate", SOURCE).out == TARGET + "\n"
    metrics = json.loads((project.runs / "finetune" / "manifest.json").read_text())["metrics"]
    assert metrics["steps"] == 0


def test_an_imported_model_is_trained_further(again):
    project = restarted(again, "steps = 3\n")
    project.ran()
    assert project("translate", SOURCE).out == TARGET + "\n"
    before = (project.folder / "models" / "again" / "model.safetensors").read_bytes()
    assert (project.runs / "finetune" / "model.safetensors").read_bytes() != before
    assert (project.runs / "pretrain" / "model.safetensors").read_bytes() == before


def test_an_imported_model_mends_text_first(again):
    project = restarted(again, "steps = 1\n")
    text = project.file.read_text()
    project.file.write_text(text.replace("[pretrain]\n", '[pretrain]\nobjective = "bart"\nsteps = 2\nlength = 32\n'))
    project.ran()
    metrics = json.loads((project.runs / "pretrain" / "manifest.json").read_text())["metrics"]
    assert (metrics["objective"], metrics["steps"]) == ("bart", 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[pretrain]\n", "[pretrain]\nwidth = 64\n", "width cannot be set for an imported model, which has its own"),
        ("[pretrain]\n", '[pretrain]\nobjective = "t5"\n', "no pieces to name T5's spans"),
        (
            '[tokenize]\nimported = "models/again"',
            "[tokenize]\nvocab_size = 330",
            "another tokenizer than the documents",
        ),
        ('[pretrain]\nimported = "models/again"', '[pretrain]\nimported = "nowhere"', "there is no imported model"),
        ("max_source = 24", "max_source = 65", r"finetune.max_source = 65 is more than .*Lower it to 64"),
    ],
)
def test_impossible_pipelines(again, old, new, message):
    project = restarted(again, "steps = 0\n")
    text = project.file.read_text()
    assert old in text
    project.file.write_text(text.replace(old, new))
    done = project("run")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert re.search(message, done.err)


def test_a_model_that_writes_is_no_graph(translation, tmp_path):
    done = translation("export", "--to", "onnx", str(tmp_path / "graph"))
    assert "is no text encoder" in done.error
    pretrained = SavedModel.open(translation.runs / "pretrain")
    assert pretrained.writes
    (tmp_path / "out").mkdir()
    assert pretrained.to_transformers(tmp_path / "out").architecture == "PegasusForConditionalGeneration"


def test_damaged_models_are_not_exported(again, tmp_path):
    back = again.folder / "models" / "again"
    (back / "config.json").write_text("{")
    with pytest.raises(ArtefactError, match=r"config\.json cannot be read"):
        SavedModel.open(back)


def test_task_is_for_models_that_write(again, tmp_path):
    theirs = again.folder / "theirs"
    config = json.loads((theirs / "config.json").read_text())
    (theirs / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    done = plain(again, "import", str(theirs), "-o", str(tmp_path / "x"), "--task", "translation")
    assert "--task is for models that write" in done.error
    (theirs / "config.json").write_text(json.dumps(config | {"model_type": "t5"}))
    done = plain(again, "import", str(theirs), "-o", str(tmp_path / "x"))
    assert "a model of the family 't5' cannot be read" in done.error
    assert not (tmp_path / "x").exists()
