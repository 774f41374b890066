"""AdamW with a warm-up and a linear decay (Loshchilov and Hutter 2019; Devlin et al. 2019, appendix A.2)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import nn


def adamw_with_warmup(
    module: nn.Module, *, lr: float, weight_decay: float, warmup: float, steps: int, pooling_lr_scale: float = 1.0
) -> OptimizerLRSchedulerConfig:
    """What `LightningModule.configure_optimizers` returns.

    Biases, norms and the pooling's weights are not decayed.

    Args:
        module: Its parameters are trained.
        lr: Highest learning rate.
        weight_decay: Decay of the weight matrices.
        warmup: Share of the steps in which the rate rises from 0; it falls to 0 over the rest.
        steps: Steps in all.
        pooling_lr_scale: Factor on the rate for the pooling's weights, one number a piece, which may move faster.
    """
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    pooling: list[nn.Parameter] = []
    for name, parameter in _trainable(module):
        if "log_weight" in name:
            pooling.append(parameter)
        else:
            (decayed if parameter.dim() > 1 else plain).append(parameter)
    groups = [
        {"params": decayed, "lr": lr, "weight_decay": weight_decay},
        {"params": plain, "lr": lr, "weight_decay": 0.0},
        {"params": pooling, "lr": lr * pooling_lr_scale, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], betas=(0.9, 0.999), fused=True)
    rising = max(1, round(steps * warmup))

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return max(0.0, (steps - step) / max(1, steps - rising))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def _trainable(module: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
    return ((name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad)
