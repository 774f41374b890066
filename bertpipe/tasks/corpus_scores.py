"""BLEU and chrF, which are scores of a whole corpus and no means of its items' scores, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bertpipe.tasks.evaluate_extra import needs_evaluate_extra

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

_COUNTED_AT_ONCE = 4_000_000  # how often each item is drawn in a block of resamples, held in memory: 32 MB


class CorpusScore(NamedTuple):
    """A score, 0 to 100, its 95% interval, and how it was computed, as sacrebleu writes it."""

    value: float
    low: float
    high: float
    signature: str


def bleu(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, chinese: bool, seed: int, resamples: int = 1000
) -> CorpusScore:
    """BLEU (Papineni et al. 2002) by sacrebleu (Post 2018).

    Args:
        predictions: N texts.
        references: For each prediction, one or more texts.
        chinese: Take Chinese apart into characters (sacrebleu's tokenizer "zh") instead of splitting as "13a" does.
        seed: Of the interval.
        resamples: Of the interval.

    Raises:
        BertpipeError: sacrebleu is not installed.
    """
    with needs_evaluate_extra():
        from sacrebleu.metrics.bleu import BLEU
    # `force` is not about the score: it stills a warning about texts that end in " .".
    return _score(BLEU(tokenize="zh" if chinese else "13a", force=True), predictions, references, seed, resamples)


def chrf(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, seed: int, resamples: int = 1000
) -> CorpusScore:
    """chrF2 (Popović 2015) by sacrebleu: n-grams of up to 6 characters, without white space, in every language.

    Args:
        predictions: N texts.
        references: For each prediction, one or more texts.
        seed: Of the interval.
        resamples: Of the interval.

    Raises:
        BertpipeError: sacrebleu is not installed.
    """
    with needs_evaluate_extra():
        from sacrebleu.metrics.chrf import CHRF
    return _score(CHRF(), predictions, references, seed, resamples)


def _score(
    metric: Metric, predictions: Sequence[str], references: Sequence[Sequence[str]], seed: int, resamples: int
) -> CorpusScore:
    """The score, and the percentile bootstrap over the items' counts, which add up to the corpus's.

    sacrebleu has this bootstrap as well, but it fails on a few items (a resample without any match is of another type
    than the others), holds all resamples in memory, and takes its seed from the environment.
    """
    most = max(map(len, references))
    # One stream of references after another, with None where an item has fewer.
    streams = [[texts[place] if place < len(texts) else None for texts in references] for place in range(most)]
    value = float(metric.corpus_score(predictions, streams).score)  # type: ignore[arg-type]
    counts = np.array(metric._extract_corpus_statistics(predictions, streams), np.float64)  # type: ignore[arg-type]
    generator = np.random.default_rng(seed)
    items = len(predictions)
    scores: list[float] = []
    step = max(1, _COUNTED_AT_ONCE // items)
    for start in range(0, resamples, step):
        drawn = generator.multinomial(items, np.full(items, 1 / items), size=min(step, resamples - start))
        sums = drawn @ counts  # (resamples, items) @ (items, counts)
        scores += [float(metric._compute_score_from_stats(row.tolist()).score) for row in sums]
    low, high = np.percentile(scores, [2.5, 97.5])
    return CorpusScore(value, float(low), float(high), str(metric.get_signature()))
