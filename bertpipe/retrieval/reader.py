"""The reader on the query path: finds the answer in passages with an ONNX graph, without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bertpipe.errors import ArtefactError
from bertpipe.models.passage_reader import PassageReader
from bertpipe.models.task_settings import QUESTION_ANSWERING, SETTINGS, TaskSettings
from bertpipe.retrieval.graph import FEW_TOKENS, files_digest, open_graph
from bertpipe.text.tokenizer import Tokenizer, tokenizer_file

GRAPH = "reader.onnx"


def reader_files(folder: Path) -> list[Path]:
    """A reader's three files: graph, tokenizer and settings.

    Raises:
        ArtefactError: There is no tokenizer.
    """
    return [folder / GRAPH, tokenizer_file(folder), folder / SETTINGS]


def reader_digest(folder: Path) -> str:
    """Sha256 over a reader's three files.

    Raises:
        ArtefactError: A file is missing.
    """
    return files_digest(reader_files(folder), "the reader")


def open_reader(folder: Path, threads: int = 0) -> PassageReader:
    """Opens a reader.

    Args:
        folder: Holds ``reader.onnx``, ``task.json``, and ``tokenizer.model`` or ``tokenizer.json``.
        threads: Threads to compute with; 0 is all cores.

    Raises:
        ArtefactError: A file is missing or damaged, or it is of another task.
        ConfigError: Its tokenizer needs a library that is not installed.
    """
    settings = TaskSettings.load(folder)
    if settings.task != QUESTION_ANSWERING:
        raise ArtefactError(f"{folder} is no reader", why=f"its task is {settings.task}")
    session = open_graph(folder / GRAPH, threads)

    def run(input_ids: np.ndarray, attention_mask: np.ndarray, token_type_ids: np.ndarray) -> np.ndarray:
        feed = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        return session.run(None, feed)[0]

    return PassageReader(Tokenizer(folder), settings, run, FEW_TOKENS)
