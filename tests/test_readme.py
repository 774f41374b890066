"""The commands in the documents exist, their links lead somewhere, and both READMEs show the same."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from bertpipe.cli.main import COMMANDS, STEPS, bertpipe, invoke

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
DOCUMENTS = [ENGLISH, CHINESE, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "data/README.md"]
TARGETS = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


def fences(path: Path, language: str) -> list[str]:
    """The blocks of code in a language; "" for those in none."""
    found = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", path.read_text(encoding="utf-8"))
    return [text for written, text in found if written == language]


def console_commands(path: Path) -> list[str]:
    """What the console blocks of a document let the reader type."""
    lines = [line for text in fences(path, "console") for line in text.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def commands(path: Path) -> list[str]:
    """Those, and what stands in the running text between backticks."""
    text = re.sub(r"(?ms)^```.*?^```", "", path.read_text(encoding="utf-8"))
    inline = re.findall(r"`((?:bertpipe|make) [^`\n]+)`", text)
    return [*console_commands(path), *inline]


def words_of(command: str) -> list[str]:
    """A command in words; a name by its last part, without what is a comment, or comes from a file or goes to one."""
    words = shlex.split(re.sub(r"\s[<>]\s.*", "", command), comments=True)
    return [words[0].removeprefix(".venv/bin/"), *words[1:]]


def check_bertpipe(words: list[str]) -> None:
    """Holds a command line against click's commands, without running it.

    Raises:
        click.UsageError: There is no such command or option, a value is not one of the choices, or an argument is
            missing or too much.
        ValueError: A ``--set`` names no key of a step.
    """
    context = click.Context(bertpipe, info_name="bertpipe")
    if words[0].startswith("-"):
        assert words[0] in ("--help", "--version", "--debug"), words
        return
    if words[0] == "STEP":
        words = ["embed", *words[1:]]
    _, command, rest = bertpipe.resolve_command(context, words)
    assert command is not None
    if "--help" in rest:
        return
    with command.make_context(words[0], list(rest), parent=context, resilient_parsing=False) as made:
        for setting in made.params.get("settings") or []:
            check_key(setting.step, setting.key)


def check_key(step: str, key: str) -> None:
    from bertpipe.stages import TASKS

    known = any(
        stage.name == step and key in stage.config.model_fields for stages in TASKS.values() for stage in stages
    )
    if (step, key) != ("STEP", "KEY") and not known:
        raise ValueError(f"there is no key {step}.{key}")


# What is mentioned as a whole command, not shown as one to type: `bertpipe search` needs a query.
def is_a_name(words: list[str]) -> bool:
    return len(words) == 2


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_commands_exist(path):
    for command in commands(path):
        words = words_of(command)
        if words[0] == "make":
            goals = [word for word in words[1:] if "=" not in word]
            assert set(goals) <= TARGETS, f"{path.name}: {command}"
        elif words[0] == "bertpipe":
            if is_a_name(words):
                assert words[1] in {*COMMANDS, *STEPS, "--help", "--version"}, f"{path.name}: {command}"
                continue
            try:
                check_bertpipe(words[1:])
            except (click.UsageError, ValueError) as error:
                pytest.fail(f"{path.name}: `{command}`: {error}")


def test_there_are_commands_to_check():
    assert len(console_commands(ENGLISH)) >= 15
    assert all(commands(path) for path in DOCUMENTS if path.name in ("CONTRIBUTING.md", "pipeline-files.md"))


@pytest.mark.parametrize(
    "command",
    [
        "serch x",
        "search x --mood dense",
        "search x --mode words",
        "ask",
        "run --set pretrain.budgett=1h",
        "run --set pretrain",
        "pretrain --lears 3",
    ],
)
def test_the_check_can_fail(command):
    with pytest.raises((click.UsageError, ValueError)):
        check_bertpipe(shlex.split(command))


def skeleton(command: str) -> list[str]:
    """A command without what a language may change: the words that it searches for."""
    words = words_of(command)
    if words[:2] == ["bertpipe", "search"]:
        return ["QUERY" if " " in word or not word.isascii() else word for word in words]
    return words


def test_both_readmes_show_the_same_commands():
    assert [skeleton(one) for one in console_commands(ENGLISH)] == [skeleton(one) for one in console_commands(CHINESE)]


def test_both_readmes_have_the_same_parts():
    def parts(path: Path) -> list[str]:
        text = re.sub(r"(?ms)^```.*?^```", "", path.read_text(encoding="utf-8"))
        return re.findall(r"(?m)^(#+) ", text)

    assert parts(ENGLISH) == parts(CHINESE)


def test_both_readmes_show_the_same_transcript():
    def transcript(path: Path) -> str:
        found = re.search(r"(?s)<!-- transcript: begin.*?-->\n(.*?)<!-- transcript: end -->", path.read_text("utf-8"))
        assert found
        return found[1]

    assert transcript(ENGLISH) == transcript(CHINESE)
    assert max(map(len, transcript(ENGLISH).splitlines())) <= 80


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_links_lead_somewhere(path):
    text = re.sub(r"(?ms)^```.*?^```", "", path.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not link.startswith(("http://", "https://", "#")):
            assert (path.parent / link.split("#")[0]).exists(), f"{path.name}: {link}"


@pytest.mark.parametrize("path", [ENGLISH, CHINESE], ids=lambda path: path.name)
def test_every_folder_of_the_tree_exists(path):
    tree = next(text for text in fences(path, "") if text.startswith("bertpipe/\n"))
    below = ""
    named = set()
    for line in tree.splitlines():
        name = line.split()[0]
        place = below + name if line.startswith(" ") else name
        below = below if line.startswith(" ") else name
        assert (ROOT / place).is_dir(), place
        named.add(place.rstrip("/"))
    floors = {f"bertpipe/{one.parent.name}" for one in (ROOT / "bertpipe").glob("*/__init__.py")}
    assert floors <= named


@pytest.mark.parametrize("path", [ENGLISH, CHINESE], ids=lambda path: path.name)
def test_python_examples_name_what_exists(path):
    examples = fences(path, "python")
    assert examples
    for example in examples:
        for node in ast.walk(ast.parse(example)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names)
    from bertpipe.retrieval.index import Index
    from bertpipe.retrieval.passage import Passage
    from bertpipe.retrieval.search_result import Hit

    text = examples[0]
    assert set(re.findall(r"index\.(\w+)\(", text)) <= set(dir(Index))
    assert set(re.findall(r"passage\.(\w+)", text)) <= set(Passage.__dataclass_fields__)
    assert set(re.findall(r"hit\.(\w+)", text)) <= set(Hit.__dataclass_fields__)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.delenv("BERTPIPE_PIPELINE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("sample", ["sample_en", "sample_zh"])
def test_the_walk_through_begins_as_it_says(empty, capsys, sample):
    assert invoke(["init", str(ROOT / "data" / sample)]) == 0, capsys.readouterr().err
    assert invoke(["run", "--dry-run"]) == 0, capsys.readouterr().err
    assert invoke(["run", "--set", "pretrain.budget=1h", "--dry-run"]) == 0, capsys.readouterr().err
    assert invoke(["status"]) == 0, capsys.readouterr().err
    assert sorted(path.name for path in empty.iterdir()) == ["bertpipe.toml"]


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "pipelines").glob("*.toml")))
def test_pipelines_can_be_planned(empty, capsys, name):
    settings = ["--set", f"corpus.path={ROOT / 'data' / 'sample_en'}"]
    assert invoke(["run", "-p", str(ROOT / "pipelines" / name), *settings, "--dry-run"]) == 0, capsys.readouterr().err


def test_the_command_is_installed():
    script = Path(sys.executable).with_name("bertpipe.exe" if os.name == "nt" else "bertpipe")
    if not script.exists():
        pytest.skip("bertpipe is not installed beside this interpreter")
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)
    for name in (*COMMANDS, *STEPS):
        assert f"  {name} " in done.stdout
