"""BERT that reads a query together with a passage, and says how well the passage answers it."""

from __future__ import annotations

from torch import Tensor, nn

from bertpipe.models.bert import Bert
from bertpipe.models.text_classifier import ClassificationHead


class CrossEncoder(nn.Module):
    """One score for a query and a passage that attend to each other.

    Nogueira and Cho 2019, "Passage Re-ranking with BERT", section 3.

    Args:
        bert: The encoder.
    """

    def __init__(self, bert: Bert) -> None:
        super().__init__()
        self.bert = bert
        self.head = ClassificationHead(bert.config.width, 1, bert.config.dropout)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Scores passages.

        Args:
            input_ids: (B, T), see `bertpipe.text.sequences.ranked_sequence`.
            attention_mask: (B, T), 0 at padding.
            token_type_ids: (B, T), 1 behind the query.

        Returns:
            (B,), higher is better; the softmax over the candidates of one query is what was trained.
        """
        return self.head(self.bert(input_ids, attention_mask, token_type_ids), attention_mask)[:, 0]
