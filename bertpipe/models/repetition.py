"""Keeping a model from saying the same thing again and again."""

from __future__ import annotations

from torch import Tensor


def forbid_repeated(logits: Tensor, written: Tensor, size: int) -> None:
    """Forbids every piece that would make a run of pieces appear in a target for the second time.

    Args:
        logits: (R, V), or log-probabilities, changed in place.
        written: (R, T), the pieces so far.
        size: Length of the runs, at least 1 (Paulus et al. 2018, section 2.5, use 3).
    """
    for row, pieces in enumerate(written.tolist()):
        if len(pieces) < size:
            continue
        tail = pieces[len(pieces) - size + 1 :]
        repeated = {
            pieces[start + size - 1]
            for start in range(len(pieces) - size + 1)
            if pieces[start : start + size - 1] == tail
        }
        logits[row, list(repeated)] = float("-inf")
