"""One training run with Lightning: legs, checkpoints, resuming, progress, and no model from a broken loss."""

from __future__ import annotations

import json
import logging
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from bertpipe.errors import TrainingError
from bertpipe.progress import Progress
from bertpipe.training.budget import Plan, training_device
from bertpipe.training.heap import release_heap
from bertpipe.training.legs import LegData
from bertpipe.training.visits import generator
from bertpipe.training.weight_history import WeightHistory

CHECKPOINT, WEIGHTS = "last.ckpt", "weights"
# Memory that is given back has to be fetched again: every ten steps, that took a tenth of the time.
RELEASE_SECONDS = 30.0


class _Legs(pl.Callback):
    """Seeds every step, watches the loss, tells how far training is, and saves after every leg."""

    def __init__(self, folder: Path, plan: Plan, seed: int, progress: Progress, average: int) -> None:
        self.folder, self.plan, self.seed, self.progress = folder, plan, seed, progress
        self.average = average
        self.curve: list[dict[str, float]] = []
        self._losses: list[float] = []
        self._tokens, self._since = 0, time.perf_counter()
        self._released = self._since
        self._rate = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.global_step:
            self.progress.note(f"going on at step {trainer.global_step:,} of {self.plan.steps:,}")
            self.progress.advance(trainer.global_step)
        self._since = time.perf_counter()

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        # Dropout must depend on the step alone: a checkpoint does not hold the state of the random numbers.
        torch.manual_seed(int(generator(self.seed, "dropout", trainer.global_step).integers(1 << 62)))

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs["loss"].item()
        step = trainer.global_step
        if not _finite(loss):
            raise TrainingError(
                f"the loss became {loss} at step {step:,}",
                why="training has diverged; no model was published",
                hint="Lower lr, or lengthen warmup.",
            )
        self._losses.append(loss)
        self._tokens += batch.num_tokens
        elapsed = time.perf_counter() - self._since
        if elapsed > 2.0 or not self._rate:
            self._rate = self._tokens / max(elapsed, 1e-9)
            self._tokens, self._since = 0, time.perf_counter()
        self.progress.advance(1, loss=loss, tokens_per_second=self._rate)
        if time.perf_counter() - self._released > RELEASE_SECONDS:
            release_heap()
            self._released = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._since, self._tokens = time.perf_counter(), 0  # validation is not training speed

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        mean_loss = sum(self._losses) / max(1, len(self._losses))
        self.curve.append({"step": trainer.global_step, "loss": mean_loss, **figures})
        self._losses.clear()
        if self.average > 1:
            WeightHistory(self.folder / WEIGHTS, self.average).add(trainer.global_step, module)
        partial = self.folder / f"{CHECKPOINT}.new"
        trainer.save_checkpoint(partial)
        partial.replace(self.folder / CHECKPOINT)
        self._since, self._tokens = time.perf_counter(), 0

    def state_dict(self) -> dict[str, Any]:
        return {"curve": self.curve}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.curve = list(state_dict["curve"])


def fit(
    module: pl.LightningModule,
    data: LegData,
    *,
    folder: Path,
    seed: int,
    progress: Progress,
    label: str,
    accelerator: str = "auto",
    precision: Any = "32-true",
    average: int = 1,
) -> list[dict[str, float]]:
    """Trains a module through its plan, from the checkpoint in ``folder`` if there is one.

    Args:
        module: Trained in place.
        data: Batches and plan.
        folder: For checkpoints.
        seed: Of dropout.
        progress: Told after every step.
        label: Name of the progress bar.
        accelerator: Lightning's accelerator: "auto", "cpu", "gpu" ...
        precision: Lightning's precision.
        average: The module ends with the mean of its weights after so many of the last legs.

    Returns:
        The learning curve: a point after every leg, with step, mean training loss and the validation's figures.

    Raises:
        ConfigError: There is no such accelerator here.
        TrainingError: The loss or a weight is not finite.
        KeyboardInterrupt: The user pressed Ctrl-C; the last leg's checkpoint is in ``folder``.
    """
    training_device(accelerator)  # raises in words where Lightning would raise in its own
    folder.mkdir(parents=True, exist_ok=True)
    legs = _Legs(folder, data.plan, seed, progress, average)
    checkpoint = folder / CHECKPOINT
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Lightning's advice on loader workers and on its own coming changes is nothing a user can act on.
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            accelerator=accelerator,
            devices=1,
            precision=precision,
            max_epochs=data.plan.legs,
            reload_dataloaders_every_n_epochs=1,
            num_sanity_val_steps=0,
            gradient_clip_val=1.0,
            callbacks=[legs],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        progress.start(label, total=data.plan.steps, unit="steps")
        handler = signal.getsignal(signal.SIGINT)
        try:
            trainer.fit(module, data, ckpt_path=str(checkpoint) if checkpoint.is_file() else None, weights_only=True)
        except SystemExit as stop:  # Lightning turns Ctrl-C into an exit of the process
            raise KeyboardInterrupt from stop
        finally:
            signal.signal(signal.SIGINT, handler)
            progress.finish()
    if average > 1:
        WeightHistory(folder / WEIGHTS, average).load_mean(module)
    if not all(bool(torch.isfinite(parameter).all()) for parameter in module.parameters()):
        raise TrainingError(
            "a weight is not finite after the last step", why="no model was published", hint="Lower lr."
        )
    return legs.curve


def save_curve(curve: list[dict[str, float]], path: Path) -> None:
    """Writes a learning curve as JSON lines."""
    path.write_text("".join(json.dumps(point) + "\n" for point in curve), encoding="utf-8")


def _finite(value: float) -> bool:
    return value - value == 0
