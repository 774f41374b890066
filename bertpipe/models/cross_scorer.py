"""A trained cross-encoder in torch, for many queries with passages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from bertpipe.models.checkpoint import load_cross_encoder
from bertpipe.models.cross_encoder import CrossEncoder
from bertpipe.models.passage_ranker import PassageRanker, RerankerSettings
from bertpipe.text.tokenizer import Tokenizer


def open_cross_scorer(
    folder: Path | str, device: torch.device | str | None = None, *, bf16: bool = False
) -> PassageRanker:
    """Opens the folder of a step ``reranker``.

    Args:
        folder: Holds ``config.json``, ``model.safetensors``, ``reranker.json`` and the tokenizer.
        device: Where to compute; by default on a GPU, if there is one.
        bf16: In bfloat16 where that does no harm.

    Raises:
        ArtefactError: A file is missing, damaged, or of another model.
        ConfigError: Its tokenizer needs a library that is not installed.
    """
    folder = Path(folder)
    settings = RerankerSettings.load(folder)
    return cross_scorer(load_cross_encoder(folder), Tokenizer(folder), settings, device, bf16=bf16)


def cross_scorer(
    model: CrossEncoder,
    tokenizer: Tokenizer,
    settings: RerankerSettings,
    device: torch.device | str | None = None,
    *,
    bf16: bool = False,
) -> PassageRanker:
    """A ranker that runs a model in torch.

    Args:
        model: Moved to the device, and put into evaluation mode.
        tokenizer: Its tokenizer.
        settings: Its limits.
        device: Where to compute; by default on a GPU, if there is one.
        bf16: In bfloat16 where that does no harm.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    model.to(device).eval()

    @torch.inference_mode()
    def run(input_ids: np.ndarray, attention_mask: np.ndarray, token_type_ids: np.ndarray) -> np.ndarray:
        arrays = (input_ids, attention_mask, token_type_ids)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            return model(*(torch.from_numpy(array).to(device) for array in arrays)).float().cpu().numpy()

    return PassageRanker(tokenizer, settings, run)
