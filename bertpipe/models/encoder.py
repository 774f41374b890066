"""The text encoder: a BERT and a pooling that make one vector of a text, for retrieval."""

from __future__ import annotations

from torch import Tensor, nn

from bertpipe.models.bert import Bert
from bertpipe.nn.packing import attention_mask_of, position_ids_of
from bertpipe.nn.pooling import ClsPooling, WeightedPooling


class TextEncoder(nn.Module):
    """A bi-encoder's tower: queries and passages go through the same weights (Reimers and Gurevych 2019).

    Args:
        bert: The encoder; its configuration names the pooling.
    """

    def __init__(self, bert: Bert) -> None:
        super().__init__()
        self.bert = bert
        self.pooling: WeightedPooling | ClsPooling = (
            ClsPooling() if bert.config.pooling == "cls" else WeightedPooling(bert.config.vocab_size)
        )

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encodes texts.

        Args:
            input_ids: (B, T).
            attention_mask: (B, T), 0 at padding.

        Returns:
            (B, D) of length 1.
        """
        return self.pooling(self.bert(input_ids, attention_mask), input_ids, attention_mask)

    def encode_packed(self, input_ids: Tensor, sequence_ids: Tensor, text_index: Tensor, texts: int) -> Tensor:
        """Encodes texts packed into rows, for training: nearly no padding, the same vectors as `forward`.

        Args:
            input_ids: (B, T).
            sequence_ids: (B, T), see `bertpipe.nn.packing`.
            text_index: (B, T), the number of the text that a token belongs to; ``texts`` at padding.
            texts: N, the number of texts.

        Returns:
            (N, D) of length 1.
        """
        hidden = self.bert(input_ids, attention_mask_of(sequence_ids), position_ids=position_ids_of(sequence_ids))
        return self.pooling.pool_packed(hidden, input_ids, text_index, texts)
