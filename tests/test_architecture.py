"""The floors of the house, enforced: reads every import of the package, lazy ones and those for types too."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "bertpipe"
FLOORS = ("ground", "nn", "text", "tasks", "models", "pipeline", "retrieval", "training", "stages", "cli")
GROUND = ("duration", "errors", "progress", "user_path", "")
TORCH = ("torch", "pytorch_lightning", "lightning")
MUST_NOT_KNOW = {
    "ground": (*TORCH, "numpy", "pydantic", "click", "rich"),
    "nn": ("pytorch_lightning", "lightning", "pydantic", "click", "rich"),
    "text": (*TORCH, "click", "rich"),
    "models": ("pytorch_lightning", "lightning", "click", "rich"),
    "tasks": (*TORCH, "click", "rich", "pydantic"),
    "retrieval": (*TORCH, "click", "rich", "pydantic"),
    "training": ("click", "rich"),
    "pipeline": (*TORCH, "numpy", "click", "rich", "onnxruntime", "faiss", "sentencepiece", "tantivy"),
    "stages": ("click", "rich"),
    "cli": (*TORCH, "numpy", "faiss", "onnxruntime", "sentencepiece", "tantivy", "scipy"),
}
# Beside its own floor and the ground, the pipeline engine knows nothing of what a stage does.
PIPELINE_MUST_NOT_KNOW = ("nn", "text", "models", "tasks", "retrieval", "training", "stages")


@dataclass(frozen=True)
class Import:
    """One import: which module says it, what it names, and whether it is done when the module is loaded."""

    module: str
    line: int
    target: str
    at_once: bool
    for_types: bool


def module_name(path: Path) -> str:
    parts = ("bertpipe", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def floor_of(module: str) -> str:
    first = [*module.split("."), ""][1]
    if first == "__main__":
        return "cli"
    return "ground" if first in GROUND else first


def imports_of(module: str) -> Iterator[Import]:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    yield from _walk(tree, module, at_once=True, for_types=False)


def _walk(node: ast.AST, module: str, *, at_once: bool, for_types: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for target in _targets(child, module):
            yield Import(module, child.lineno, target, at_once and not for_types, for_types)
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from _walk(child, module, at_once=at_once and not inside, for_types=for_types or types)


def _targets(node: ast.AST, module: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{module}:{node.lineno}: imports are written in full"
        for alias in node.names:
            below = f"{node.module}.{alias.name}"
            yield below if below in MODULES else str(node.module)
    elif isinstance(node, ast.Constant) and node.value in MODULES and node.value.count(".") > 1:
        yield node.value  # a module named in a text is one to be imported by that name


ALL = [item for module in MODULES for item in imports_of(module)]
OURS = [item for item in ALL if item.target.split(".")[0] == "bertpipe"]


def reached(start: str, *, only_at_once: bool) -> dict[str, str]:
    """Everything that loading a module imports in the end, each with the module that imports it."""
    found: dict[str, str] = {start: ""}
    left = [start]
    while left:
        module = left.pop()
        for item in imports_of(module):
            if item.for_types or (only_at_once and not item.at_once):
                continue
            # Loading a.b.c loads a and a.b first.
            parts = item.target.split(".")
            for length in range(1, len(parts) + 1):
                name = ".".join(parts[:length])
                if name not in found:
                    found[name] = module
                    if name in MODULES:
                        left.append(name)
    return found


def way(found: dict[str, str], name: str) -> str:
    steps = [name]
    while found[steps[-1]]:
        steps.append(found[steps[-1]])
    return " <- ".join(steps)


def test_every_module_is_on_a_floor():
    assert len(MODULES) > 20
    assert {floor_of(module) for module in MODULES} <= set(FLOORS)


def test_imports_go_down_or_sideways():
    rank = {floor: number for number, floor in enumerate(FLOORS)}
    # The package itself names for type checkers what it hands out, and imports it when it is asked for.
    wrong = [
        item
        for item in OURS
        if rank[floor_of(item.target)] > rank[floor_of(item.module)]
        and not (item.module == "bertpipe" and item.for_types)
    ]
    assert not wrong


def test_the_engine_knows_no_stage():
    wrong = [
        item for item in OURS if floor_of(item.module) == "pipeline" and floor_of(item.target) in PIPELINE_MUST_NOT_KNOW
    ]
    assert not wrong


def test_nn_knows_nothing_of_ours_but_errors():
    wrong = [
        item
        for item in OURS
        if floor_of(item.module) == "nn"
        and floor_of(item.target) != "nn"
        and item.target not in ("bertpipe.errors", "bertpipe")
    ]
    assert not wrong


@pytest.mark.parametrize("floor", FLOORS)
def test_what_a_floor_must_not_know(floor):
    wrong = [
        item for item in ALL if floor_of(item.module) == floor and item.target.split(".")[0] in MUST_NOT_KNOW[floor]
    ]
    assert not wrong


def test_no_circles():
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for item in OURS:
        if item.target in graph:
            graph[item.module].add(item.target)
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for target in sorted(graph[module]):
                visit(target, [*path, module])
            done.add(module)

    for module in graph:
        visit(module, [])


def test_the_query_path_reaches_no_torch():
    for module in MODULES:
        if floor_of(module) in ("text", "tasks", "retrieval"):
            found = reached(module, only_at_once=False)
            for name in TORCH:
                assert name not in found, way(found, name)


@pytest.mark.parametrize("command", ["search", "ask"])
def test_the_commands_that_look_something_up_reach_neither_torch_nor_pydantic(command):
    found = reached(f"bertpipe.cli.{command}", only_at_once=False)
    for name in (*TORCH, "pydantic"):
        assert name not in found, way(found, name)


def test_stages_and_commands_load_without_torch():
    for module in MODULES:
        if floor_of(module) in ("stages", "cli", "pipeline"):
            found = reached(module, only_at_once=True)
            for name in TORCH:
                assert name not in found, way(found, name)


def test_only_a_document_says_whether_it_is_held_out():
    """Whoever asked by the id would learn from one reply of a held-out dialogue."""
    asking = [module for module, path in MODULES.items() if "is_held_out" in path.read_text(encoding="utf-8")]
    assert asking == ["bertpipe.text.document"]


def test_names_say_what_a_thing_is():
    names = {path.name for path in MODULES.values()}
    assert not names & {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}
