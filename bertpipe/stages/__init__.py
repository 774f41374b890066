"""The stages of the pipelines: a pipeline's task decides which it has."""

import difflib
from pathlib import Path

from bertpipe.errors import ConfigError
from bertpipe.models.decoding import DIALOGUE, SUMMARIZATION, TRANSLATION
from bertpipe.models.task_settings import CLASSIFICATION, QUESTION_ANSWERING, SIMILARITY, TAGGING
from bertpipe.pipeline.pipeline_file import RETRIEVAL, PipelineFile, read_pipeline
from bertpipe.pipeline.stage import Stage
from bertpipe.stages.corpus import CORPUS
from bertpipe.stages.embed import EMBED
from bertpipe.stages.finetune import FINETUNE
from bertpipe.stages.generation.finetune import FINETUNE_DIALOGUE, FINETUNE_SUMMARIZATION, FINETUNE_TRANSLATION
from bertpipe.stages.generation.pretrain import PRETRAIN_TRANSFORMER
from bertpipe.stages.index import INDEX, index_with
from bertpipe.stages.pretrain import PRETRAIN
from bertpipe.stages.reranker import RERANKER
from bertpipe.stages.snapshot import SNAPSHOT
from bertpipe.stages.tokenize import TOKENIZE
from bertpipe.stages.understanding.classification import CLASSIFICATION_FROM_MODEL, FINETUNE_CLASSIFICATION
from bertpipe.stages.understanding.question_answering import (
    FINETUNE_QUESTION_ANSWERING,
    QUESTION_ANSWERING_FROM_MODEL,
    READER,
    READER_FROM_MODEL,
)
from bertpipe.stages.understanding.similarity import FINETUNE_SIMILARITY, SIMILARITY_FROM_MODEL
from bertpipe.stages.understanding.tagging import FINETUNE_TAGGING, TAGGING_FROM_MODEL

STAGES: tuple[Stage, ...] = (CORPUS, SNAPSHOT, TOKENIZE, PRETRAIN, FINETUNE, EMBED, INDEX)
"""The stages of a search engine, in order."""

_READING = (CORPUS, SNAPSHOT, TOKENIZE)
TASKS: dict[str, tuple[Stage, ...]] = {
    RETRIEVAL: STAGES,
    TRANSLATION: (*_READING, PRETRAIN_TRANSFORMER, FINETUNE_TRANSLATION),
    SUMMARIZATION: (*_READING, PRETRAIN_TRANSFORMER, FINETUNE_SUMMARIZATION),
    DIALOGUE: (*_READING, PRETRAIN_TRANSFORMER, FINETUNE_DIALOGUE),
    CLASSIFICATION: (*_READING, PRETRAIN, FINETUNE_CLASSIFICATION),
    TAGGING: (*_READING, PRETRAIN, FINETUNE_TAGGING),
    SIMILARITY: (*_READING, PRETRAIN, FINETUNE_SIMILARITY),
    QUESTION_ANSWERING: (*_READING, PRETRAIN, FINETUNE_QUESTION_ANSWERING),
}
"""The stages of each task, in order."""

FROM_MODEL: dict[str, tuple[Stage, ...]] = {
    CLASSIFICATION: (CLASSIFICATION_FROM_MODEL,),
    TAGGING: (TAGGING_FROM_MODEL,),
    SIMILARITY: (SIMILARITY_FROM_MODEL,),
    QUESTION_ANSWERING: (QUESTION_ANSWERING_FROM_MODEL,),
}
"""The stages of tasks that start from a model, where the pipeline file's table ``finetune`` has the key ``model``."""


def stages_of(path: Path) -> tuple[Stage, ...]:
    """The stages of a pipeline file.

    Raises:
        ConfigError: The file cannot be read, or there is no such task.
    """
    file = read_pipeline(path)
    if file.task not in TASKS:
        line = file.line_of("task")
        place = f"{path}:{line}" if line else str(path)
        near = difflib.get_close_matches(file.task, TASKS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(TASKS)}."
        raise ConfigError(f"{place}: there is no task {file.task!r}", hint=hint)
    finetune = file.tables.get("finetune")
    if file.task in FROM_MODEL and isinstance(finetune, dict) and finetune.get("model"):
        return FROM_MODEL[file.task]
    return _with_models(file) if file.task == RETRIEVAL else TASKS[file.task]


def _with_models(file: PipelineFile) -> tuple[Stage, ...]:
    """The stages of a search engine, with a reranker and a reader if the file has tables for them."""
    more: list[Stage] = []
    if file.table(RERANKER.table) is not None:
        more.append(RERANKER)
    table = file.table(READER.table)
    if table is not None:
        more.append(READER_FROM_MODEL if isinstance(table, dict) and table.get("model") else READER)
    if not more:
        return STAGES
    place = STAGES.index(FINETUNE) + 1
    stages = (*STAGES[:place], *more, *STAGES[place:])
    return tuple(index_with(more) if stage is INDEX else stage for stage in stages)
