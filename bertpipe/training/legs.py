"""Batches for Lightning: numbered steps, handed out leg by leg."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

from bertpipe.training.batches import Batches
from bertpipe.training.budget import Plan


class _Steps(Dataset):
    """The batches of a range of steps."""

    def __init__(self, batches: Batches, start: int, stop: int) -> None:
        self.batches, self.start, self.stop = batches, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> Any:
        return self.batches.batch(self.start + index)


class LegData(pl.LightningDataModule):
    """Gives each leg of a plan as one of Lightning's epochs, from the step that training stands at.

    Nothing but the step number decides what comes next, so a resumed run sees what an undisturbed one would have.

    Args:
        train: Training batches.
        validation: Validation batches.
        validation_steps: Number of validation batches, from number 0; the same at every validation.
        plan: Steps and legs.
        workers: Processes that prepare batches; 0 prepares them in this one.
        accumulate: Training batches in a step, whose gradients are averaged.
    """

    def __init__(
        self,
        train: Batches,
        validation: Batches | None,
        validation_steps: int,
        plan: Plan,
        workers: int = 0,
        accumulate: int = 1,
    ) -> None:
        super().__init__()
        self.train = train
        self.validation = validation
        self.validation_steps = validation_steps
        self.plan = plan
        self.workers = workers
        self.accumulate = accumulate

    def train_dataloader(self) -> DataLoader:
        """The rest of the leg that the trainer's step lies in."""
        step = self.trainer.global_step if self.trainer is not None else 0
        _, stop = self.plan.bounds(step // self.plan.leg)
        return self._loader(self.train, step * self.accumulate, max(step, stop) * self.accumulate)

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """The validation batches, if there are any."""
        if self.validation is None:
            return []
        return self._loader(self.validation, 0, self.validation_steps)

    def _loader(self, batches: Batches, start: int, stop: int) -> DataLoader:
        return DataLoader(_Steps(batches, start, stop), batch_size=None, shuffle=False, num_workers=self.workers)
