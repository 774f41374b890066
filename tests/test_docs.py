"""The documents say what the code does. `python tests/test_docs.py` writes the tables of keys anew."""

from __future__ import annotations

import re
import tomllib
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import pytest

from bertpipe.models.decoding import USUAL
from bertpipe.pipeline.pipeline import load_pipeline
from bertpipe.pipeline.pipeline_file import FALLBACK, FILE_NAME, RETRIEVAL, TOP_LEVEL_KEYS, VARIABLE
from bertpipe.pipeline.stage import NEUTRAL, Stage
from bertpipe.stages import FROM_MODEL, STAGES, TASKS, stages_of
from bertpipe.stages.reranker import RERANKER
from bertpipe.text.readers.source_files import RECORDS, WHOLE

ROOT = Path(__file__).parents[1]
KEYS_FILE = ROOT / "docs" / "pipeline-files.md"
REPORT_FILE = ROOT / "docs" / "report.md"
PIPELINES = sorted((ROOT / "pipelines").glob("*.toml"))
# The reranker stands behind the step finetune; the reader's keys are those of a task.
BEHIND = [stage.name for stage in STAGES].index("finetune") + 1
WITH_KEYS = [stage for stage in (*STAGES[:BEHIND], RERANKER, *STAGES[BEHIND:]) if stage.config.model_fields]
# The steps of the tasks that write, where they are others than those of retrieval.
WRITING = {
    name: {task: stage for task in USUAL for stage in TASKS[task] if stage.name == name}
    for name in ("pretrain", "finetune")
}
# The step finetune of the tasks that understand.
READING = {task: TASKS[task][-1] for task in FROM_MODEL}
VOCAB_SIZE = 8000
MEND = "the keys have changed: run `python tests/test_docs.py`, which writes the tables anew"


def cells_of(stage: Stage) -> dict[str, list[str]]:
    """What the table says about each of a stage's keys, from its declaration: kind, default and description."""
    cells = {}
    for name, field in stage.config.model_fields.items():
        text = (field.description or "").replace("|", "\\|")
        neutral = " *Makes nothing stale.*" if NEUTRAL in field.metadata else ""
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        cells[name] = [
            kind_of(field.annotation),
            "required" if field.is_required() else shown(default),
            f"{text}{neutral}",
        ]
    return cells


def table_of(cells: dict[str, list[str]]) -> str:
    rows = ["| key | may be | default | what it does |", "|---|---|---|---|"]
    rows += [f"| `{name}` | {' | '.join(row)} |" for name, row in cells.items()]
    return "\n".join(rows)


def keys_table(stage: Stage) -> str:
    """The table of a stage's keys."""
    return table_of(cells_of(stage))


def writing_table(name: str) -> str:
    """The table of a step of the tasks that write; what it shares with the step of retrieval is only named."""
    first, *others = WRITING[name].items()
    cells = cells_of(first[1])
    for task, stage in others:
        own = cells_of(stage)
        assert own.keys() == cells.keys(), f"the keys of {task} are others: give it a table of its own"
        for key, (kind, default, text) in own.items():
            assert [kind, text] == [cells[key][0], cells[key][2]]
            if default != cells_of(first[1])[key][1]:
                cells[key][1] += f"; {task}: {default}"
    retrieval = cells_of(next(stage for stage in STAGES if stage.name == name))
    same = [key for key, row in cells.items() if retrieval.get(key) == row]
    table = table_of({key: row for key, row in cells.items() if key not in same})
    return f"{table}\n\nAs in [{name}] of a search engine: {', '.join(f'`{key}`' for key in same)}."


def reading_tables() -> dict[str, str]:
    """Tables of the step finetune of the tasks that understand: what they share, and what each has of its own."""
    cells = {task: cells_of(stage) for task, stage in READING.items()}
    first, *others = cells.values()
    shared = {key: row for key, row in first.items() if all(other.get(key) == row for other in others)}
    retrieval = cells_of(next(stage for stage in STAGES if stage.name == "finetune"))
    same = [key for key, row in shared.items() if retrieval.get(key) == row]
    table = table_of({key: row for key, row in shared.items() if key not in same})
    tables = {"understand": f"{table}\n\nAs in [finetune] of a search engine: {', '.join(f'`{key}`' for key in same)}."}
    return tables | {
        task: table_of({key: row for key, row in own.items() if key not in shared}) for task, own in cells.items()
    }


