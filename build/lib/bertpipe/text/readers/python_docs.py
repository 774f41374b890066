"""Documents from the documentation inside the interpreter's own standard library.

Every machine that runs bertpipe has this text: the docstrings of public modules, classes, functions and
methods, and pydoc's language topics. The docstrings are collected by a second interpreter
(`python_docs_collect.py`), which sees neither installed packages nor what this process has imported: the same
interpreter always gives the same documents.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bertpipe.errors import InputError
from bertpipe.text.document import Document
from bertpipe.text.readers.report import ReadReport

_COLLECTOR = Path(__file__).with_name("python_docs_collect.py")
_TIMEOUT = 180  # seconds; a cold disk needs about 10
_NO_SCREEN = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def digest() -> str:
    """Sha256 (hex) of what decides the documents, the interpreter's build and the collector; reads none."""
    facts = [sys.implementation.name, sys.version, sysconfig.get_platform()]
    whole = hashlib.sha256("\n".join(facts).encode("utf-8"))
    whole.update(_COLLECTOR.read_bytes())
    return whole.hexdigest()


class PythonDocsReader:
    """Reads the standard library's documentation; iterate it for `Document`s, sorted by id.

    Ids are qualified names as people write them (``str.split``, ``json.JSONEncoder.default``), and
    ``topic:NAME`` for language topics. Metadata: ``module`` and ``kind`` (module, class, function, method or
    topic).

    Attributes:
        report: Counts, complete after the iteration; ``ignored`` tells the modules that this platform cannot
            import.
    """

    def __init__(self) -> None:
        self.report = ReadReport()

    def __iter__(self) -> Iterator[Document]:
        """Collects in a second interpreter, then yields.

        Raises:
            InputError: The second interpreter failed.
        """
        self.report = ReadReport()
        for record in _collect():
            if "ignored" in record:
                self.report.ignore("modules that cannot be imported here")
                continue
            self.report.documents += 1
            yield Document(record["id"], record["title"], record["text"], record["metadata"])


def _collect() -> Iterator[dict]:
    environment = {name: value for name, value in os.environ.items() if name not in _NO_SCREEN}
    # -I -S: no environment variables, no current folder, no site-packages; -B: no byte code written.
    command = [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-W", "ignore", str(_COLLECTOR)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(str(error)) from error
    if done.returncode != 0:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise _failed(f"exit status {done.returncode}: {''.join(last)}")
    # Line feeds only: JSON leaves U+2028 and its like unescaped.
    for line in done.stdout.split(b"\n"):
        if line:
            yield json.loads(line)


def _failed(why: str) -> InputError:
    return InputError(
        "the standard library's documentation cannot be read",
        why=why,
        hint='Check that this Python runs, or set reader = "folder" under [corpus] and give a path.',
    )
