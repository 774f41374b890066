"""The weights of the leg of a training that did best on the dev set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from bertpipe.errors import TrainingError

FILE = "best.safetensors"


class BestWeights:
    """Keeps the best weights on disk, and says when there is no better one to hope for.

    What it decides depends on the learning curve alone, which the checkpoints hold: a killed run goes on as it would
    have.

    Args:
        folder: For the weights.
        metric: A figure of the learning curve, higher being better.
        patience: Legs without a better figure before training is over; None: it never is.
    """

    def __init__(self, folder: Path, metric: str, patience: int | None) -> None:
        self.folder, self.metric, self.patience = folder, metric, patience

    def keep(self, curve: Sequence[dict[str, float]], module: nn.Module) -> None:
        """Keeps a module's weights if the last point of the curve is its best.

        Raises:
            TrainingError: The figure is not finite.
        """
        if not math.isfinite(curve[-1][self.metric]):
            raise TrainingError(
                f"{self.metric} became {curve[-1][self.metric]} at step {curve[-1]['step']:,}",
                why="training has diverged; no model was published",
                hint="Lower lr, or lengthen warmup.",
            )
        if self._best(curve) < len(curve) - 1:
            return
        # A module with tied weights names them once.
        tensors = {name: parameter.detach().cpu().contiguous() for name, parameter in module.named_parameters()}
        partial = self.folder / f"{FILE}.new"
        save_file(tensors, partial)
        partial.replace(self.folder / FILE)

    def is_over(self, curve: Sequence[dict[str, float]]) -> bool:
        """Whether so many legs were no better that training should stop.

        As long as nothing is right at all, learning has not begun, and there is something to hope for.
        """
        if self.patience is None or not curve:
            return False
        best = self._best(curve)
        return curve[best][self.metric] > 0 and len(curve) - 1 - best >= self.patience

    @torch.no_grad()
    def load(self, module: nn.Module) -> None:
        """Gives a module the weights that were kept."""
        tensors = load_file(self.folder / FILE)
        for name, parameter in module.named_parameters():
            parameter.copy_(tensors[name])

    def _best(self, curve: Sequence[dict[str, float]]) -> int:
        """The place of the highest figure; of several the first."""
        return max(range(len(curve)), key=lambda place: (curve[place][self.metric], -place))
