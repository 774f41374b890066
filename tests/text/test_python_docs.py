from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys

import pytest

from bertpipe.errors import InputError
from bertpipe.text.readers import python_docs
from bertpipe.text.readers.python_docs import PythonDocsReader


@pytest.fixture(scope="module")
def documents():
    return {document.id: document for document in PythonDocsReader()}


@pytest.mark.parametrize(
    ("id", "module", "kind"),
    [
        ("str.split", "builtins", "method"),
        ("dict.get", "builtins", "method"),
        ("print", "builtins", "function"),
        ("open", "builtins", "function"),
        ("ValueError", "builtins", "class"),
        ("json", "json", "module"),
        ("json.dumps", "json", "function"),
        ("json.JSONEncoder", "json", "class"),
        ("json.JSONEncoder.default", "json", "method"),
        ("os.path", "os.path", "module"),
        ("os.path.join", "os.path", "function"),
        ("os.mkdir", "os", "function"),
        ("random.randint", "random", "function"),
        ("pathlib.Path.mkdir", "pathlib", "method"),
        ("collections.deque", "collections", "class"),
        ("sqlite3.connect", "sqlite3", "function"),
        ("topic:assert", "pydoc_data.topics", "topic"),
    ],
)
def test_what_people_look_for_is_there_under_the_name_they_use(documents, id, module, kind):
    assert documents[id].metadata == {"module": module, "kind": kind}


def test_a_document(documents):
    split = documents["str.split"]
    assert split.title == "str.split"
    assert split.text.startswith("Return a list of the substrings in the string, using sep as the separator string.")
    assert documents["topic:assert"].title == "The assert statement"


def test_there_is_enough_and_nothing_twice(documents):
    texts = [document.text for document in documents.values()]
    assert 4000 < len(texts) < 9000
    assert len(set(texts)) == len(texts)
    assert list(documents) == sorted(documents)
    assert sum(map(len, texts)) > 1_500_000


def test_left_out(documents):
    modules = {document.metadata["module"] for document in documents.values()}
    for name in ("this", "antigravity", "test", "idlelib", "lib2to3", "ensurepip", "turtledemo", "posixpath"):
        assert name not in modules
    assert not any("__main__" in module or ".test" in module for module in modules)
    private = [id for id in documents if re.search(r"(^|\.)_", id.removeprefix("topic:"))]
    assert private == []
    assert not any(module.split(".")[0] in ("pytest", "numpy", "torch", "bertpipe") for module in modules)


def test_texts_are_clean(documents):
    for document in documents.values():
        assert len(document.text) >= 20
        assert document.text == document.text.strip()
        assert not re.search(r" at 0x[0-9a-f]+", document.text), document.id
        assert not re.fullmatch(r"\w+\([^()]*\)", document.text), document.id
        assert sys.prefix not in document.text or len(sys.prefix) < 12, document.id


def test_the_report_counts(documents):
    reader = PythonDocsReader()
    assert len(list(reader)) == reader.report.documents == len(documents)
    assert reader.report.skipped == 0


def test_another_process_with_other_imports_gives_the_same(documents, tmp_path):
    script = (
        "import ctypes, decimal, asyncio, unittest, xml.dom.minidom, hashlib\n"
        "from bertpipe.text.readers.python_docs import PythonDocsReader, digest\n"
        "whole = hashlib.sha256()\n"
        "for document in PythonDocsReader(): whole.update((document.id + document.digest).encode())\n"
        "print(digest(), whole.hexdigest())"
    )
    changed = {"PYTHONHASHSEED": "7", "HOME": str(tmp_path), "LC_ALL": "C", "PYTHONWARNINGS": "error"}
    environment = {**os.environ, **changed}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, text=True, check=True)
    whole = hashlib.sha256()
    for document in documents.values():
        whole.update((document.id + document.digest).encode())
    assert done.stdout.split() == [python_docs.digest(), whole.hexdigest()]
    assert done.stderr == ""


def test_modules_of_the_users_own_are_not_taken_for_the_librarys(documents, tmp_path, monkeypatch):
    (tmp_path / "colorsys.py").write_text('"""This is not the colorsys of the standard library."""\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert {document.id: document for document in PythonDocsReader()} == documents


def test_a_failing_interpreter_is_an_error(monkeypatch, tmp_path):
    broken = tmp_path / "collect.py"
    broken.write_text("raise RuntimeError('no')\n")
    monkeypatch.setattr(python_docs, "_COLLECTOR", broken)
    with pytest.raises(InputError, match=r"cannot be read \(exit status 1: RuntimeError: no\)"):
        list(PythonDocsReader())


def test_digest_is_a_sha256_that_needs_no_reading(monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    assert re.fullmatch(r"[0-9a-f]{64}", python_docs.digest())
