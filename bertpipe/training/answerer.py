"""A trained reader in torch, for many questions with their own texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from bertpipe.errors import ArtefactError
from bertpipe.models.answer_reader import AnswerReader
from bertpipe.models.checkpoint import load_reader
from bertpipe.models.task_settings import QUESTION_ANSWERING, TaskSettings
from bertpipe.tasks.reading import PassageReader
from bertpipe.text.tokenizer import Tokenizer
from bertpipe.training.budget import training_device


def open_answerer(folder: Path, accelerator: str = "auto") -> PassageReader:
    """Opens the model folder of a pipeline with ``task = "question-answering"``, or of a step ``reader``.

    Args:
        folder: Holds ``config.json``, ``model.safetensors``, ``task.json`` and the tokenizer.
        accelerator: Lightning's name of the device to compute on.

    Returns:
        Its `read_pairs` answers questions from their own texts in batches; its ``settings`` hold the threshold below
        which there is no answer.

    Raises:
        ArtefactError: A file is missing, damaged, or of another task.
        ConfigError: There is no such device here.
    """
    settings = TaskSettings.load(folder)
    if settings.task != QUESTION_ANSWERING:
        raise ArtefactError(f"{folder} does not answer questions", why=f"its task is {settings.task}")
    return answerer(load_reader(folder), Tokenizer(folder), settings, accelerator)


def answerer(
    model: AnswerReader, tokenizer: Tokenizer, settings: TaskSettings, accelerator: str = "auto"
) -> PassageReader:
    """A reader that runs a model in torch.

    Args:
        model: Moved to the device, and put into evaluation mode.
        tokenizer: Its tokenizer.
        settings: Its limits.
        accelerator: Lightning's name of the device to compute on.
    """
    device = training_device(accelerator)
    model.to(device).eval()

    @torch.inference_mode()
    def run(input_ids: np.ndarray, attention_mask: np.ndarray, token_type_ids: np.ndarray) -> np.ndarray:
        arrays = (input_ids, attention_mask, token_type_ids)
        return model(*(torch.from_numpy(array).to(device) for array in arrays)).float().cpu().numpy()

    return PassageReader(tokenizer, settings, run)
