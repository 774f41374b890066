"""Searches beside syncs that are killed: every answer is of one state, and states never go back."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

KILLS = 200
# Forks a process for each line of its input: a sync by the pipeline, or one by hand.
WRITER = """
import json, os, sys
import faiss, onnxruntime, tantivy
import bertpipe.stages.embed, bertpipe.stages.index
import bertpipe.retrieval.report, bertpipe.retrieval.reader, bertpipe.retrieval.cutting
from bertpipe.cli.main import invoke
from bertpipe.retrieval.index import Index
from bertpipe.text.document import Document
file, folder = sys.argv[1:]
for line in sys.stdin:
    how, documents = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if how == "pipeline":
            code = invoke(["index", "-p", file])
        else:
            index = Index.open(folder, threads=1)
            index.add(Document(*one) for one in documents)  # one with an empty text is gone
            code = 0
        os._exit(code)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
# Searches again and again; says at the end how often, and every wrong answer.
READER = """
import json, os, re, sys
from bertpipe.errors import BertpipeError
from bertpipe.retrieval.index import Index
folder, stop, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
kept, answers, wrong, last, scores, states = None, 0, [], -1, {}, set()
while not os.path.exists(stop):
    try:
        if kept is None or answers % 3 == 0:
            index = Index.open(folder, threads=1)
            if answers % 30 == 0:
                kept = index
        else:
            index = kept
            if answers % 3 == 1:
                kept.refresh()
        for mode in ("bm25", "dense", "hybrid"):
            found = index.search("turning marker", 1000, mode, "document like 'turn%'").hits
            rounds = {int(one) for hit in found for one in re.findall(r"turning ([0-9]+) marker", hit.passage.text)}
            names = {hit.passage.document for hit in found}
            if len(rounds) != 1:
                wrong.append(f"{mode}: rounds {sorted(rounds)} in one answer")
                continue
            number, = rounds
            gone = f"turn{number % count}.txt"
            if names != {f"turn{one}.txt" for one in range(count)} - {gone}:
                wrong.append(f"{mode}: documents {sorted(names)} in round {number}")
            if index is not kept:
                if number < last:
                    wrong.append(f"round {number} after round {last}")
                last = number
            states.add(number)
            key = [(hit.passage.passage_id, round(hit.score, 4)) for hit in found]
            if scores.setdefault((mode, number), sorted(key)) != sorted(key):
                wrong.append(f"{mode}: other scores in round {number}")
    except (BertpipeError, OSError, ValueError, KeyError) as error:
        wrong.append(f"{type(error).__name__}: {error}")
    answers += 1
print(json.dumps({"answers": answers, "states": len(states), "wrong": wrong[:10], "count": len(wrong)}))
"""
TURNING = 12


def turn(number):
    """Every document says which round it is from, and one is missing in each."""
    return {
        f"turn{one}.txt": f"Part {one}\n\nThis is turning {number} marker of part {one}. " * 2
        for one in range(TURNING)
        if one != number % TURNING
    }


def write_turn(project, number):
    texts = turn(number)
    for one in range(TURNING):
        name = f"turn{one}.txt"
        if name in texts:
            (project.docs / name).write_text(texts[name])
        else:
            (project.docs / name).unlink(missing_ok=True)


@pytest.mark.slow
def test_kills_during_syncs_with_searches_beside(project, tmp_path, capsys):
    write_turn(project, 0)
    assert "index" in project.ran()
    folder, stop = project.runs / "index", tmp_path / "stop"
    arguments = [sys.executable, "-c", WRITER, str(project.file), str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writer = subprocess.Popen(arguments, stderr=(tmp_path / "log").open("w"), **pipes)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(folder), str(stop), str(TURNING)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    rng = random.Random(0)
    usual = {"pipeline": 3.0, "hand": 2.0}
    kills, completed, number = dict.fromkeys(usual, 0), dict.fromkeys(usual, 0), 0
    while sum(kills.values()) < KILLS:
        number += 1
        how = "pipeline" if number % 20 < 10 else "hand"
        whole = number % 10 == 0  # now and then a sync comes to its end
        write_turn(project, number)
        texts = dict.fromkeys((f"turn{one}.txt" for one in range(TURNING)), "") | turn(number)
        documents = [(name, "", text, {}) for name, text in texts.items()]
        began = time.monotonic()
        writer.stdin.write(json.dumps([how, documents]) + "\n")
        writer.stdin.flush()
        pid = int(writer.stdout.readline())
        if not whole:
            time.sleep(rng.uniform(0, 1.05) * usual[how])
            with suppress(ProcessLookupError):  # it came to its end
                os.kill(pid, signal.SIGKILL)
        code = int(writer.stdout.readline())
        if code == 0:
            completed[how] += 1
            usual[how] = time.monotonic() - began
        else:
            assert code == -signal.SIGKILL, (tmp_path / "log").read_text()
            kills[how] += 1
    stop.touch()
    told = [json.loads(reader.communicate(timeout=120)[0]) for reader in readers]
    writer.stdin.close()
    writer.wait()
    with capsys.disabled():
        print(f"\n{kills} kills, {completed} syncs completed; readers: {told}")
    for one in told:
        assert one["wrong"] == []
        assert one["answers"] > 20
    # What is left over does not pile up, and the next run tidies it and comes to the same as one from nothing.
    assert len(list(project.runs.glob(".partial-index-*"))) <= 2
    project.run()
    assert [path.name for path in project.runs.iterdir() if path.name.startswith((".partial", ".old", ".trash"))] == []
    synced = {mode: project.hits("turning marker", mode) for mode in ("bm25", "dense")}
    for step in ("embed", "index"):
        shutil.rmtree(project.runs / step)
    project.run()
    for mode, hits in synced.items():
        again = project.hits("turning marker", mode)
        assert {hit["passage_id"] for hit in again} == {hit["passage_id"] for hit in hits}
        assert [hit["score"] for hit in again] == pytest.approx([hit["score"] for hit in hits], abs=1e-5)
