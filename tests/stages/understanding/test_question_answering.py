import json
import shutil
import subprocess
import sys

import pytest

from bertpipe.models.answerer import open_answerer
from bertpipe.models.task_settings import TaskSettings
from bertpipe.stages import STAGES, stages_of

KEYS = """
steps = 4
dev_share = 0.4
max_tokens = 64
stride = 8
question_tokens = 16
batch_tokens = 512
accelerator = "cpu"
"""
READER = f'\n[finetune.reader]\ndata = "questions.json"\n{KEYS}'
WITH_READER = ("corpus", "snapshot", "tokenize", "pretrain", "finetune", "reader", "embed", "index")


def write_questions(project, *, spoil=False):
    """A question about the first words of each of the documents, and one that has no answer."""
    data = []
    for place, file in enumerate(sorted(project.docs.glob("*.md")) + sorted(project.docs.glob("*.txt"))):
        text = file.read_text(encoding="utf-8").strip()
        start = 3 + place
        answer = text[start : start + 12].strip()
        start = text.index(answer)
        answers = [{"text": answer, "answer_start": start}]
        asked = [
            {"id": f"{place}-0", "question": f"What does {file.stem} say?", "answers": answers},
            {"id": f"{place}-1", "question": "Who won the war?", "is_impossible": True, "answers": []},
        ]
        if spoil and place == 1:
            asked[0]["answers"][0]["answer_start"] += 1
        data.append({"title": file.stem, "paragraphs": [{"context": text, "qas": asked}]})
    (project.folder / "questions.json").write_text(json.dumps({"data": data}), encoding="utf-8")


@pytest.fixture(scope="session")
def reading(make_project, tmp_path_factory):
    """A pipeline with a reader, run once. Look at it only."""
    project = make_project(tmp_path_factory.mktemp("reading") / "project")
    write_questions(project)
    project.file.write_text(project.file.read_text(encoding="utf-8") + READER, encoding="utf-8")
    # "finetune" leads to the retriever only.
    done = project("finetune", "--json")
    assert done.code == 0, done.err
    assert [step["step"] for step in json.loads(done.out)["steps"]] == list(WITH_READER[:5])
    assert project.ran() == ["reader", "embed", "index"]
    return project


def asked(project, question, *arguments):
    done = project("ask", question, "--json", *arguments)
    assert done.code == 0, done.err
    return json.loads(done.out), done.err


def test_the_reader_lies_in_the_index(reading):
    made, carried = reading.runs / "reader" / "reader", reading.runs / "index" / "reader"
    assert sorted(path.name for path in carried.iterdir()) == ["reader.onnx", "task.json", "tokenizer.model"]
    for path in made.iterdir():
        assert path.read_bytes() == (carried / path.name).read_bytes()
    assert json.loads((reading.runs / "index" / "index.json").read_text())["reader"]
    metrics = json.loads((reading.runs / "reader" / "manifest.json").read_text())["metrics"]
    curve = json.loads((reading.runs / "reader" / "thresholds.json").read_text())
    settings = TaskSettings.load(reading.runs / "reader")
    assert TaskSettings.load(made).threshold == pytest.approx(metrics["search_threshold"], abs=1e-4)
    assert settings.threshold == curve["best"]["threshold"] == pytest.approx(metrics["threshold"], abs=1e-4)
    assert curve["best"]["f1"] == max(point["f1"] for point in curve["curve"])
    assert 0 <= metrics["coverage"] <= 1
    assert len((reading.runs / "reader" / "curve.jsonl").read_text().splitlines()) >= 1


def test_everything_is_fresh_afterwards(reading):
    assert reading.ran() == []
    assert reading.ran("--set", "finetune.reader.workers=0") == []
    done = reading("run", "--dry-run", "--json", "--set", "finetune.reader.lr=0.5")
    states = {step["step"]: step["state"] for step in json.loads(done.out)["steps"]}
    assert states == dict.fromkeys(WITH_READER, "fresh") | {"reader": "stale", "index": "waiting"}


def test_asking(reading):
    threshold = TaskSettings.load(reading.runs / "index" / "reader").threshold
    document, told = asked(reading, "How do I clean the grinder?", "-k", "3")
    assert document["reader"] is True
    assert told == ""
    assert all(answer["score"] >= threshold - 1e-6 for answer in document["answers"])
    for answer in document["answers"]:
        path = reading.docs / answer["document"]
        if path.is_file():
            assert answer["text"] in path.read_text(encoding="utf-8")
    done = reading("ask", "怎样清洗加湿器？")
    assert done.code == 0
    assert "passages read" in done.out


def test_a_pipeline_without_the_table_is_as_it_was(built, reading):
    assert stages_of(built.file) == STAGES
    assert [stage.name for stage in stages_of(reading.file)] == list(WITH_READER)
    assert "reader" not in json.loads((built.runs / "index" / "index.json").read_text())
    for step in ("tokenize", "pretrain", "finetune", "embed"):
        ours, theirs = (
            json.loads((project.runs / step / "manifest.json").read_text())["fingerprint"]
            for project in (built, reading)
        )
        assert ours == theirs, step