def kind_of(annotation: Any) -> str:
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if get_origin(annotation) is Literal:
        return ", ".join(shown(part) for part in parts)
    if get_origin(annotation) is Union or type(None) in get_args(annotation):
        return " or ".join(kind_of(part) for part in parts)
    if get_origin(annotation) is tuple:
        return f"list of {kind_of(parts[0])}s"
    return {int: "whole number", float: "number", str: "text", bool: "`true`, `false`"}[annotation]


def shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        value = list(value)
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def presets_table() -> str:
    import torch

    from bertpipe.models.bert import Bert
    from bertpipe.models.config import PRESETS, BertConfig
    from bertpipe.models.heads import BertForPretraining

    rows = ["| preset | layers | width | heads | parameters |", "|---|---|---|---|---|"]
    for name, (layers, width, heads) in PRESETS.items():
        with torch.device("meta"):
            model = BertForPretraining(Bert(BertConfig.preset(name, VOCAB_SIZE)))
        millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
        rows.append(f"| `{name}` | {layers} | {width} | {heads} | {millions:.3g} million |")
    return "\n".join(rows)


def block(text: str, begin: str, end: str) -> str:
    """What stands between two comments of a document."""
    found = re.search(rf"<!-- {begin} -->\n(.*?)<!-- {end} -->", text, re.DOTALL)
    assert found, f"<!-- {begin} --> ... <!-- {end} --> is missing"
    return found[1].strip()


def rewrite() -> None:
    text = KEYS_FILE.read_text(encoding="utf-8")
    tables = {f"keys of {stage.keys}": ("end of keys", keys_table(stage)) for stage in WITH_KEYS}
    tables |= {f"keys of {name} of tasks that write": ("end of keys", writing_table(name)) for name in WRITING}
    tables |= {f"keys of finetune to {name}": ("end of keys", table) for name, table in reading_tables().items()}
    tables["presets"] = ("end of presets", presets_table())
    for begin, (end, table) in tables.items():
        block(text, begin, end)
        pattern = rf"(<!-- {begin} -->\n).*?(<!-- {end} -->)"
        text = re.sub(pattern, lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text, flags=re.DOTALL)
    KEYS_FILE.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("stage", WITH_KEYS, ids=lambda stage: stage.keys)
def test_every_key_of_every_stage_is_documented(stage):
    text = KEYS_FILE.read_text(encoding="utf-8")
    assert f"## [{stage.keys}]" in text
    written = block(text, f"keys of {stage.keys}", "end of keys")
    assert written.splitlines() == keys_table(stage).splitlines(), MEND


@pytest.mark.parametrize("name", WRITING)
def test_every_key_of_the_tasks_that_write_is_documented(name):
    text = KEYS_FILE.read_text(encoding="utf-8")
    written = block(text, f"keys of {name} of tasks that write", "end of keys")
    assert written.splitlines() == writing_table(name).splitlines(), MEND


@pytest.mark.parametrize("name", ["understand", *READING])
def test_every_key_of_the_tasks_that_understand_is_documented(name):
    written = block(KEYS_FILE.read_text(encoding="utf-8"), f"keys of finetune to {name}", "end of keys")
    assert written.splitlines() == reading_tables()[name].splitlines(), MEND


def test_tasks_that_start_from_a_model_have_the_keys_of_those_that_do_not():
    assert list(READING) == list(FROM_MODEL)
    for task, (stage,) in FROM_MODEL.items():
        assert (stage.config, stage.run) == (READING[task].config, READING[task].run)


def test_the_other_steps_of_all_tasks_are_those_of_retrieval():
    """Or they would need tables too."""
    assert set(TASKS) == {RETRIEVAL, *USUAL, *READING}
    for task in READING:
        assert TASKS[task][:-1] == STAGES[:4]
    for stages in TASKS.values():
        assert [stage for stage in stages if stage.name not in WRITING] == [
            stage for stage in STAGES if stage in stages and stage.name not in WRITING
        ]


def test_presets_are_documented():
    text = KEYS_FILE.read_text(encoding="utf-8")
    assert block(text, "presets", "end of presets").splitlines() == presets_table().splitlines(), MEND


