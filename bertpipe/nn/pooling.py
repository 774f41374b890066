"""From one vector a token to one vector a text."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class WeightedPooling(nn.Module):
    """A sum of token vectors in which every vocabulary piece has its own trained weight, scaled to length 1.

    Weights start at 1 (a mean) or from inverse document frequencies with `set_weights`, so that rare pieces
    count for more than "the" (Arora et al. 2017, section 3, weigh by a / (a + p(w)) for the same reason).

    Args:
        vocab_size: V.
    """

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        # The logarithm is trained, so that a weight stays positive and moves in proportion to its size.
        self.log_weight = nn.Embedding(vocab_size, 1)
        nn.init.zeros_(self.log_weight.weight)

    @torch.no_grad()
    def set_weights(self, weights: Tensor) -> None:
        """Sets the starting weights.

        Args:
            weights: (V,), positive.
        """
        self.log_weight.weight.copy_(weights.log()[:, None])

    def forward(self, hidden: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Pools token vectors.

        Args:
            hidden: (B, T, D).
            input_ids: (B, T), the pieces whose weights to use.
            attention_mask: (B, T), 0 at padding.

        Returns:
            (B, D) of length 1.
        """
        weighted = self._weighted(hidden, input_ids) * attention_mask[..., None].to(hidden.dtype)  # (B, T, D)
        return functional.normalize(weighted.sum(dim=1), dim=-1)

    def pool_packed(self, hidden: Tensor, input_ids: Tensor, text_index: Tensor, texts: int) -> Tensor:
        """Pools the token vectors of packed rows; the same as `forward` on the texts laid out one a row.

        Args:
            hidden: (B, T, D).
            input_ids: (B, T).
            text_index: (B, T), the number of the text that a token belongs to; ``texts`` at padding.
            texts: N, the number of texts.

        Returns:
            (N, D) of length 1.
        """
        weighted = self._weighted(hidden, input_ids).flatten(0, 1)  # (B T, D)
        sums = weighted.new_zeros(texts + 1, weighted.size(1)).index_add(0, text_index.flatten(), weighted)
        return functional.normalize(sums[:texts], dim=-1)

    def _weighted(self, hidden: Tensor, input_ids: Tensor) -> Tensor:
        return hidden * self.log_weight(input_ids).exp()  # (B, T, D) * (B, T, 1)


class ClsPooling(nn.Module):
    """The vector of a text's first token, ``[CLS]``, scaled to length 1, as many published encoders have it."""

    def forward(self, hidden: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Pools token vectors; takes what `WeightedPooling.forward` takes.

        Args:
            hidden: (B, T, D).
            input_ids: (B, T); not used.
            attention_mask: (B, T); not used: padding is at the end.

        Returns:
            (B, D) of length 1.
        """
        return functional.normalize(hidden[:, 0], dim=-1)

    def pool_packed(self, hidden: Tensor, input_ids: Tensor, text_index: Tensor, texts: int) -> Tensor:
        """Pools the token vectors of packed rows; the same as `forward` on the texts laid out one a row.

        Args:
            hidden: (B, T, D).
            input_ids: (B, T); not used.
            text_index: (B, T), the number of the text that a token belongs to; ``texts`` at padding.
            texts: N, the number of texts, each with at least one token.

        Returns:
            (N, D) of length 1.
        """
        owner = text_index.flatten()  # (B T,)
        place = torch.arange(len(owner), device=owner.device)
        first = place.new_full((texts + 1,), len(owner)).scatter_reduce(0, owner, place, "amin")  # (N + 1,)
        return functional.normalize(hidden.flatten(0, 1)[first[:texts]], dim=-1)
