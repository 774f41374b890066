"""The text encoder, the reader and the reranker as ONNX graphs, which the query path runs without torch."""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType

import torch
from torch import nn

from bertpipe.models.answer_reader import AnswerReader
from bertpipe.models.cross_encoder import CrossEncoder
from bertpipe.models.encoder import TextEncoder

OPSET = 20  # the first with GELU as one operator


def export_encoder(encoder: TextEncoder, path: Path) -> None:
    """Writes an encoder as ONNX: ``input_ids`` and ``attention_mask`` (B, T) int64 to ``vectors`` (B, D) float32.

    Args:
        encoder: Put into evaluation mode.
        path: The file to write.

    Raises:
        KeyboardInterrupt: The user pressed Ctrl-C meanwhile; raised when the file is written.
    """
    _export(encoder, encoder.bert.config.max_length, ("input_ids", "attention_mask"), "vectors", path)


def export_reader(reader: AnswerReader, path: Path) -> None:
    """Writes a reader as ONNX: ``input_ids``, ``attention_mask``, ``token_type_ids`` (B, T) to ``logits`` (B, T, 2).

    Args:
        reader: Put into evaluation mode.
        path: The file to write.

    Raises:
        KeyboardInterrupt: The user pressed Ctrl-C meanwhile; raised when the file is written.
    """
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    _export(reader, reader.bert.config.max_length, inputs, "logits", path)


def export_reranker(model: CrossEncoder, path: Path) -> None:
    """Writes a reranker as ONNX: ``input_ids``, ``attention_mask``, ``token_type_ids`` (B, T) to ``scores`` (B,).

    Args:
        model: Put into evaluation mode.
        path: The file to write.

    Raises:
        KeyboardInterrupt: The user pressed Ctrl-C meanwhile; raised when the file is written.
    """
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    _export(model, model.bert.config.max_length, inputs, "scores", path)


def _export(model: nn.Module, longest: int, inputs: Sequence[str], output: str, path: Path) -> None:
    """Writes a model whose inputs are all int64 (B, T)."""
    model.eval()
    example = torch.full((2, min(8, longest)), 5)
    batch, tokens = torch.export.Dim("batch", min=1), torch.export.Dim("tokens", min=2, max=longest)
    shape = {0: batch, 1: tokens}
    exporter_log = logging.getLogger("torch.onnx")
    level = exporter_log.level
    exporter_log.setLevel(logging.ERROR)
    try:
        # The exporter tells its steps, and what is not installed, to whoever looks at the terminal.
        with (
            _without_interrupts(),
            warnings.catch_warnings(),
            Path(os.devnull).open("w") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                model,
                # After the piece ids come masks and segments, of which 1 is an example.
                (example, *(torch.ones_like(example) for _ in inputs[1:])),
                dynamo=True,
                input_names=list(inputs),
                output_names=[output],
                dynamic_shapes=dict.fromkeys(inputs, shape),
                opset_version=OPSET,
                verbose=False,
            )
            assert program is not None
            program.save(path)
    finally:
        exporter_log.setLevel(level)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keeps a Ctrl-C until the end of the block: torch's exporter swallows it, or fails with another error."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept: list[int] = []

    def keep(number: int, frame: FrameType | None) -> None:
        kept.append(number)

    handler = signal.signal(signal.SIGINT, keep)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if kept:
        raise KeyboardInterrupt