def test_no_step_is_documented_that_does_not_exist():
    text = KEYS_FILE.read_text(encoding="utf-8")
    assert re.findall(r"(?m)^## \[([\w.]+)\]", text) == [*(stage.keys for stage in WITH_KEYS), *WRITING, "finetune"]


def test_names_and_endings_are_documented():
    text = KEYS_FILE.read_text(encoding="utf-8")
    for word in (
        *(f'"{task}"' for task in TASKS),
        *TOP_LEVEL_KEYS,
        *WHOLE,
        *RECORDS,
        FILE_NAME,
        VARIABLE,
        str(FALLBACK),
    ):
        assert f"`{word}`" in text, word


def names_in(value: Any) -> set[str]:
    """All keys in a JSON value, at any depth."""
    if not isinstance(value, dict):
        return set()
    return set(value).union(*(names_in(one) for one in value.values()))


def test_every_field_of_the_report_is_documented():
    from bertpipe.retrieval.candidates import Candidates
    from bertpipe.retrieval.held_out import HeldOutQuery
    from bertpipe.retrieval.report import FEWEST_QUERIES, Judged, make_report
    from bertpipe.retrieval.rerank_report import DEPTH, ReadQuery, make_rerank_report
    from bertpipe.text.document import Document

    def judged(name: int) -> Judged:
        sides = np.array([2, 1], np.float32), np.array([1, 2], np.float32)
        kind: Any = "title" if name % 2 else "first sentence"
        query = HeldOutQuery("?", kind, Document(str(name), "", ""))
        return Judged(query, Candidates(np.arange(2), *sides, np.zeros(2)), np.arange(2), 1)

    text = REPORT_FILE.read_text(encoding="utf-8")
    for count in (FEWEST_QUERIES - 1, FEWEST_QUERIES):
        for name in names_in(make_report([judged(number) for number in range(count)], seed=0)):
            assert f"`{name}`" in text, f"docs/report.md does not explain {name}"
    assert str(FEWEST_QUERIES) in text
    read = [ReadQuery(np.arange(2), np.arange(2.0), np.arange(2.0), 1, bool(one % 2), "hybrid") for one in range(20)]
    for name in names_in(make_rerank_report(read, seed=0)) | {"reranking"}:
        assert f"`{name}`" in text, f"docs/report.md does not explain {name}"
    assert str(DEPTH) in text


def test_every_field_of_the_structure_is_documented():
    from bertpipe.retrieval.tuning import FEWEST_QUERIES, build_tuned

    vectors = np.eye(20, dtype=np.float32)
    text = REPORT_FILE.read_text(encoding="utf-8")
    for structure in ("Flat", "SQ8"):
        for name in names_in(build_tuned(vectors, lambda: vectors, structure=structure).report):
            assert f"`{name}`" in text, f"docs/report.md does not explain {name}"
    assert f"fewer than {FEWEST_QUERIES}" in text


def test_every_score_of_generated_text_is_documented():
    pytest.importorskip("sacrebleu")
    from bertpipe.tasks.generation_scores import score_generation

    text = (ROOT / "docs" / "generation.md").read_text(encoding="utf-8")
    for name in score_generation(["a"], ["a"]).scores:
        assert f"`{name}`" in text, f"docs/generation.md does not explain {name}"


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_pipelines_load(path):
    load_pipeline(path, stages_of(path))


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_files_that_pipelines_name_exist(path):
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    for table, key in (("corpus", "path"), ("finetune", "pairs"), ("finetune", "data")):
        written = tables.get(table, {}).get(key)
        assert written is None or (path.parent / written).exists(), f"{table}.{key} = {written}"


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_every_key_of_the_pipelines_has_a_comment(path):
    before = ""
    keys = 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if re.match(r"[\w\"'-]+\s*=", line):
            keys += 1
            assert before.startswith("# "), f"{path.name}:{number} has no comment above it: {line}"
        before = line
    assert keys > 5


def test_there_are_pipelines_for_a_folder_and_for_chinese():
    assert {"quickstart.toml", "folder.toml", "chinese.toml", "translation.toml"} <= {path.name for path in PIPELINES}


if __name__ == "__main__":
    rewrite()
