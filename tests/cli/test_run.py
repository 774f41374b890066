import os

import pytest

from bertpipe.pipeline.lock import run_lock


def steps(document):
    return {step["step"]: step["state"] for step in document["steps"]}


def test_run_and_run_again(bertpipe):
    first = bertpipe.json("run")
    assert steps(first) == {"corpus": "ran", "tokenize": "ran"}
    assert first["steps"][0]["metrics"] == {"words": 3}
    assert first["steps"][0]["reasons"] == ["never run"]
    assert "corpus: never run" in bertpipe.err
    assert "a library prints" in bertpipe.err  # and not among the results
    assert steps(bertpipe.json("run")) == {"corpus": "fresh", "tokenize": "fresh"}


def test_tables_go_to_stdout_and_the_rest_to_stderr(bertpipe):
    assert bertpipe("run") == 0
    assert "loss 0.512" in bertpipe.out
    assert "library" not in bertpipe.out
    assert "2 of 2 ran" in bertpipe.err
    assert bertpipe("run") == 0
    assert "everything is fresh" in bertpipe.err
    assert all(len(line) <= 80 for line in bertpipe.out.splitlines())


def test_set_changes_what_depends_on_it(bertpipe):
    bertpipe("run")
    document = bertpipe.json("run", "--set", "tokenize.vocab_size=9000", "--set", "tokenize.names=['a', 'b']")
    assert steps(document) == {"corpus": "fresh", "tokenize": "ran"}
    assert document["steps"][1]["reasons"] == ["vocab_size 8000 -> 9000", 'names [] -> ["a", "b"]']
    assert bertpipe.config()["names"] == ["a", "b"]
    bertpipe("run", "--set", "tokenize.case=keep", "--set", "tokenize.weights.a=2")
    assert bertpipe.config()["case"] == "keep"
    assert bertpipe.config()["weights"] == {"a": 2.0}


def test_dry_run_does_nothing(bertpipe, folder):
    document = bertpipe.json("run", "--dry-run")
    assert steps(document) == {"corpus": "stale", "tokenize": "stale"}
    assert document["dry_run"] is True
    assert not (folder / "runs").exists()
    assert bertpipe("run", "--dry-run") == 0
    assert "never run" in bertpipe.out
    assert "2 to run; nothing was done" in bertpipe.err


def test_force(bertpipe):
    bertpipe("run")
    assert steps(bertpipe.json("run", "--force", "corpus")) == {"corpus": "ran", "tokenize": "fresh"}
    assert bertpipe("run", "--force", "corpsu") == 1
    assert bertpipe.err == "error: there is no step 'corpsu'. Did you mean corpus?\n"


def test_a_step_command_has_a_flag_for_each_key(bertpipe):
    arguments = ["--vocab-size", "9000", "--lr", "1e-3", "--case", "keep", "--layers", "2", "--share"]
    arguments += ["--names", "a", "--names", "b", "--weights", "{a = 1}", "--length", "12"]
    assert bertpipe("tokenize", *arguments) == 0, bertpipe.err
    assert bertpipe.config() == {
        "vocab_size": 9000,
        "lr": 0.001,
        "case": "keep",
        "layers": 2,
        "share": True,
        "names": ["a", "b"],
        "weights": {"a": 1.0},
        "length": 12,
    }


def test_flags_win_over_the_file(bertpipe, folder):
    (folder / "bertpipe.toml").write_text(
        'name = "tiny"\n[tokenize]\nshare = true\nvocab_size = 500\nlr = 2\nlength = "auto"\n'
    )
    assert bertpipe("tokenize", "--no-share", "--vocab-size", "600") == 0, bertpipe.err
    assert bertpipe.config()["share"] is False
    assert bertpipe.config()["vocab_size"] == 600
    assert bertpipe.config()["lr"] == 2.0


def test_a_step_command_runs_what_it_needs_and_can_be_forced(bertpipe):
    assert steps(bertpipe.json("corpus")) == {"corpus": "ran"}
    assert steps(bertpipe.json("tokenize")) == {"corpus": "fresh", "tokenize": "ran"}
    assert steps(bertpipe.json("tokenize", "--force")) == {"corpus": "fresh", "tokenize": "ran"}