def test_a_trained_reader_serves_another_pipeline(reading, open_project, tmp_path):
    project = open_project(shutil.copytree(reading.docs, tmp_path / "other" / "docs").parent)
    write_questions(project)
    known = (reading.runs / "reader" / "model.safetensors").read_bytes()
    for steps, model in ((0, "reader"), (4, "reader"), (0, "pretrain")):
        keys = KEYS.replace("steps = 4", f"steps = {steps}")
        start = f'model = "{(reading.runs / model).as_posix()}"'
        project.file.write_text(
            f'name = "tiny"\ntask = "question-answering"\n[finetune]\n{start}\ndata = "questions.json"\n{keys}'
        )
        done = project("run")
        if model == "pretrain":
            assert "steps = 0 leaves a head that knows nothing" in done.error
        else:
            assert done.code == 0, done.err
            assert ((project.runs / "finetune" / "model.safetensors").read_bytes() == known) == (steps == 0)


def test_predicting_from_a_text_at_hand(reading):
    folder = str(reading.runs / "reader")
    text = "The grinder is cleaned with a brush. Never use water."
    done = reading("predict", folder, "How do I clean it?", "--pair", text, "--json", pipeline=False)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["text"], found["pair"], found["cut"]) == ("How do I clean it?", text, False)
    threshold = TaskSettings.load(reading.runs / "reader").threshold
    for answer in found["answers"]:
        assert text[answer["start"] : answer["end"]] == answer["text"]
        assert answer["probability"] >= round(threshold, 4)
    shown = reading("predict", folder, "-", stdin=f"Who?\t{text}\n", pipeline=False)
    assert shown.out.rstrip().endswith("Who?")
    assert "Give a question's text with --pair" in reading("predict", folder, "Who?", pipeline=False).error


def test_without_a_reader_the_best_sentences(built):
    document, told = asked(built, "clean the grinder", "-k", "5")
    assert document["reader"] is False
    assert document["answers"]
    assert told.startswith("no reader was trained: ")
    done = built("ask", "-", "--json", stdin="water\n加湿器\n")
    assert len(done.out.splitlines()) == 2


@pytest.mark.parametrize("project", ["built", "reading"])
def test_asking_imports_neither_torch_nor_lightning_nor_pydantic(project, request):
    code = (
        "import sys\nfrom bertpipe.cli.main import invoke\n"
        "code = invoke(['ask', 'clean the grinder', '-p', sys.argv[1]])\n"
        "heavy = ('torch', 'pytorch_lightning', 'lightning', 'pydantic', 'onnx', 'scipy')\n"
        "print([name for name in heavy if name in sys.modules])\nsys.exit(code)"
    )
    file = request.getfixturevalue(project).file
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_index_is_enough_to_ask(reading, tmp_path, monkeypatch):
    place = shutil.copytree(reading.runs / "index", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    done = reading("ask", "water", "--json", "--index", str(place), pipeline=False)
    assert done.code == 0, done.err
    assert json.loads(done.out)["reader"] is True


@pytest.fixture
def alone(open_project, reading, tmp_path):
    """A pipeline of one step, which starts from the other's pretrained model."""
    project = open_project(tmp_path / "alone")
    shutil.copytree(reading.docs, project.docs)
    write_questions(project)
    task = 'task = "question-answering"\nname = "tiny"\n[finetune]\ndata = "questions.json"\n'
    text = f'{task}model = "{reading.runs / "pretrain"}"\n'
    project.file.write_text(text + KEYS, encoding="utf-8")
    return project


def test_question_answering_as_a_task(alone):
    assert alone.ran() == ["finetune"]
    reader = open_answerer(alone.runs / "finetune", "cpu")
    assert reader.settings.task == "question-answering"
    pairs = [("What is it?", "It is a grinder. " * 20), ("什么？", "这是加湿器。")]
    for (_, text), found in zip(pairs, reader.read_pairs(pairs), strict=True):
        assert all(text[one.start : one.end] == one.text for one in found.answers)
    assert alone("search", "x").error.endswith("-p FILE names it.")


def test_offsets_that_do_not_match(alone):
    write_questions(alone, spoil=True)
    strict = alone("run", "--set", "finetune.strict=true")
    assert "questions.json: question '1-0': answer 1" in strict.error
    done = alone("run")
    assert done.code == 0, done.err
    assert "1 answers do not stand where they should" in done.err


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("finetune.max_tokens=9999", "more than the model can read"),
        ("finetune.question_tokens=60", "leaves no room"),
        ("finetune.data=nowhere.json", "nowhere.json"),
        ("finetune.dev_share=0.0001", "nothing to measure with"),
    ],
)
def test_what_cannot_be_is_told(alone, setting, message):
    assert message in alone("run", "--set", setting).error
