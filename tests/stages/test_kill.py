"""Kill -9 at any moment: the next run goes on, and ends with the bytes of an undisturbed run."""

import random
import shutil
import signal
import time
from collections import Counter

import pytest

from bertpipe.stages import embed

# Kills the process when a function is called for the n-th time, or for a given training step.
AT_STEP = """
import os, signal
from {module} import {name} as target
original = target.{function}
def batch(self, step):
    if step == {step}:
        os.kill(os.getpid(), signal.{signal})
    return original(self, step)
target.{function} = batch
"""
AT_CALL = """
import os, signal
import bertpipe.stages.embed
bertpipe.stages.embed.BLOCK = 100
from {module} import {name} as target
original, calls = target.{function}, []
def sabotaged(*arguments):
    calls.append(1)
    if len(calls) == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)
target.{function} = sabotaged
"""
QUERIES = ("clean the grinder", "怎样清洗加湿器", "a puncture")


def in_step(module, name, step, number="SIGKILL"):
    return AT_STEP.format(module=module, name=name, function="batch", step=step, signal=number)


def killed(project, before):
    done = project.finish(project.start("run", before=before))
    assert done.code == -signal.SIGKILL, done.err
    return done.err


def partial(project):
    return [path.name.split("-")[1] for path in project.runs.glob(".partial-*")]


def test_killed_in_every_long_step(fresh, project, monkeypatch):
    """The fifth step ends the first leg, and with it comes the first checkpoint."""
    monkeypatch.setattr(embed, "BLOCK", 100)
    project.ran("--force", "embed")
    expected = project.digests()

    killed(fresh, in_step("bertpipe.training.sentence_pairs", "SentencePairs", 5))
    assert partial(fresh) == ["pretrain"]
    log = killed(fresh, in_step("bertpipe.training.pairs", "CorpusPairs", 5))
    assert "going on at step 5 of 6" in log
    assert partial(fresh) == ["finetune"]
    encoder = {"module": "bertpipe.retrieval.encoder", "name": "Encoder", "function": "encode_passages"}
    log = killed(fresh, AT_CALL.format(**encoder, call=3))
    assert "going on at step 5 of 6" in log
    assert partial(fresh) == ["embed"]
    settings = {"module": "bertpipe.retrieval.index_folder", "name": "IndexSettings", "function": "save"}
    killed(fresh, AT_CALL.format(**settings, call=1))
    assert partial(fresh) == ["index"]

    assert fresh.ran() == ["index"]
    assert fresh.digests() == expected
    for query in QUERIES:
        assert fresh.hits(query, "hybrid") == project.hits(query, "hybrid")
    assert partial(fresh) == []


@pytest.mark.slow
def test_twenty_kills_at_random_moments(fresh, tmp_path, capsys):
    longer = ("--set", "pretrain.steps=40", "--set", "finetune.steps=40")
    whole = type(fresh)(shutil.copytree(fresh.folder, tmp_path / "whole"))
    began = time.monotonic()
    assert whole.finish(whole.start("run", *longer)).code == 0
    duration = time.monotonic() - began
    seconds = {name: step["seconds"] for name, step in whole.run(*longer).items()}
    expected = whole.digests()

    rng = random.Random(0)
    aims = [None, *seconds] * 20  # by turns: any moment of the whole run, or a moment of one step
    kills: Counter[str] = Counter()
    completed = 0
    folder = tmp_path / "killed"
    project = type(fresh)(shutil.copytree(fresh.folder, folder))
    while kills.total() < 20:
        aim = aims[kills.total() + completed]
        process = project.start("run", *longer)
        if aim is None:
            wait(process, rng.uniform(0, duration))
        else:
            while process.poll() is None and aim not in partial(project):
                time.sleep(0.002)
            wait(process, rng.uniform(0, 1) * seconds[aim])
        at = partial(project)
        process.kill()
        if project.finish(process).code == -signal.SIGKILL:
            kills[at[0] if at else "between steps"] += 1
        else:
            completed += 1
            compare(project, whole, expected)
            shutil.rmtree(folder)
            project = type(fresh)(shutil.copytree(fresh.folder, folder))
    done = project.finish(project.start("run", *longer))
    assert done.code == 0, done.err
    compare(project, whole, expected)
    with capsys.disabled():
        print(f"\n{kills.total()} kills: {dict(kills)}; {completed + 1} runs completed, each like the undisturbed one")


def wait(process, seconds):
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)


def compare(project, whole, expected):
    for name in ("pretrain/model.safetensors", "finetune/model.safetensors", "embed/vectors.npy"):
        assert (project.runs / name).read_bytes() == (whole.runs / name).read_bytes(), name
    assert project.digests() == expected
    for query in QUERIES:
        for mode in ("hybrid", "dense", "bm25"):
            assert project.hits(query, mode) == whole.hits(query, mode)
