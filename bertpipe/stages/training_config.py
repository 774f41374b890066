"""The settings that both training stages share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from bertpipe.duration import parse_duration
from bertpipe.pipeline.stage import NEUTRAL


class TrainingConfig(BaseModel, extra="forbid"):
    """How long and how to train."""

    budget: str = Field("4m", description='Time to train: "90s", "4m", "1h30m". Turned into steps before the first.')
    steps: int | None = Field(None, gt=0, description="Steps to train, instead of a time.")
    tokens: int | None = Field(None, gt=0, description="Tokens to train on, instead of a time.")
    lr: float = Field(1e-3, gt=0, description="Highest learning rate.")
    warmup: float = Field(0.06, ge=0, le=1, description="Share of the steps in which the learning rate rises.")
    weight_decay: float = Field(0.01, ge=0, description="Decay of the weight matrices.")
    seed: int = Field(0, ge=0, description="Seed of the weights, the order and all random choices.")
    precision: Literal["32-true", "bf16-mixed"] = Field(
        "32-true", description="Arithmetic; bf16-mixed is for GPUs that have it."
    )
    accelerator: Annotated[str, NEUTRAL] = Field("auto", description="auto, cpu, gpu or mps.")
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
