"""Where a token stands: sinusoidal and rotary positions (learned ones are a plain `nn.Embedding`)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """The fixed table of Vaswani et al. 2017, section 3.5: sines at even, cosines at odd features.

    Args:
        length: Number of positions.
        width: D.

    Returns:
        (length, D).
    """
    # In single precision the angles of far positions would be off by a fraction that shows in their sines.
    position = torch.arange(length, dtype=torch.float64)[:, None]  # (length, 1)
    rate = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)  # (ceil(D / 2),)
    table = torch.empty(length, width)
    table[:, 0::2] = torch.sin(position * rate)
    table[:, 1::2] = torch.cos(position * rate)[:, : width // 2]
    return table


def rotary_rates(head_size: int) -> Tensor:
    """The angle by which each pair of features turns from one position to the next: (K / 2,)."""
    return 10000.0 ** (-torch.arange(0, head_size, 2, dtype=torch.float32) / head_size)


class Rotary(nn.Module):
    """Turns pairs of features by an angle that grows with the position (Su et al. 2021, section 3.4.2).

    The dot product of a turned query and a turned key depends on their distance alone.

    Args:
        head_size: K; must be even.
        length: Number of positions.

    Raises:
        ValueError: ``head_size`` is odd.
    """

    cosine: Tensor
    sine: Tensor

    def __init__(self, head_size: int, length: int) -> None:
        super().__init__()
        if head_size % 2:
            raise ValueError(f"rotary positions need an even head size, not {head_size}")
        angle = torch.arange(length, dtype=torch.float32)[:, None] * rotary_rates(head_size)  # (length, K / 2)
        self.register_buffer("cosine", torch.cos(angle), persistent=False)
        self.register_buffer("sine", torch.sin(angle), persistent=False)

    def forward(self, x: Tensor, position_ids: Tensor) -> Tensor:
        """Turns queries or keys.

        Args:
            x: (B, H, T, K).
            position_ids: (B, T).

        Returns:
            (B, H, T, K).
        """
        cosine = self.cosine[position_ids][:, None]  # (B, 1, T, K / 2)
        sine = self.sine[position_ids][:, None]
        first, second = x.chunk(2, dim=-1)
        return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)
