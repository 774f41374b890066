"""A BERT that tells which classes a text, or a pair of texts, belongs to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bertpipe.models.bert import Bert, initialise
from bertpipe.nn.dropout import Dropout


class ClassificationHead(nn.Module):
    """From the tokens' states to a score for every class.

    Reads the state of ``[CLS]`` (Devlin et al. 2019, section 4.1) beside the mean of all: encoders that were trained
    to make vectors of texts, and small ones that were pretrained on masked words alone, say more in the mean.

    Args:
        width: D.
        labels: C.
        dropout: Probability, in training.
    """

    def __init__(self, width: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.transform = nn.Linear(2 * width, width)
        self.dropout = Dropout(dropout)
        self.classifier = nn.Linear(width, labels)
        self.apply(initialise)

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        """Scores the classes.

        Args:
            hidden: (B, T, D).
            attention_mask: (B, T), 0 at padding.

        Returns:
            Logits (B, C).
        """
        mask = attention_mask[..., None].to(hidden.dtype)  # (B, T, 1)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        both = self.dropout(torch.cat([hidden[:, 0], mean], dim=-1))  # (B, 2 D)
        return self.classifier(self.dropout(torch.tanh(self.transform(both))))


class TextClassifier(nn.Module):
    """BERT with a head for classes.

    Args:
        bert: The encoder.
        num_labels: C.
    """

    def __init__(self, bert: Bert, num_labels: int) -> None:
        super().__init__()
        self.bert = bert
        self.head = ClassificationHead(bert.config.width, num_labels, bert.config.dropout)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Scores the classes.

        Args:
            input_ids: (B, T).
            attention_mask: (B, T), 0 at padding.
            token_type_ids: (B, T), 1 for the second text of a pair.

        Returns:
            Logits (B, C).
        """
        return self.head(self.bert(input_ids, attention_mask, token_type_ids), attention_mask)
