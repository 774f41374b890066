"""The two heads that BERT is pretrained with (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bertpipe.models.bert import Bert, initialise
from bertpipe.nn.activation import GATED, activation_module


class MaskedLanguageHead(nn.Module):
    """Guesses the piece under a mask from its hidden state, with the token embedding as the output matrix.

    Args:
        bert: The encoder whose token embedding is shared.
    """

    def __init__(self, bert: Bert) -> None:
        super().__init__()
        width = bert.config.width
        self.transform = nn.Linear(width, width)
        # A gate would halve the width.
        self.activation = activation_module("gelu" if bert.config.activation in GATED else bert.config.activation)
        self.norm = nn.LayerNorm(width, eps=bert.config.norm_eps)
        self.bias = nn.Parameter(torch.zeros(bert.config.vocab_size))
        initialise(self.transform)

    def forward(self, hidden: Tensor, token_embedding: Tensor) -> Tensor:
        """Scores every piece of the vocabulary.

        Args:
            hidden: (M, D), the hidden states at the masked positions only.
            token_embedding: (V, D).

        Returns:
            Logits (M, V).
        """
        return nn.functional.linear(self.norm(self.activation(self.transform(hidden))), token_embedding, self.bias)


class NextSentenceHead(nn.Module):
    """Tells from the state of ``[CLS]`` whether the second segment follows the first.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pooler = nn.Linear(width, width)
        self.classifier = nn.Linear(width, 2)
        self.apply(initialise)

    def forward(self, cls_hidden: Tensor) -> Tensor:
        """(P, D) -> logits (P, 2); class 1 means that the second segment follows."""
        return self.classifier(torch.tanh(self.pooler(cls_hidden)))


class BertForPretraining(nn.Module):
    """BERT with both heads, over packed rows.

    Args:
        bert: The encoder.
    """

    def __init__(self, bert: Bert) -> None:
        super().__init__()
        self.bert = bert
        self.masked_language = MaskedLanguageHead(bert)
        self.next_sentence = NextSentenceHead(bert.config.width)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        position_ids: Tensor,
        masked_index: Tensor,
        cls_index: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Computes the heads where they are needed.

        Args:
            input_ids: (B, T).
            attention_mask: As for `Bert`.
            token_type_ids: (B, T).
            position_ids: (B, T).
            masked_index: (M,), positions in the flattened batch whose piece is to be guessed.
            cls_index: (P,), positions in the flattened batch of the ``[CLS]`` of each pair; None for MLM
                alone.

        Returns:
            MLM logits (M, V), and NSP logits (P, 2) or None.
        """
        hidden = self.bert(input_ids, attention_mask, token_type_ids, position_ids).flatten(0, 1)  # (B T, D)
        embedding = self.bert.token_embedding.weight
        next_logits = None if cls_index is None else self.next_sentence(hidden[cls_index])
        return self.masked_language(hidden[masked_index], embedding), next_logits
