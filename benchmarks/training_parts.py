"""What the parts of a Transformer's training step cost on a CPU, ours beside PyTorch's.

    python benchmarks/training_parts.py --threads 1

Forward and backward pass of each part at the sizes of a small translation model: 4,096 tokens, 256 wide, 4 heads,
6,000 pieces. Ours and PyTorch's take turns, so that a busy machine troubles both alike; medians of the turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from bertpipe.nn.attention import reference_attention
from bertpipe.nn.dropout import Dropout
from bertpipe.training.smoothed_cross_entropy import smoothed_cross_entropy

TOKENS, WIDTH, HEADS, PIECES = 4096, 256, 4, 6000
Part = Callable[[], Tensor]


def dropout() -> tuple[Part, Part]:
    """Dropout of 0.3."""
    x = torch.randn(TOKENS, WIDTH, requires_grad=True)
    ours, theirs = Dropout(0.3), nn.Dropout(0.3)
    return lambda: ours(x), lambda: theirs(x)


def attention(length: int, kind: torch.dtype) -> Callable[[], tuple[Part, Part]]:
    """Attention under a padding mask."""

    def parts() -> tuple[Part, Part]:
        shape = (TOKENS // length, HEADS, length, WIDTH // HEADS)
        query, key, value = (torch.randn(shape, dtype=kind, requires_grad=True) for _ in range(3))
        mask = torch.ones(shape[0], 1, 1, length, dtype=torch.bool)
        mask[..., -3:] = False
        return (
            lambda: reference_attention(query, key, value, mask),
            lambda: functional.scaled_dot_product_attention(query, key, value, mask),
        )

    return parts


def loss(kind: torch.dtype) -> Callable[[], tuple[Part, Part]]:
    """Output matrix and smoothed cross-entropy."""

    def parts() -> tuple[Part, Part]:
        hidden = torch.randn(TOKENS, WIDTH, requires_grad=True)
        weight = (torch.randn(PIECES, WIDTH) * 0.06).requires_grad_()
        labels = torch.randint(0, PIECES, (TOKENS,))

        def ours() -> Tensor:
            with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
                return smoothed_cross_entropy(hidden, weight, None, labels, 0.1)

        def theirs() -> Tensor:
            with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
                logits = functional.linear(hidden, weight)
            return functional.cross_entropy(logits.float(), labels, label_smoothing=0.1)

        return ours, theirs

    return parts


def seconds(part: Part) -> float:
    """Time of a forward and backward pass."""
    begin = time.perf_counter()
    result = part()
    result.backward(torch.ones_like(result))
    return time.perf_counter() - begin


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    rows: dict[str, Callable[[], tuple[Part, Part]]] = {"dropout, float32": dropout}
    for kind in (torch.float32, torch.bfloat16):
        name = str(kind).removeprefix("torch.")
        rows.update({f"attention over {length}, {name}": attention(length, kind) for length in (16, 128, 512)})
        rows[f"output and loss, {name}"] = loss(kind)
    print("| part | ours, ms | PyTorch, ms | ratio (quartiles) |\n|---|---|---|---|")
    for name, make in rows.items():
        ours, theirs = make()
        for part in (ours, theirs):
            seconds(part)
        turns = [(seconds(ours), seconds(theirs)) for _ in range(arguments.turns)]
        ratios = sorted(mine / other for mine, other in turns)
        low, middle, high = statistics.quantiles(ratios, n=4)
        times = [1000 * statistics.median(column) for column in zip(*turns, strict=True)]
        print(f"| {name} | {times[0]:.1f} | {times[1]:.1f} | {middle:.2f} ({low:.2f} to {high:.2f}) |", flush=True)


if __name__ == "__main__":
    main()
