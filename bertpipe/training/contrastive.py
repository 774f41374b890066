"""Contrastive training of the text encoder as a LightningModule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from bertpipe.models.encoder import TextEncoder
from bertpipe.training.optimizer import adamw_with_warmup
from bertpipe.training.pairs import PairBatch

# CLIP starts from a temperature of 0.07 and lets none in below 0.01 (Radford et al. 2021, section 2.5).
START_TEMPERATURE, SMALLEST_TEMPERATURE = 0.03, 0.01
# The temperature is one number with a long way to go: at the rate of an imported model's weights it would stay put.
TEMPERATURE_LR = 3e-4
# Every text shares these few vectors. Adam would move them by full steps, and what they learn from pairs is how to
# tell the training texts apart by place; they stay as pretraining left them.
SHARED = ("position_embedding", "segment_embedding", "embedding_norm")


class Contrastive(pl.LightningModule):
    """Pulls each query to its passage and away from the batch's other passages, and each passage likewise.

    InfoNCE in both directions with in-batch negatives and a learned temperature (van den Oord et al. 2018;
    Karpukhin et al. 2020, section 3.2; Radford et al. 2021). Queries are also pulled away from the batch's hard
    negatives. With chunks, the batch is encoded piece by piece, and each piece once more on the way back: memory does
    not bound the number of negatives, and the gradients are those of the whole batch (Gao et al. 2021, "Scaling Deep
    Contrastive Learning Batch Size under Memory Limited Setup").

    Args:
        encoder: The encoder, for both sides.
        lr: Highest learning rate.
        weight_decay: Decay of the weight matrices.
        warmup: Share of the steps in which the rate rises.
        steps: Steps in all.
        pooling_lr_scale: Factor on the rate of the pooling's weights.
        token_lr_scale: Factor on the rate of the token embedding.
        chunk_tokens: Tokens whose intermediate values are kept at a time; 0: the whole batch's.
        dimensions: The loss counts the first so many dimensions of the vectors as well, each number of them for itself
            (Kusupati et al. 2022, "Matryoshka Representation Learning", section 3).
        teacher_weight: Of the loss against the teacher's scores in a batch, beside the other; 0 without a teacher.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        *,
        lr: float,
        weight_decay: float,
        warmup: float,
        steps: int,
        pooling_lr_scale: float,
        token_lr_scale: float,
        chunk_tokens: int = 0,
        dimensions: Sequence[int] = (),
        teacher_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.chunk_tokens = chunk_tokens
        self.teacher_weight = teacher_weight
        self.dimensions = (*dimensions, encoder.bert.config.width)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / START_TEMPERATURE)))
        self.recipe: dict[str, Any] = {
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "steps": steps,
            "lr_scales": {
                "log_weight": pooling_lr_scale,
                "token_embedding": token_lr_scale,
                "log_scale": max(1.0, TEMPERATURE_LR / lr),
                **dict.fromkeys(SHARED, 0.0),
            },
        }

    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        """The mean of the losses of both directions, and the teacher's."""
        vectors = self._vectors(batch)
        losses = []
        for dimensions in self.dimensions:
            scores = self._scores(batch, vectors, dimensions)  # (B, P)
            there, back = among_wrong_ones(scores, batch)
            own = torch.arange(batch.pairs, device=back.device)
            losses.append((functional.cross_entropy(there, batch.own) + functional.cross_entropy(back, own)) / 2)
            if self.teacher_weight:
                losses[-1] = losses[-1] + self.teacher_weight * distillation(scores, batch)
        return torch.stack(losses).mean()

    def validation_step(self, batch: PairBatch, batch_idx: int) -> None:
        """Logs the loss, and how often a query's own passage is the nearest of the batch."""
        scores, _ = among_wrong_ones(self._scores(batch, self._vectors(batch), self.dimensions[-1]), batch)
        self.log("val_loss", functional.cross_entropy(scores, batch.own), batch_size=batch.pairs)
        nearest = (scores.argmax(-1) == batch.own).float().mean()
        self.log("val_in_batch_accuracy", nearest, batch_size=batch.pairs)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with a warm-up and a linear decay."""
        return adamw_with_warmup(self, **self.recipe, fused=self.trainer.precision == "32-true")

    def _vectors(self, batch: PairBatch) -> Tensor:
        """A vector for every text."""
        rows = max(1, self.chunk_tokens // batch.input_ids.size(1)) if self.chunk_tokens else len(batch.input_ids)
        if rows >= len(batch.input_ids) or not torch.is_grad_enabled():
            return self.encoder.encode_packed(batch.input_ids, batch.sequence_ids, batch.text_index, batch.texts)
        numbers, vectors = [], []
        for begin in range(0, len(batch.input_ids), rows):
            part = slice(begin, begin + rows)
            # A text lies in one row. Padding has the highest number, so that it comes last, if it comes at all.
            texts, places = batch.text_index[part].unique(return_inverse=True)
            texts = texts[texts < batch.texts]
            numbers.append(texts)
            vectors.append(
                checkpoint(
                    self.encoder.encode_packed,
                    batch.input_ids[part],
                    batch.sequence_ids[part],
                    places,
                    len(texts),
                    use_reentrant=False,
                )
            )
        return torch.cat(vectors)[torch.cat(numbers).argsort()]

    def _scores(self, batch: PairBatch, vectors: Tensor, dimensions: int) -> Tensor:
        """(B, P)."""
        if dimensions < vectors.size(1):
            vectors = functional.normalize(vectors[:, :dimensions], dim=-1)
        scale = self.log_scale.clamp(max=math.log(1 / SMALLEST_TEMPERATURE)).exp()
        queries, passages = scale * vectors[: batch.pairs], vectors[batch.pairs :]
        if not batch.parts:
            return queries @ passages.T
        # As `bertpipe.retrieval.encoder` makes a part's vector, and `bertpipe.retrieval.vectors` finds the nearest.
        whole, parts = passages[: len(batch.passages)], passages[len(batch.passages) :]
        near = (parts.unflatten(0, (-1, batch.parts)) + whole[:, None]) / 2  # (P, parts, D)
        return (queries @ near.flatten(0, 1).T).unflatten(1, (-1, batch.parts)).amax(-1)


def among_wrong_ones(scores: Tensor, batch: PairBatch) -> tuple[Tensor, Tensor]:
    """The scores that each pair's own one is compared in, with minus infinity at what else is right.

    Right is what comes from a query's own document, and what answers the same query elsewhere in the batch.

    Args:
        scores: (B, P), of all queries and passages.
        batch: Says which passage is whose.

    Returns:
        (B, P), of each pair's query with all passages, and (B, B), of its passage with all queries.
    """
    same_document = batch.documents[:, None] == batch.documents[None, :]
    queries, others = (same_document | (batch.queries[:, None] == batch.queries[None, :])).nonzero(as_tuple=True)
    right = batch.documents[:, None] == batch.passages[None, :]
    right[queries, batch.own[others]] = True
    right_elsewhere = right.scatter(1, batch.own[:, None], False)
    right_queries = right[:, batch.own].T.fill_diagonal_(False)
    nothing = float("-inf")
    return scores.masked_fill(right_elsewhere, nothing), scores[:, batch.own].T.masked_fill(right_queries, nothing)


def distillation(scores: Tensor, batch: PairBatch) -> Tensor:
    """How far an encoder's choice among a query's own passage and its hard negatives is from a cross-encoder's.

    The Kullback-Leibler divergence of the softmax over these from the teacher's, a mean over the queries (Ren et al.
    2021, "RocketQAv2", section 3.2; the scale of the teacher's scores is that of its own softmax).

    Args:
        scores: (B, P), of all queries and passages.
        batch: Holds what the teacher says.

    Returns:
        A number, in nats; 0 for a batch that the teacher says nothing about.
    """
    queries = torch.cat([torch.arange(batch.pairs, device=scores.device), batch.negative_queries])
    passages = torch.cat([batch.own, batch.negative_passages])
    told = torch.full_like(scores, float("-inf")).index_put((queries, passages), batch.teacher.to(scores.dtype))
    asked = batch.negative_queries.unique()
    asked = asked[batch.teacher[asked].isfinite()]
    if not len(asked):
        return scores.new_zeros(())
    told = told[asked]
    among = told.isfinite()
    said = scores[asked].masked_fill(~among, float("-inf")).log_softmax(-1)
    wanted = told.log_softmax(-1)
    return (wanted.exp() * torch.where(among, wanted - said, 0.0)).sum(-1).mean()
