import json
import os
import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "pytorch_lightning",
    "lightning",
    "pydantic",
    "numpy",
    "onnxruntime",
    "faiss",
    "sentencepiece",
)


def python(code, *arguments, **keywords):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, **keywords
    )


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["rum"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys, json\nfrom bertpipe.cli.main import invoke\n"
        f"invoke({arguments!r})\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    loaded = json.loads(python(code).stderr.splitlines()[-1])
    assert not [name for name in HEAVY if name in loaded]
    assert "rich" not in loaded


def test_looking_at_a_pipeline_imports_no_torch(tmp_path):
    (tmp_path / "bertpipe.toml").write_text("")
    code = (
        "import sys\nfrom bertpipe.cli.main import invoke\ncode = invoke(['status'])\n"
        "print([n for n in ('torch', 'pytorch_lightning', 'onnxruntime', 'faiss') if n in sys.modules])\n"
        "sys.exit(code)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "BERTPIPE_PIPELINE"}
    done = python(code, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_commands_are_those_of_the_stages():
    from bertpipe.cli.main import STEPS
    from bertpipe.stages import STAGES

    assert {stage.name: stage.summary for stage in STAGES if not stage.hidden} == STEPS


def test_every_command_answers_help(capsys):
    from bertpipe.cli.main import COMMANDS, STEPS, invoke

    for name in (*COMMANDS, *STEPS):
        assert invoke([name, "--help"]) == 0, capsys.readouterr().err
        output = capsys.readouterr().out
        assert output.startswith(f"Usage: bertpipe {name}")
        assert "Example" in output, f"{name} has no example"
        assert "--debug" in output


def test_every_field_is_described_and_every_config_can_be_left_out():
    from bertpipe.stages import FROM_MODEL, TASKS

    reading = {TASKS[task][-1].config for task in FROM_MODEL}
    for stage in {id(stage): stage for stages in TASKS.values() for stage in stages}.values():
        assert stage.config.model_config.get("extra") == "forbid"
        # Nobody but the user knows where the examples are.
        stage.config(**({"data": "examples.tsv"} if stage.config in reading else {}))
        for name, field in stage.config.model_fields.items():
            assert field.description, f"{stage.name}.{name}"
            assert field.description.endswith("."), f"{stage.name}.{name}"


def test_no_pipeline_file(tmp_path, monkeypatch, capsys):
    from bertpipe.cli.main import invoke

    monkeypatch.delenv("BERTPIPE_PIPELINE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert invoke(["run"]) == 1
    assert capsys.readouterr().err == (
        "error: there is no bertpipe.toml here or in a folder above. "
        "`bertpipe init FOLDER` writes one for a folder of text, and -p FILE names another\n"
    )


def test_a_closed_pipe_is_quiet(tmp_path):
    code = "import sys\nfrom bertpipe.cli.main import main\nmain(['--help'])"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("finetune -p a.toml", "a.toml"),
        ("finetune --pipeline a.toml --help", "a.toml"),
        ("finetune --lr 3 --pipeline=a.toml", "a.toml"),
        ("finetune -pa.toml", "a.toml"),
        ("finetune", None),
        ("finetune -p", None),
        ("finetune --pairs x.tsv --precision bf16-mixed", None),
    ],
)
def test_the_pipeline_is_found_before_its_steps_flags_are_known(line, expected):
    from bertpipe.cli.main import _pipeline_named

    assert _pipeline_named(line.split()) == expected


@pytest.mark.parametrize("flag", ["-p {}", "--pipeline {}", "--pipeline={}", "-p{}"])
def test_a_steps_flags_are_those_of_its_pipelines_task(tmp_path, monkeypatch, capsys, flag):
    from bertpipe.cli.main import invoke

    monkeypatch.delenv("BERTPIPE_PIPELINE", raising=False)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "talk.toml"
    path.write_text('task = "dialogue"')
    assert invoke(["finetune", *flag.format(path).split(), "--help"]) == 0
    assert "--label-smoothing" in capsys.readouterr().out
    assert invoke(["finetune", "--help"]) == 0  # there is no pipeline: those of retrieval
    assert "--label-smoothing" not in capsys.readouterr().out
    monkeypatch.setenv("BERTPIPE_PIPELINE", str(path))
    assert invoke(["finetune", "--help"]) == 0
    assert "--label-smoothing" in capsys.readouterr().out
    monkeypatch.delenv("BERTPIPE_PIPELINE")
    path.rename(tmp_path / "bertpipe.toml")
    assert invoke(["finetune", "--help"]) == 0
    assert "--label-smoothing" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["translate", "summarize", "chat", "evaluate"])
def test_help_of_what_writes_imports_no_torch(command):
    code = (
        "import sys, json\nfrom bertpipe.cli.main import invoke\n"
        f"invoke([{command!r}, '--help'])\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    loaded = json.loads(python(code).stderr.splitlines()[-1])
    assert not [name for name in HEAVY if name in loaded]
