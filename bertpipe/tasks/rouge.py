"""ROUGE: how much of the references' words generated texts have, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np

from bertpipe.tasks.evaluate_extra import needs_evaluate_extra
from bertpipe.tasks.word_tokens import WordTokens

ROUGE = ("rouge1", "rouge2", "rougeL")


def rouge_values(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
    """The F-measure of every prediction: words, pairs of words and the longest common subsequence, 0 to 100.

    Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", as rouge-score computes it, without stemming.
    Of several references the best one counts, for each measure by itself. The difference of two systems' values for the
    same items is what `bootstrap_interval` is surest about.

    Args:
        predictions: N texts.
        references: For each prediction, one or more texts.

    Returns:
        ``{"rouge1": (N,), "rouge2": (N,), "rougeL": (N,)}``.

    Raises:
        BertpipeError: rouge-score is not installed.
    """
    with needs_evaluate_extra():
        from rouge_score.rouge_scorer import RougeScorer
    scorer = RougeScorer(list(ROUGE), tokenizer=WordTokens())
    scores = [scorer.score_multi(texts, text) for text, texts in zip(predictions, references, strict=True)]
    return {name: 100 * np.array([one[name].fmeasure for one in scores]) for name in ROUGE}


def rouge_signature() -> str:
    """What `rouge_values` are, in the manner of sacrebleu's signatures."""
    return f"refs:best|stem:no|tok:words+cjk|score:f1|version:rouge-score-{version('rouge-score')}"