def test_step_help(bertpipe):
    assert bertpipe("tokenize", "--help") == 0
    for words in (
        "--vocab-size",
        "Pieces.  [default: 8000]",
        "[fold|keep; default: fold]",
        "--[no-]share",
        "Example:",
    ):
        assert words in bertpipe.out
    assert "--force" in bertpipe.out


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[tokenize]\nvocab_sise = 3\n", ":3: [tokenize] has no key 'vocab_sise'. Did you mean vocab_size?"),
        ("[tokenise]\n", ":2: unknown table [tokenise]. Did you mean tokenize?"),
        ('nmae = "x"\n', ":2: unknown key nmae. Did you mean name?"),
        ("tokenize = 3\n", ":2: tokenize is a step (a table [tokenize] is expected)"),
        (
            "[tokenize]\n\nvocab_size = '9000'\n",
            ':4: [tokenize] vocab_size = "9000" is not usable (input should be a valid integer)',
        ),
        (
            "[tokenize]\nvocab_size = true\n",
            ":3: [tokenize] vocab_size = true is not usable (input should be a valid integer)",
        ),
        (
            "[tokenize]\nvocab_size = 3\n",
            ":3: [tokenize] vocab_size = 3 is not usable (input should be greater than or equal to 300)",
        ),
        (
            "[tokenize]\ncase = 'up'\n",
            ":3: [tokenize] case = \"up\" is not usable (input should be 'fold' or 'keep')",
        ),
        (
            "[tokenize]\nlength = 1.5\n",
            ":3: [tokenize] length = 1.5 is not usable (input should be a valid integer or input should be 'auto')",
        ),
        ("[tokenize]\nlayers = 13\n", ":2: [tokenize] is not usable (13 layers are unlucky)"),
        ("[tokenize]\nlr = = 1\n", ":3 is not valid TOML (Invalid value (at line 3, column 6))"),
    ],
)
def test_mistakes_in_the_file(bertpipe, folder, toml, message):
    (folder / "bertpipe.toml").write_text('name = "tiny"\n' + toml)
    for command in ("run", "status", "tokenize"):
        assert bertpipe(command) == 1
        assert bertpipe.err == f"error: {folder / 'bertpipe.toml'}{message}\n"
        assert bertpipe.out == ""


def test_mistakes_on_the_command_line(bertpipe):
    assert bertpipe("run", "--set", "tokenize.vocab_size=many") == 1
    assert bertpipe.err == (
        'error: --set tokenize.vocab_size=many: [tokenize] vocab_size = "many" is not usable '
        "(input should be a valid integer)\n"
    )
    assert bertpipe("run", "--set", "tokenizer.x=1") == 1
    assert "there is no step 'tokenizer'. Did you mean tokenize?" in bertpipe.err
    assert bertpipe("tokenize", "--vocab-size", "3") == 1
    assert bertpipe.err.startswith("error: --vocab-size: [tokenize] vocab_size = 3 is not usable")
    for arguments in (
        ["run", "--set", "tokenize"],
        ["run", "--set", "tokenize.=1"],
        ["run", "--nonsense"],
        ["rum"],
        ["tokenize", "--vocab-size", "many"],
        ["tokenize", "--case", "up"],
        ["run", "a.toml", "-p", "b.toml"],
    ):
        assert bertpipe(*arguments) == 2, arguments
        assert bertpipe.out == ""
    assert bertpipe("rum") == 2
    assert "Did you mean run?" in bertpipe.err


def test_errors_are_one_line(bertpipe, folder):
    (folder / "words.txt").write_text("a bad word")
    assert bertpipe("run", "--json") == 1
    assert bertpipe.out == ""
    assert bertpipe.err.splitlines()[-1] == "error: words.txt:1: a bad word. Mend it, or use --skip-bad"
    assert "Traceback" not in bertpipe.err
    assert steps(bertpipe.json("run", "--skip-bad"))["corpus"] == "ran"

    (folder / "words.txt").write_text("a bug")
    assert bertpipe("run") == 1
    assert bertpipe.err.splitlines()[-1] == "error: unexpected ZeroDivisionError: a bug. --debug shows the traceback"
    for arguments in (["run", "--debug"], ["--debug", "run"]):
        assert bertpipe(*arguments) == 1
        assert "Traceback" in bertpipe.err


def test_interrupt(bertpipe, folder):
    (folder / "words.txt").write_text("interrupt")
    assert bertpipe("run") == 1
    assert bertpipe.err.splitlines()[-1].startswith("error: interrupted during corpus. What is done is kept")


def test_locked(bertpipe, folder):
    run_folder = folder / "runs" / "tiny"
    run_folder.mkdir(parents=True)
    with run_lock(run_folder):
        assert bertpipe("run") == 1
        assert f"is in use by process {os.getpid()}" in bertpipe.err
        assert bertpipe("status") == 0
        assert f"process {os.getpid()} is running this pipeline" in bertpipe.err


def test_which_pipeline(bertpipe, folder, monkeypatch):
    other = folder / "other.toml"
    other.write_text('runs = "elsewhere"\n[corpus]\npath = "words.txt"\n')
    for arguments in (["run", "other.toml"], ["run", "-p", "other.toml"]):
        assert bertpipe.json(*arguments, "--dry-run")["run"] == str(folder / "elsewhere" / "other")
    monkeypatch.setenv("BERTPIPE_PIPELINE", "other.toml")
    assert bertpipe.json("status")["pipeline"] == str(other)
    monkeypatch.delenv("BERTPIPE_PIPELINE")
    below = folder / "below" / "further"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert bertpipe.json("status")["pipeline"] == str(folder / "bertpipe.toml")
    assert bertpipe("run", "none.toml") == 1
    assert bertpipe.err == f"error: there is no pipeline file {below / 'none.toml'}. Check the path\n"
