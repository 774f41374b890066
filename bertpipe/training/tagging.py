"""Learning to tag, as a LightningModule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional

from bertpipe.models.token_tagger import TokenTagger
from bertpipe.training.dev_scored import DevScored
from bertpipe.training.labelled_batches import IGNORED, LabelledBatch
from bertpipe.training.tagged_units import TaggedUnits


class Tagging(DevScored):
    """Trains a tagger with the cross-entropy of every unit's tag.

    Args:
        model: The tagger.
        dev: The dev set.
        **recipe: As for `DevScored`.
    """

    def __init__(self, model: TokenTagger, *, dev: TaggedUnits, **recipe: Any) -> None:
        super().__init__(model, dev_size=len(dev.sequences), **recipe)
        self.dev = dev

    def loss(self, batch: LabelledBatch) -> Tensor:
        """Mean cross-entropy of the tags."""
        logits = self.outputs(batch).float().flatten(0, 1)  # (B T, L)
        return functional.cross_entropy(logits, batch.labels.flatten(), ignore_index=IGNORED)

    def figures(self, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """Entity scores."""
        return self.dev.scores(outputs)
