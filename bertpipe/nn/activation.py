"""The non-linearity between the two maps of a feed-forward network."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn import functional

Activation = Literal["gelu", "gelu_tanh", "relu", "silu", "geglu"]
GATED = ("geglu",)
"""Those that take twice as many features as they give."""


class GatedGelu(nn.Module):
    """A GELU of one half of the features gates the other half (Shazeer 2020, "GLU variants improve Transformer")."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., 2 F) -> (..., F)."""
        value, gate = x.chunk(2, dim=-1)
        return functional.gelu(gate) * value


def activation_module(name: Activation) -> nn.Module:
    """A non-linearity by its name.

    Args:
        name: "gelu", exact, as BERT has it (Hendrycks and Gimpel 2016); "gelu_tanh", its approximation by a hyperbolic
            tangent in the same paper, which differs in the fourth digit; "relu", as in the original Transformer;
            "silu", x times its own sigmoid, also called swish (Elfwing et al. 2017; Ramachandran et al. 2017); "geglu",
            see `GatedGelu`.

    Raises:
        ValueError: There is none of this name.
    """
    if name == "gelu":
        return nn.GELU()
    if name == "gelu_tanh":
        return nn.GELU(approximate="tanh")
    if name == "relu":
        return nn.ReLU()
    if name == "silu":
        return nn.SiLU()
    if name == "geglu":
        return GatedGelu()
    raise ValueError(f"no activation {name!r}; there are {', '.join(get_args(Activation))}")
