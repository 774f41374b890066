"""ONNX graphs on the query path: how they are opened, and known again by their files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import onnxruntime

from bertpipe.errors import ArtefactError

FEW_TOKENS = 384
"""Tokens, padding included, that a graph is given at once to read a few passages for a query: with more, the padding of
texts of several lengths costs more than starting again, and what is computed falls out of the cache."""
# Fused with the addition before it, layer normalisation is slower (onnxruntime 1.32, CPU): of a graph in 8 bits by 15%.
SLOWER = ["SkipLayerNormFusion", "BiasSkipLayerNormFusion"]


def open_graph(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Opens a graph on the CPU.

    Args:
        path: The file.
        threads: Threads to compute with; 0 is all cores.

    Raises:
        ArtefactError: It is missing or damaged.
    """
    return open_graph_of(str(path), path, threads)


def open_graph_of(model: str | bytes, path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Opens a graph from a file's name or from bytes; otherwise as `open_graph`.

    Args:
        model: The name, or what such a file holds.
        path: The file that an error names.
        threads: Threads to compute with; 0 is all cores.

    Raises:
        ArtefactError: It is missing or damaged.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOWER
        )
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise ArtefactError(f"{path} is missing or damaged", why=str(error)) from error


def files_digest(paths: Iterable[Path], owner: str) -> str:
    """Sha256 (hex) over files.

    Args:
        paths: In the order that counts.
        owner: Whose files they are: "the encoder".

    Raises:
        ArtefactError: One cannot be read.
    """
    whole = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise ArtefactError(f"{owner}'s file {path} cannot be read", why=str(error)) from error
    return whole.hexdigest()
