"""How rare words or pieces are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def rarities(texts: Sequence[Collection[T]]) -> dict[T, float]:
    """The inverse document frequency of everything that stands in a text (Spärck Jones 1972).

    Args:
        texts: The different words or pieces of each.

    Returns:
        The logarithm of how many texts there are for each that holds it: 0 for what stands in all.
    """
    held = Counter(one for text in texts for one in text)
    return {one: math.log(len(texts) / count) for one, count in held.items()}
