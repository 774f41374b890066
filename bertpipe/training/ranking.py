"""Learning to tell the passage that answers a query from others (Nogueira and Cho 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bertpipe.models.cross_encoder import CrossEncoder
from bertpipe.training.dev_scored import DevScored
from bertpipe.training.labelled_batches import LabelledBatch

# A batch is computed in so many parts of like length, since passages of a query differ in length.
PARTS = 4


class Ranking(DevScored):
    """Trains a cross-encoder with a softmax over each query's own passage and the others beside it.

    That listwise cross-entropy (Cao et al. 2007, "Learning to Rank: From Pairwise Approach to Listwise Approach",
    section 4, with one right passage) compares passages of one query only, as reranking does.

    Args:
        model: The cross-encoder.
        dev_groups: Passages of each dev query in the dev set, in order, its own passage first.
        recipe: The other arguments of `DevScored`.
    """

    def __init__(self, model: CrossEncoder, *, dev_groups: Sequence[int], **recipe: Any) -> None:
        super().__init__(model, dev_size=sum(dev_groups), **recipe)
        self.dev_groups = list(dev_groups)

    def loss(self, batch: LabelledBatch) -> Tensor:
        """The mean cross-entropy of the right passages, in nats.

        Args:
            batch: Rows of a query stand together, and as many for each; its own passage, labelled 1, is the first.
        """
        lengths = batch.attention_mask.sum(1)
        scores = torch.zeros(len(lengths), device=lengths.device)
        for rows in lengths.argsort(stable=True).tensor_split(PARTS):
            if len(rows):
                longest = int(lengths[rows].max())
                ids, mask, types = (
                    tensor[rows, :longest] for tensor in (batch.input_ids, batch.attention_mask, batch.token_type_ids)
                )
                scores = scores.index_copy(0, rows, self.model(ids, mask, types).float())
        queries = int(batch.labels.sum())
        return functional.cross_entropy(
            scores.view(queries, -1), torch.zeros(queries, dtype=torch.long).to(scores.device)
        )

    def figures(self, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """Mean reciprocal rank of the dev queries' own passages, and how often they are first."""
        ranks = own_ranks(np.array([float(one) for one in outputs]), self.dev_groups)
        return {"mrr": float((1 / ranks).mean()), "first": float((ranks == 1).mean())}


def own_ranks(scores: np.ndarray, groups: Sequence[int]) -> np.ndarray:
    """The rank of each query's own passage; among equals it is the last.

    Args:
        scores: (R,), of all queries' passages in order, their own first.
        groups: How many passages each query has.
    """
    ranks = []
    for some in np.split(scores, np.cumsum(groups)[:-1]):
        ranks.append(1 + int((some[1:] >= some[0]).sum()))
    return np.array(ranks)
