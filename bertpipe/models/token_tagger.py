"""A BERT that tells which tag every token has (Devlin et al. 2019, section 5.3)."""

from __future__ import annotations

from torch import Tensor, nn

from bertpipe.models.bert import Bert, initialise
from bertpipe.nn.dropout import Dropout


class TokenTagger(nn.Module):
    """BERT with a head for tags.

    Args:
        bert: The encoder.
        num_labels: L.
    """

    def __init__(self, bert: Bert, num_labels: int) -> None:
        super().__init__()
        self.bert = bert
        self.dropout = Dropout(bert.config.dropout)
        self.head = nn.Linear(bert.config.width, num_labels)
        initialise(self.head)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Scores the tags of every token.

        Args:
            input_ids: (B, T).
            attention_mask: (B, T), 0 at padding.
            token_type_ids: (B, T), or all 0.

        Returns:
            Logits (B, T, L).
        """
        return self.head(self.dropout(self.bert(input_ids, attention_mask, token_type_ids)))
