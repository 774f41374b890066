"""The reranker on the query path: reads queries together with passages with an ONNX graph, without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bertpipe.models.passage_ranker import SETTINGS, PassageRanker, RerankerSettings
from bertpipe.retrieval.graph import FEW_TOKENS, files_digest, open_graph
from bertpipe.text.tokenizer import Tokenizer, tokenizer_file

GRAPH = "reranker.onnx"


def reranker_files(folder: Path) -> list[Path]:
    """A reranker's three files: graph, tokenizer and settings.

    Raises:
        ArtefactError: There is no tokenizer.
    """
    return [folder / GRAPH, tokenizer_file(folder), folder / SETTINGS]


def reranker_digest(folder: Path) -> str:
    """Sha256 over a reranker's three files.

    Raises:
        ArtefactError: A file is missing.
    """
    return files_digest(reranker_files(folder), "the reranker")


def open_reranker(folder: Path, threads: int = 0) -> PassageRanker:
    """Opens a reranker.

    Args:
        folder: Holds ``reranker.onnx``, ``reranker.json``, and ``tokenizer.model`` or ``tokenizer.json``.
        threads: Threads to compute with; 0 is all cores.

    Raises:
        ArtefactError: A file is missing or damaged.
        ConfigError: Its tokenizer needs a library that is not installed.
    """
    settings = RerankerSettings.load(folder)
    session = open_graph(folder / GRAPH, threads)

    def run(input_ids: np.ndarray, attention_mask: np.ndarray, token_type_ids: np.ndarray) -> np.ndarray:
        feed = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        return session.run(None, feed)[0]

    return PassageRanker(Tokenizer(folder), settings, run, FEW_TOKENS)
