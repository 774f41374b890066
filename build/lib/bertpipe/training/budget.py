"""How long to train: a number of steps, written down before the first one.

A learning rate that falls to zero has to know the end beforehand, and a run that was killed has to follow the plan
that it started with, however fast the machine is the second time.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch

from bertpipe.duration import parse_duration
from bertpipe.errors import ArtefactError, ConfigError
from bertpipe.training.batches import Batches

# Steps before the clock starts (first allocations, thread pools), and for how long it then runs.
UNTIMED_STEPS, TIMED_STEPS, TIMED_SECONDS = 2, 12, 6.0
# A machine is seldom faster later than while it is measured; validation and checkpoints take time as well.
SAFETY = 0.92
# A kill costs at most a tenth of the work or a thousand steps; every leg costs a validation and a checkpoint.
LEGS, SHORTEST_LEG, LONGEST_LEG = 10, 5, 1000


@dataclass(frozen=True)
class Plan:
    """What a training run does, fixed before its first step.

    Attributes:
        steps: Optimizer steps in all.
        leg: Steps between two checkpoints, each followed by a validation.
        tokens_per_second: As measured, where the budget was a time; else 0.
    """

    steps: int
    leg: int
    tokens_per_second: float = 0.0

    @property
    def legs(self) -> int:
        """Number of legs; the last one may be shorter."""
        return -(-self.steps // self.leg)

    def bounds(self, leg: int) -> tuple[int, int]:
        """First step of a leg, and the step after its last."""
        return leg * self.leg, min((leg + 1) * self.leg, self.steps)


def make_plan(
    path: Path,
    *,
    steps: int | None,
    tokens: int | None,
    budget: str,
    tokens_per_step: Callable[[], float],
    measure: Callable[[], tuple[float, float]],
) -> Plan:
    """Reads the plan written by an earlier, killed run, or makes one and writes it.

    Args:
        path: The plan's file, kept with the checkpoints.
        steps: Budget in steps, or None.
        tokens: Budget in tokens, or None; comes before ``budget`` and after ``steps``.
        budget: Budget in time.
        tokens_per_step: Average tokens in a batch; called only for a budget in tokens.
        measure: Steps and tokens a second; called only for a budget in time.

    Raises:
        ValueError: The budget is not a length of time.
        ArtefactError: The written plan cannot be read.
    """
    if path.is_file():
        try:
            return Plan(**json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError) as error:
            raise ArtefactError(f"{path} is damaged", hint="Run the step again with --force.") from error
    rate = 0.0
    if steps is not None:
        total = steps
    elif tokens is not None:
        total = round(tokens / max(1.0, tokens_per_step()))
    else:
        seconds = parse_duration(budget)
        steps_per_second, rate = measure()
        total = int(seconds * steps_per_second * SAFETY)
    total = max(1, total)
    leg = min(max(-(-total // LEGS), SHORTEST_LEG), LONGEST_LEG)
    plan = Plan(steps=total, leg=leg, tokens_per_second=round(rate, 1))
    partial = path.with_suffix(".new")
    partial.write_text(json.dumps(asdict(plan)) + "\n", encoding="utf-8")
    partial.replace(path)
    return plan


def measure_throughput(module: pl.LightningModule, batches: Batches, accelerator: str) -> tuple[float, float]:
    """Trains a copy of a module for a few seconds.

    Args:
        module: Left as it is.
        batches: Its training batches.
        accelerator: Lightning's name of the device to train on.

    Returns:
        Steps a second and tokens a second.
    """
    device = training_device(accelerator)
    trial = copy.deepcopy(module).train().to(device)
    optimizer = torch.optim.AdamW(trial.parameters(), lr=1e-6, fused=True)
    begin = time.perf_counter()
    steps = tokens = 0
    for number in range(UNTIMED_STEPS + TIMED_STEPS):
        if number == UNTIMED_STEPS:
            begin = time.perf_counter()
        batch = batches.batch(number)
        optimizer.zero_grad()
        loss = trial.training_step(batch.to(device), number)
        assert isinstance(loss, torch.Tensor)
        loss.backward()
        optimizer.step()
        loss.item()  # waits for a device that works ahead
        if number >= UNTIMED_STEPS:
            steps += 1
            tokens += batch.num_tokens
            if time.perf_counter() - begin > TIMED_SECONDS:
                break
    seconds = time.perf_counter() - begin
    return steps / seconds, tokens / seconds


def training_device(accelerator: str) -> torch.device:
    """The device that Lightning will train on.

    Args:
        accelerator: Lightning's name of it.

    Raises:
        ConfigError: This machine, or this torch, has no such device.
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    if accelerator not in ("auto", "cpu"):
        raise ConfigError(
            f"accelerator = {accelerator!r}: torch finds none here", hint='Use "auto", which takes what there is.'
        )
    return torch.device("cpu")
