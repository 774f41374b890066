"""How varied generated texts are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def distinct(predictions: Iterable[Sequence[str]], n: int) -> float:
    """The number of different n-grams in all predictions over the number of all their tokens: 0 to 1.

    Li, Galley, Brockett, Gao and Dolan 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models",
    section 5: the count is "scaled by total number of generated tokens". (Some later programs divide by the number of
    n-grams, which is greater for n > 1.) It falls with the amount of text, so compare systems on the same inputs.

    Args:
        predictions: The tokens of each prediction; n-grams do not reach from one to the next.
        n: At least 1.

    Returns:
        0 where there is no token.

    Raises:
        ValueError: n is below 1.
    """
    if n < 1:
        raise ValueError(f"there are no n-grams of {n} tokens")
    seen: set[tuple[str, ...]] = set()
    total = 0
    for tokens in predictions:
        total += len(tokens)
        seen.update(tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1))
    return len(seen) / total if total else 0.0
