"""A trained reader in torch, for many questions with their own texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from bertpipe.errors import ArtefactError
from bertpipe.models.answer_reader import AnswerReader
from bertpipe.models.checkpoint import load_reader
from bertpipe.models.passage_reader import PassageReader
from bertpipe.models.task_settings import QUESTION_ANSWERING, TaskSettings
from bertpipe.text.tokenizer import Tokenizer


def open_answerer(folder: Path | str, device: torch.device | str | None = None) -> PassageReader:
    """Opens the model folder of a pipeline with ``task = "question-answering"``, or of a step ``reader``.

    Args:
        folder: Holds ``config.json``, ``model.safetensors``, ``task.json`` and the tokenizer.
        device: Where to compute; by default on a GPU, if there is one.

    Returns:
        Its `read_pairs` answers questions from their own texts in batches; its ``settings`` hold the threshold below
        which there is no answer.

    Raises:
        ArtefactError: A file is missing, damaged, or of another task.
        ConfigError: Its tokenizer needs a library that is not installed.
    """
    folder = Path(folder)
    settings = TaskSettings.load(folder)
    if settings.task != QUESTION_ANSWERING:
        raise ArtefactError(f"{folder} does not answer questions", why=f"its task is {settings.task}")
    return answerer(load_reader(folder), Tokenizer(folder), settings, device)


def answerer(
    model: AnswerReader, tokenizer: Tokenizer, settings: TaskSettings, device: torch.device | str | None = None
) -> PassageReader:
    """A reader that runs a model in torch.

    Args:
        model: Moved to the device, and put into evaluation mode.
        tokenizer: Its tokenizer.
        settings: Its limits.
        device: Where to compute; by default on a GPU, if there is one.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    model.to(device).eval()

    @torch.inference_mode()
    def run(input_ids: np.ndarray, attention_mask: np.ndarray, token_type_ids: np.ndarray) -> np.ndarray:
        arrays = (input_ids, attention_mask, token_type_ids)
        return model(*(torch.from_numpy(array).to(device) for array in arrays)).float().cpu().numpy()

    return PassageReader(tokenizer, settings, run)
