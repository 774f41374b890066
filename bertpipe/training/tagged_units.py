"""Tagged sentences as a tagger learns them, and its outputs as tags of words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import log_softmax

from bertpipe.tasks.entity_scores import score_entities
from bertpipe.tasks.tagging_scheme import TaggingScheme
from bertpipe.text.tagger_sequences import TaggerSequence, tagger_sequences, unit_scores, unit_tags, word_tags
from bertpipe.text.tokenizer import Tokenizer
from bertpipe.text.words import units_of
from bertpipe.training.labelled_batches import IGNORED, LabelledSequence


class TaggedUnits:
    """Sentences cut into what gets tags, and into windows that fit.

    Args:
        sentences: Words.
        tags: IOB2, one a word.
        tokenizer: The model's.
        scheme: The model's tags, L.
        max_tokens: Longest sequence.
        stride: Pieces that neighbouring windows share.

    Attributes:
        sentences: Words.
        tags: IOB2, one a word.
        sequences: One for every window, with a label where a unit's tag is read.
    """

    def __init__(
        self,
        sentences: Sequence[Sequence[str]],
        tags: Sequence[Sequence[str]],
        tokenizer: Tokenizer,
        scheme: TaggingScheme,
        *,
        max_tokens: int,
        stride: int,
    ) -> None:
        self.sentences, self.tags, self.scheme = sentences, tags, scheme
        self._units = [units_of(words, tokenizer) for words in sentences]
        self.sequences: list[LabelledSequence] = []
        self._windows: list[list[TaggerSequence]] = []
        self._truth: list[np.ndarray] = []
        number = {label: place for place, label in enumerate(scheme.labels)}
        for words, one, units in zip(sentences, tags, self._units, strict=True):
            known = [number[tag] for tag in scheme.from_iob2(unit_tags(units, one, words))]
            self._truth.append(np.array(known))
            windows = tagger_sequences(units, max_tokens, stride, tokenizer.special)
            self._windows.append(windows)
            for window in windows:
                learned = [IGNORED] * len(window.input_ids)
                for unit, place in zip(window.units, window.places, strict=True):
                    learned[place] = known[unit]
                self.sequences.append(LabelledSequence(window.input_ids, [0] * len(window.input_ids), learned))

    def scores(self, outputs: Sequence[np.ndarray]) -> dict[str, float]:
        """Entity scores of the sentences' words.

        Args:
            outputs: Logits (T, L) of every sequence.
        """
        tags = []
        for units, words, logits in zip(self._units, self.sentences, self._logits(outputs), strict=True):
            decoded = [self.scheme.labels[label] for label in self.scheme.decode(log_softmax(logits, axis=1))]
            tags.append(word_tags(units, self.scheme.to_iob2(decoded), words))
        scores = score_entities(tags, self.tags).scores
        return {name: scores[name].value for name in ("f1", "precision", "recall", "macro_f1")}

    def logits_and_truth(self, outputs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, L) and tags (N,) of all units, to find a temperature with."""
        return np.concatenate(self._logits(outputs)), np.concatenate(self._truth)

    def _logits(self, outputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """(U, L) for every sentence."""
        found, place = [], 0
        for windows in self._windows:
            found.append(unit_scores(windows, outputs[place : place + len(windows)]))
            place += len(windows)
        return found
