"""The non-linearity between the two maps of a feed-forward network."""

from __future__ import annotations

from typing import Literal, get_args

from torch import nn

Activation = Literal["gelu", "gelu_tanh", "relu"]


def activation_module(name: Activation) -> nn.Module:
    """A non-linearity by its name.

    Args:
        name: "gelu", exact, as BERT has it (Hendrycks and Gimpel 2016); "gelu_tanh", its approximation by a hyperbolic
            tangent in the same paper, which differs in the fourth digit; "relu", as in the original Transformer.

    Raises:
        ValueError: There is none of this name.
    """
    if name == "gelu":
        return nn.GELU()
    if name == "gelu_tanh":
        return nn.GELU(approximate="tanh")
    if name == "relu":
        return nn.ReLU()
    raise ValueError(f"no activation {name!r}; there are {', '.join(get_args(Activation))}")
