"""What both training stages share: the settings of a training run, and the run itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from bertpipe.duration import parse_duration
from bertpipe.errors import InputError
from bertpipe.pipeline.stage import NEUTRAL, StageRun

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from bertpipe.text.token_store import TokenStore
    from bertpipe.training.batches import Batches

CURVE = "curve.jsonl"
SAMPLED_STEPS = 8


class TrainingConfig(BaseModel, extra="forbid"):
    """How long and how to train."""

    budget: str = Field("4m", description='Time to train: "90s", "4m", "1h30m". Turned into steps before the first.')
    steps: int | None = Field(
        None, ge=0, description="Steps to train, instead of a time; 0 takes the weights as they are."
    )
    tokens: int | None = Field(None, gt=0, description="Tokens to train on, instead of a time.")
    lr: float | None = Field(None, gt=0, description="Highest learning rate.")
    warmup: float = Field(0.06, ge=0, le=1, description="Share of the steps in which the learning rate rises.")
    weight_decay: float = Field(0.01, ge=0, description="Decay of the weight matrices.")
    seed: int = Field(0, ge=0, description="Seed of the weights, the order and all random choices.")
    precision: Literal["32-true", "bf16-mixed"] = Field(
        "32-true", description="Arithmetic; bf16-mixed is for GPUs and CPUs that have it (AMX, AVX-512 with bfloat16)."
    )
    accelerator: Annotated[Literal["auto", "cpu", "gpu", "mps"], NEUTRAL] = Field(
        "auto", description="What to train on; auto: a GPU if there is one."
    )
    workers: Annotated[int, NEUTRAL] = Field(0, ge=0, description="Processes that prepare batches.")

    @field_validator("budget")
    @classmethod
    def _a_length_of_time(cls, value: str) -> str:
        parse_duration(value)
        return value

    @model_validator(mode="after")
    def _one_budget(self) -> TrainingConfig:
        if self.steps is not None and self.tokens is not None:
            raise ValueError("steps and tokens are both given; give one")
        return self


def require_text(store: TokenStore) -> None:
    """Makes sure that there is something to learn from.

    Raises:
        InputError: There is not.
    """
    if not store.num_tokens:
        raise InputError(
            "there is too little text to learn from",
            why="all of it is held out to ask about later",
            hint="Add documents; a few hundred are a sensible minimum.",
        )


def train(
    run: StageRun,
    recipe: Callable[[int], pl.LightningModule],
    batches: Batches,
    validation: Batches | None,
    validation_steps: int,
    label: str,
    average: int = 1,
    *,
    steps: int | None = None,
    accumulate: int = 1,
    best: str | None = None,
    patience: int | None = None,
) -> dict[str, Any]:
    """Trains within the config's budget, from where a killed run stopped, and writes the learning curve.

    Args:
        run: Its config is a `TrainingConfig`.
        recipe: Makes the module for a number of steps; every module it makes trains the same model.
        batches: Training batches.
        validation: Validation batches, if there are any.
        validation_steps: How many of them.
        label: Name of the progress bar.
        average: The model ends with the mean of its weights after so many of the last legs.
        steps: How many, if the config does not say so.
        accumulate: Batches whose gradients make one step.
        best: A figure of the validation; the model ends with the weights of the leg in which it was highest.
        patience: Legs in which ``best`` may fail to rise before training stops.

    Returns:
        Metrics: a point of the curve, the last or the best, the steps, and the measured tokens a second. Without a
        step, that alone.
    """
    config: TrainingConfig = run.config
    if config.steps == 0:
        (run.out / CURVE).touch()
        return {"steps": 0}
    from bertpipe.training.budget import make_plan, measure_throughput
    from bertpipe.training.fit import fit, save_curve
    from bertpipe.training.legs import LegData

    def measure() -> tuple[float, float]:
        batches_per_second, rate = measure_throughput(recipe(1), batches, config.accelerator, config.precision)
        return batches_per_second / accumulate, rate

    plan = make_plan(
        run.resume / "plan.json",
        steps=steps if config.steps is None else config.steps,
        tokens=config.tokens,
        budget=config.budget,
        tokens_per_step=lambda: (
            accumulate * sum(batches.batch(step).num_tokens for step in range(SAMPLED_STEPS)) / SAMPLED_STEPS
        ),
        measure=measure,
    )
    curve = fit(
        recipe(plan.steps),
        LegData(batches, validation, validation_steps, plan, config.workers, accumulate),
        folder=run.resume,
        seed=config.seed,
        progress=run.progress,
        label=label,
        accelerator=config.accelerator,
        precision=config.precision,
        average=average,
        best=best,
        patience=patience,
    )
    save_curve(curve, run.out / CURVE)
    point = max(curve, key=lambda point: point[best]) if best else curve[-1]
    final = {name: round(value, 4) for name, value in point.items() if name != "step"}
    if best:
        final["best_step"] = point["step"]
    measured = {"tokens_per_second": plan.tokens_per_second} if plan.tokens_per_second else {}
    return {**final, "steps": curve[-1]["step"], **measured}
