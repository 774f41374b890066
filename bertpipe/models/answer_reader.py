"""BERT with a head that finds the answer to a question in a text (Devlin et al. 2019, sections 4.2 and 4.3)."""

from __future__ import annotations

from torch import Tensor, nn

from bertpipe.models.bert import Bert, initialise


class AnswerReader(nn.Module):
    """Scores every piece as the first and as the last of the answer; ``[CLS]`` stands for "no answer here".

    Args:
        bert: The encoder.
    """

    def __init__(self, bert: Bert) -> None:
        super().__init__()
        self.bert = bert
        self.head = nn.Linear(bert.config.width, 2)
        initialise(self.head)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Scores pieces.

        Args:
            input_ids: (B, T), ``[CLS] question [SEP] context [SEP]``.
            attention_mask: (B, T), 0 at padding.
            token_type_ids: (B, T), 1 at the context and the ``[SEP]`` behind it.

        Returns:
            Logits (B, T, 2): of the first piece of the answer, and of its last. Those of the question and of ``[SEP]``
            mean nothing.
        """
        return self.head(self.bert(input_ids, attention_mask, token_type_ids))
