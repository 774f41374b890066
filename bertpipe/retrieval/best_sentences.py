"""What answers a question best where nothing learned to read: whole sentences, by their words and their meaning."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bertpipe.retrieval.analysis import UNMARKED, analyse
from bertpipe.retrieval.fusion import fuse
from bertpipe.text.sentences import split_sentences

if TYPE_CHECKING:
    from bertpipe.retrieval.encoder import Encoder

# Sentences of one search that are looked at; passages of whole sentences have far fewer.
MOST = 200


@dataclass(frozen=True)
class BestSentence:
    """A sentence.

    Attributes:
        passage: Which of the passages it is of.
        start: First character in the passage.
        end: Character after the last.
        score: Higher is better; comparable within one question only.
    """

    passage: int
    start: int
    end: int
    score: float


def best_sentences(
    question: str,
    passages: Sequence[tuple[str, str]],
    scores: Sequence[float],
    encoder: Encoder,
    weight: float,
    k: int,
) -> list[BestSentence]:
    """Chooses sentences.

    Args:
        question: The question.
        passages: Pairs of title and text, best first.
        scores: Those of the passages.
        encoder: Makes vectors of the question and of sentences.
        weight: Of meaning against words, 0 to 1, as in the index.
        k: At most how many.

    Returns:
        Best first; one that says the same as a better one is left out.
    """
    found = [(number, start, end) for number, (_, text) in enumerate(passages) for start, end in split_sentences(text)][
        :MOST
    ]
    if not found:
        return []
    texts = [passages[number][1][start:end] for number, start, end in found]
    terms = set(analyse(question))
    terms = terms - UNMARKED or terms
    held = [terms.intersection(analyse(text)) for text in texts]
    counts = Counter(term for some in held for term in some)
    rare = {term: math.log(1 + len(texts) / count) for term, count in counts.items()}
    words = np.array([sum(rare[term] for term in sorted(some)) for some in held], dtype=np.float32)
    if weight:
        titled = [(passages[number][0], text) for (number, _, _), text in zip(found, texts, strict=True)]
        meaning = encoder.encode_passages(titled) @ encoder.encode_queries([question])[0]
    else:
        meaning = np.zeros(len(texts), dtype=np.float32)
    value = fuse(words, meaning, weight) + np.array([scores[number] - scores[0] for number, _, _ in found])
    chosen: list[BestSentence] = []
    seen: set[str] = set()
    for place in np.argsort(-value, kind="stable").tolist():
        plain = " ".join(texts[place].casefold().split())
        if plain not in seen:
            seen.add(plain)
            number, start, end = found[place]
            chosen.append(BestSentence(number, start, end, float(value[place])))
        if len(chosen) == k:
            break
    return chosen
