"""What a decoder layer keeps between the tokens it writes, so that nothing is computed twice."""

from __future__ import annotations

import torch
from torch import Tensor

# Positions that a cache grows by; growing copies everything, so it is done seldom.
GROWTH = 32


class LayerCache:
    """Keys and values of one decoder layer.

    R is the number of sequences being written, B that of their sources.

    Args:
        memory_key: (B, H, S, K), of the source.
        memory_value: (B, H, S, K).

    Attributes:
        memory_key: As given.
        memory_value: As given.
        length: Positions written so far.
    """

    def __init__(self, memory_key: Tensor, memory_value: Tensor) -> None:
        self.memory_key = memory_key
        self.memory_value = memory_value
        self.length = 0
        # (room, R, H, K): what is added, and what `reorder` copies, lies side by side in memory.
        self._key: Tensor | None = None
        self._value: Tensor | None = None

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Adds the newest position.

        Args:
            key: (R, H, 1, K).
            value: (R, H, 1, K).

        Returns:
            Keys and values of all positions so far, each (R, H, T, K).
        """
        if self._key is None or self._value is None or self.length == self._key.size(0):
            self._key, self._value = self._grown(self._key, key), self._grown(self._value, value)
        self._key[self.length] = key[:, :, 0]
        self._value[self.length] = value[:, :, 0]
        self.length += 1
        return self._key[: self.length].permute(1, 2, 0, 3), self._value[: self.length].permute(1, 2, 0, 3)

    def reorder(self, rows: Tensor) -> None:
        """Keeps the written positions of some sequences, in another order, some of them several times.

        Args:
            rows: (R',) int64, numbers of the rows to keep.
        """
        if self._key is not None and self._value is not None:
            self._key, self._value = self._reordered(self._key, rows), self._reordered(self._value, rows)

    def keep_sources(self, sources: Tensor) -> None:
        """Forgets the sources that are done.

        Args:
            sources: (B',) int64, numbers of those to keep.
        """
        self.memory_key = self.memory_key.index_select(0, sources)
        self.memory_value = self.memory_value.index_select(0, sources)

    def _grown(self, old: Tensor | None, newest: Tensor) -> Tensor:
        rows, heads, _, size = newest.shape
        room = newest.new_empty(self.length + GROWTH, rows, heads, size)
        if old is not None:
            room[: self.length] = old
        return room

    def _reordered(self, old: Tensor, rows: Tensor) -> Tensor:
        room = old.new_empty(old.size(0), len(rows), *old.shape[2:])
        torch.index_select(old[: self.length], 1, rows, out=room[: self.length])
        return room


class DecoderCache:
    """The caches of all layers.

    Args:
        layers: One a layer.
        memory_mask: Boolean (B, 1, 1, S), True where a source has a token; None where all have.
    """

    def __init__(self, layers: list[LayerCache], memory_mask: Tensor | None) -> None:
        self.layers = layers
        self.memory_mask = memory_mask

    @property
    def length(self) -> int:
        """Positions written so far."""
        return self.layers[0].length

    def reorder(self, rows: Tensor) -> None:
        """See `LayerCache.reorder`."""
        for layer in self.layers:
            layer.reorder(rows)

    def keep_sources(self, sources: Tensor) -> None:
        """See `LayerCache.keep_sources`."""
        for layer in self.layers:
            layer.keep_sources(sources)
        if self.memory_mask is not None:
            self.memory_mask = self.memory_mask[sources]
