"""The weights after the last legs of a training, for their mean."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


class WeightHistory:
    """Weights on disk by step; a mean of the last ones is often better than the last one.

    Vaswani et al. 2017, section 6.1, average the last 5 checkpoints.

    Args:
        folder: Created when the first weights come.
        size: How many to keep.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size

    def add(self, step: int, module: nn.Module) -> None:
        """Keeps a module's weights, and forgets the oldest that are too many.

        Args:
            step: Of the training; weights kept for a step before are replaced.
            module: The module.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: parameter.detach().cpu().contiguous() for name, parameter in module.named_parameters()}
        path = self.folder / f"{step:09d}.safetensors"
        partial = path.with_suffix(".new")
        save_file(tensors, partial)
        partial.replace(path)
        for old in self._files()[: -self.size]:
            old.unlink()

    @torch.no_grad()
    def load_mean(self, module: nn.Module) -> None:
        """Gives a module the mean of the weights that are kept.

        Args:
            module: Of the same kind as those that were added.
        """
        files = self._files()[-self.size :]
        sums: dict[str, Tensor] = {}
        for path in files:
            for name, tensor in load_file(path).items():
                sums[name] = sums[name] + tensor.double() if name in sums else tensor.double()
        for name, parameter in module.named_parameters():
            parameter.copy_(sums[name] / len(files))

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"))
