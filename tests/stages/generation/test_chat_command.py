import json
import subprocess
import sys

import pytest


def test_lines_of_standard_input(dialogue):
    turns = ["The red dog sees the cat.", "The old bird likes the dog."]
    done = dialogue("chat", "--json", stdin=f"{turns[0]}\n{json.dumps(turns)}\n")
    assert done.code == 0, done.err
    documents = [json.loads(line) for line in done.out.splitlines()]
    assert [document["turns"] for document in documents] == [turns[:1], turns]
    plain = dialogue("chat", stdin=f"{turns[0]}\n{json.dumps(turns)}\n")
    assert plain.out.splitlines() == [document["reply"] for document in documents]


def test_the_history_is_cut_to_its_last_turns(dialogue):
    turns = ["The red dog sees the cat.", "The old bird likes the dog.", "The big cat sees the bird."]

    def reply(turns, *flags):
        done = dialogue("chat", "--json", "--temperature", "0", *flags, stdin=json.dumps(turns))
        return json.loads(done.out)["reply"]

    assert reply(turns, "--history", "1") == reply(turns[-1:])
    assert reply(turns, "--history", "2") == reply(turns[-2:])


def test_draws(dialogue):
    def replies(*flags):
        done = dialogue("chat", *flags, stdin="The red dog sees the cat.\n" * 3)
        assert done.code == 0, done.err
        return done.out.splitlines()

    first = replies("--seed", "1", "--temperature", "3")
    assert replies("--seed", "1", "--temperature", "3") == first
    assert replies("--seed", "2", "--temperature", "3") != first
    assert len(set(first)) == 1  # each line is a conversation of its own
    assert replies("--temperature", "0", "--seed", "1") == replies("--temperature", "0", "--seed", "2")
    assert replies("--temperature", "1e-300") == replies("--temperature", "0")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[]", "a turn is empty or no text"),
        ('["a", 3]', "a turn is empty or no text"),
        ('["a", " "]', "a turn is empty or no text"),
        ("", "a turn is empty or no text"),
    ],
)
def test_broken_lines_are_named(dialogue, line, message):
    done = dialogue("chat", stdin=f"Hello.\n{line}\nHello.\n")
    assert done.error.startswith(f"standard input:2: {message}")
    assert len(done.out.splitlines()) == 1  # what came before was answered


def test_no_input_and_no_utf8(dialogue):
    assert "standard input is empty" in dialogue("chat", stdin="").error
    assert dialogue("chat", stdin=b"\xff\n").error.startswith("standard input:1: not UTF-8")


@pytest.mark.parametrize(
    "flags",
    [
        ["--temperature", "-1"],
        ["--temperature", "nan"],
        ["--temperature", "inf"],
        ["--top-p", "0"],
        ["--top-p", "nan"],
        ["--history", "0"],
        ["--seed", "-1"],
        ["--seed", "99999999999999999999999"],
    ],
)
def test_impossible_settings(dialogue, flags):
    done = dialogue("chat", *flags, stdin="Hello.")
    assert done.code == 2
    assert flags[0] in done.err


def test_wrong_task(translation):
    assert 'A pipeline with task = "dialogue" is needed' in translation("chat", stdin="Hello.").error


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_conversation_in_a_terminal(dialogue):
    import os
    import pty

    leader, follower = pty.openpty()
    line = [sys.executable, "-m", "bertpipe", "chat", "-p", str(dialogue.file), "--seed", "3"]
    process = subprocess.Popen(line, stdin=follower, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.close(follower)
    os.write(leader, b"The red dog.\n\n/new\nThe red dog.\n/quit\n")
    out, err = process.communicate(timeout=60)
    os.close(leader)
    assert process.returncode == 0, err
    assert "/new begins again" in err
    replies = [part.partition("bot: ")[2].strip() for part in out.split("you: ") if "bot: " in part]
    assert len(replies) == 2
    assert replies[0] == replies[1]  # after /new nothing is left of what was said before
