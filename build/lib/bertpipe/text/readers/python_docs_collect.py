"""Collects the standard library's documentation; run as a program by `python_docs`, never imported by it.

Imports nothing but the standard library, since it runs without installed packages. Writes JSON lines to
standard output: documents sorted by id, then one ``{"ignored": NAME}`` for each module that cannot be
imported here.

Which name an object gets: every public module that shows it may name it, if the module defines it, lists it
in ``__all__``, or is the public face of the private module that defines it. The name that the object itself
carries wins over an alias, then the shorter id, then the alphabet: ``json.encoder.JSONEncoder`` becomes
``json.JSONEncoder``.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

# Not documentation, or not safe or sensible to import: jokes that print or open a browser, tests, demos, the
# editor, examples in C, installers; posix, nt and their path modules are read under the names of `os` and
# `os.path`.
_NO_DOCUMENTATION = {"this", "antigravity", "test", "tests", "idlelib", "turtledemo", "lib2to3", "ensurepip"}
_OTHER_NAMES = {"posix", "nt", "posixpath", "ntpath", "pydoc_data"}
_LEFT_OUT = _NO_DOCUMENTATION | _OTHER_NAMES | {"xxlimited", "xxlimited_35", "xxsubtype"}
# A hundred code tables, whose docstrings name the files they came from.
_NO_SUBMODULES = {"encodings"}
_SHORTEST = 40  # characters
_SIGNATURE = re.compile(r"[\w.]+\((?:[^()]|\([^()]*\))*\)(\s*->\s*\S+)?\.?")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_UNDERLINE = re.compile(r"[*=\-~]{3,}")


@dataclass(order=True, frozen=True)
class _Candidate:
    """A possible id of a text; the smallest wins."""

    alias: bool
    length: int
    id: str
    module: str
    kind: str


class _Collection:
    """Texts, each with every id that it might get."""

    def __init__(self) -> None:
        self.candidates: dict[str, set[_Candidate]] = {}

    def add(self, doc: object, id: str, module: str, kind: str, *, alias: bool = False) -> None:
        if not isinstance(doc, str):
            return
        text = _clean(doc)
        if len(text) < _SHORTEST or _SIGNATURE.fullmatch(text):
            return
        candidate = _Candidate(alias, len(id), id, module, kind)
        self.candidates.setdefault(text, set()).add(candidate)

    def documents(self) -> Iterator[dict]:
        """One record a text, ids unique: where two texts want one id, the better candidate gets it."""
        taken: dict[str, dict] = {}
        texts = sorted((min(found), text) for text, found in self.candidates.items())
        for _, text in texts:
            for candidate in sorted(self.candidates[text]):
                if candidate.id not in taken:
                    metadata = {"module": candidate.module, "kind": candidate.kind}
                    taken[candidate.id] = {
                        "id": candidate.id,
                        "title": candidate.id,
                        "text": text,
                        "metadata": metadata,
                    }
                    break
        for id in sorted(taken):
            yield taken[id]


def _clean(doc: str) -> str:
    text = _ADDRESS.sub(" at 0x...", inspect.cleandoc(doc)).strip()
    return text.encode("utf-8", "replace").decode("utf-8")


def _modules(ignored: list[str]) -> Iterator[tuple[str, ModuleType]]:
    """Every public module of the standard library by its public name."""
    waiting = sorted(sys.stdlib_module_names, reverse=True)
    while waiting:
        name = waiting.pop()
        last = name.rpartition(".")[2]
        if last.startswith("_") or last in _LEFT_OUT:
            continue
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit):  # a module may fail in any way; it is counted
            ignored.append(name)
            continue
        yield name, module
        if name == "os":
            yield "os.path", module.path
        if hasattr(module, "__path__") and name not in _NO_SUBMODULES:
            inner = {f"{name}.{found.name}" for found in pkgutil.iter_modules(module.__path__)}
            waiting.extend(sorted(inner, reverse=True))


def _shows(public: str, module: ModuleType, listed: frozenset[str] | None, name: str, thing: object) -> bool:
    """Whether a module is a place where people look for an object."""
    if public == "builtins":
        return True
    if listed is not None:
        return name in listed
    home = getattr(thing, "__module__", None) or getattr(getattr(thing, "__self__", None), "__name__", None)
    if home == module.__name__:
        return True
    if not isinstance(home, str):
        return False
    return home == f"_{public}" or (home.startswith(f"{public}.") and "._" in home)


def _collect_module(collection: _Collection, public: str, module: ModuleType) -> None:
    collection.add(module.__doc__, public, public, "module")
    try:
        listed = frozenset(name for name in module.__all__ if isinstance(name, str))
    except AttributeError:
        listed = None
    for name in sorted({name for name in vars(module) if isinstance(name, str)} | (listed or frozenset())):
        if name.startswith("_"):
            continue
        try:
            thing = getattr(module, name)
        except Exception:  # a lazy name that this platform does not have
            continue
        if not _shows(public, module, listed, name, thing):
            continue
        id = name if public == "builtins" else f"{public}.{name}"
        if inspect.isclass(thing):
            _collect_class(collection, id, public, thing, alias=thing.__name__ != name)
        elif inspect.isroutine(thing):
            alias = getattr(thing, "__name__", name) != name
            collection.add(thing.__doc__, id, public, "function", alias=alias)


def _collect_class(collection: _Collection, id: str, public: str, owner: type, *, alias: bool) -> None:
    collection.add(owner.__doc__, id, public, "class", alias=alias)
    # Its own members only: inherited ones stay with their owner.
    for name, member in sorted(vars(owner).items()):
        if name.startswith("_"):
            continue
        if inspect.isclass(member):
            inner = f"{owner.__qualname__}.{name}"
            if (member.__module__, member.__qualname__) == (owner.__module__, inner):
                _collect_class(collection, f"{id}.{name}", public, member, alias=alias)
            continue
        routine = member.__func__ if isinstance(member, (staticmethod, classmethod)) else member
        if inspect.isroutine(routine):
            other = getattr(routine, "__name__", name) != name
            collection.add(routine.__doc__, f"{id}.{name}", public, "method", alias=alias or other)


def _collect_topics(collection: _Collection) -> None:
    """The language reference as pydoc carries it."""
    from pydoc_data.topics import topics

    for name, text in sorted(topics.items()):
        collection.add(text, f"topic:{name}", "pydoc_data.topics", "topic")


def _topic_title(name: str, text: str) -> str:
    """The heading of a topic, or its name made readable."""
    lines = text.split("\n", 2)
    if len(lines) > 1 and _UNDERLINE.fullmatch(lines[1].strip()):
        return lines[0].strip().replace('"', "")
    return name.removeprefix("topic:").replace("-", " ")


def main() -> None:
    """Writes the documents to standard output, whatever the imported modules print."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    errors = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    # On the level of file descriptors, so that noise from C code is caught as well.
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    warnings.simplefilter("ignore")
    collection = _Collection()
    ignored: list[str] = []
    for public, module in _modules(ignored):
        warnings.simplefilter("ignore")  # modules may reset the filters
        _collect_module(collection, public, module)
    _collect_topics(collection)
    os.dup2(errors, 2)
    with output:
        for record in collection.documents():
            if record["metadata"]["kind"] == "topic":
                record["title"] = _topic_title(record["id"], record["text"])
            output.write(json.dumps(record, ensure_ascii=False) + "\n")
        for name in sorted(ignored):
            output.write(json.dumps({"ignored": name}) + "\n")
    # A module may have started threads or registered exit handlers; nothing of theirs is wanted.
    os._exit(0)


if __name__ == "__main__":
    main()
