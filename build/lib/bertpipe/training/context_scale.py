"""How much context to start fine-tuning with.

A masked language model of a few minutes blurs token vectors that already find well; one of a few days improves them.
Which it is, a look at training pairs tells: the layers' contribution is scaled to what tells the pairs apart best, and
training goes on from there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bertpipe.models.bert import Bert
from bertpipe.nn.layers import EncoderLayer
from bertpipe.training.budget import training_device
from bertpipe.training.contrastive import Contrastive
from bertpipe.training.pairs import CorpusPairs

SCALES = (1.0, 0.5, 0.25, 0.1)
BATCHES = 2


@torch.no_grad()
def set_context_scale(module: Contrastive, pairs: CorpusPairs, accelerator: str) -> float:
    """Multiplies what every residual branch adds by the scale with the lowest loss.

    Args:
        module: Its encoder is changed in place.
        pairs: Training pairs to measure with.
        accelerator: Lightning's name of the device to measure on.

    Returns:
        The scale, one of `SCALES`.
    """
    device = training_device(accelerator)
    module.to(device).eval()
    branches = _branches(module.encoder.bert)
    whole = [branch.detach().clone() for branch in branches]

    def loss(scale: float) -> float:
        for branch, original in zip(branches, whole, strict=True):
            branch.copy_(original * scale)
        return sum(module.training_step(pairs.batch(step).to(device), step).item() for step in range(BATCHES))

    best = min(SCALES, key=loss)
    for branch, original in zip(branches, whole, strict=True):
        branch.copy_(original * best)
    module.cpu().train()
    return best


def _branches(bert: Bert) -> list[Tensor]:
    """Weights and biases of the last linear maps of all residual branches."""
    ends: list[nn.Linear] = []
    for layer in bert.layers:
        assert isinstance(layer, EncoderLayer)
        ends += [layer.attention.output, layer.feed_forward.output]
    return [parameter for end in ends for parameter in (end.weight, end.bias)]
