"""What scores are called where people read them."""

from __future__ import annotations

from typing import Final

_NAMES: Final = {
    "ndcg@10": "nDCG@10",
    "mrr@10": "MRR@10",
    "map@100": "MAP@100",
    "bleu": "BLEU",
    "chrf": "chrF",
    "rouge": "ROUGE",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "exact": "exact matches",
    "distinct1": "distinct-1",
    "distinct2": "distinct-2",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "weighted_f1": "weighted F1",
    "f1": "F1",
    "mcc": "MCC",
    "ece": "ECE",
    "exact_answerable": "exact, answerable",
    "f1_answerable": "F1, answerable",
    "exact_impossible": "exact, no answer",
}


def score_name(key: str) -> str:
    """The name of a score by its key in JSON."""
    return _NAMES.get(key, key.replace("_", " "))
