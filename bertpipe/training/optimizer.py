"""AdamW with a warm-up and a decay (Loshchilov and Hutter 2019; Devlin et al. 2019, appendix A.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import nn

Schedule = Literal["linear", "inverse-sqrt"]


def adamw_with_warmup(
    module: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    warmup: float,
    steps: int,
    lr_scales: Mapping[str, float] | None = None,
    layer_scales: Mapping[str, float] | None = None,
    fused: bool = True,
    schedule: Schedule = "linear",
    betas: tuple[float, float] = (0.9, 0.999),
) -> OptimizerLRSchedulerConfig:
    """What `LightningModule.configure_optimizers` returns.

    Matrices are decayed; biases, norms and whatever has a learning rate of its own are not.

    Args:
        module: Its parameters are trained.
        lr: Highest learning rate.
        weight_decay: Decay of the weight matrices.
        warmup: Share of the steps in which the rate rises from 0.
        steps: Steps in all.
        lr_scales: Factors on the rate by a part of the parameters' names; 0 leaves them as they are.
        layer_scales: Factors on the rate by the beginning of the parameters' names; their matrices are decayed all the
            same.
        fused: One kernel for all of a step. Lightning does not clip gradients for it under mixed precision.
        schedule: "linear" falls to 0 at the last step; "inverse-sqrt" falls with the root of the steps (Vaswani et al.
            2017, section 5.3), which needs no end but wants the last weights averaged.
        betas: AdamW's.
    """
    scales = lr_scales or {}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        scale = next((factor for part, factor in scales.items() if part in name), None)
        decay = weight_decay if scale is None and parameter.dim() > 1 else 0.0
        if scale is None:
            scale = next((factor for part, factor in (layer_scales or {}).items() if name.startswith(part)), None)
        if scale != 0.0:
            groups.setdefault((lr * (1.0 if scale is None else scale), decay), []).append(parameter)
    optimizer = torch.optim.AdamW(
        [{"params": members, "lr": rate, "weight_decay": decay} for (rate, decay), members in groups.items()],
        betas=betas,
        fused=fused,
    )
    rising = max(1, round(steps * warmup))

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        if schedule == "inverse-sqrt":
            return math.sqrt(rising / (step + 1))
        return max(0.0, (steps - step) / max(1, steps - rising))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
