"""Pretraining of an encoder-decoder: it reads a damaged text and writes what was there.

- ``t5``: span corruption (Raffel et al. 2020, section 3.1.4). 15% of the tokens are taken out in spans of 3 on average,
  and the target is what was taken. Short targets make it cheap.
- ``bart``: text infilling and sentence permutation (Lewis et al. 2020, section 2.2). 30% of the tokens are taken out in
  spans of Poisson(3) length, the sentences are shuffled, and the target is the whole text. The decoder learns to write.

**Sentinels.** T5's spans are told apart by ids that no text has, and our vocabularies have none to spare. The model
has them instead: its vocabulary is the tokenizer's and `SENTINELS` more rows, ids V to V + 99. The tokenizer never sees
one, so nothing that was encoded before changes. What decodes must not write them: they have no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import torch

from bertpipe.text.special_ids import SpecialIds
from bertpipe.text.token_store import TokenStore
from bertpipe.training.masking import IGNORED
from bertpipe.training.noise import infilling, shuffled, span_corruption
from bertpipe.training.sentence_run import sentence_run
from bertpipe.training.sequence_batch import SequenceBatch
from bertpipe.training.visits import generator, visit

# As many as T5 has.
SENTINELS = 100
T5_RATE, BART_RATE, MEAN_SPAN = 0.15, 0.3, 3.0
SHORTEST = 8


class Denoising:
    """Draws batches of damaged texts from a token store; batch n is the same whenever it is asked for.

    A text is a run of whole sentences of one document. Its source ends with ``[SEP]``, as does what the decoder is to
    say; what the decoder reads starts with ``[CLS]``.

    Args:
        store: The documents; not empty.
        objective: Kind of damage, see the module.
        rows: B.
        length: Longest source and longest target, in tokens, with their ends; at least `SHORTEST`.
        vocab_size: V, the tokenizer's; the model needs `SENTINELS` more for ``t5``.
        special: The special pieces.
        seed: Of the order and of all choices.
        start_id: What the decoder reads first, if not ``[CLS]``.
        source_prefix: Pieces in front of a source.
        source_suffix: Pieces behind the end of a source.
        first_id: The first piece of every target, if there is such a one.

    Raises:
        ValueError: ``length`` is too short.
    """

    def __init__(
        self,
        store: TokenStore,
        *,
        objective: Literal["t5", "bart"],
        rows: int,
        length: int,
        vocab_size: int,
        special: SpecialIds,
        seed: int,
        start_id: int | None = None,
        source_prefix: Sequence[int] = (),
        source_suffix: Sequence[int] = (),
        first_id: int | None = None,
    ) -> None:
        if length < SHORTEST:
            raise ValueError(f"a length of {length} leaves no room for a text; take {SHORTEST} or more")
        self.store = store
        self.objective = objective
        self.rows = rows
        self.length = length
        self.special = special
        self.seed = seed
        self._start = [special.cls if start_id is None else start_id]
        self._first = [] if first_id is None else [first_id]
        self._before, self._behind = list(source_prefix), [special.sep, *source_suffix]
        around = max(len(self._before) + len(self._behind), len(self._first) + 1)
        self._room = length - around
        self._sentinels = vocab_size + np.arange(SENTINELS)

    def batch(self, step: int) -> SequenceBatch:
        """The batch of a step; every row has something to say.

        Args:
            step: 0, 1, 2 ...
        """
        rng = generator(self.seed, "denoising", step)
        pairs = [self._pair(step * self.rows + row, rng) for row in range(self.rows)]
        sources = [np.array([*self._before, *source, *self._behind]) for source, _ in pairs]
        targets = [np.array([*self._first, *target]) for _, target in pairs]
        src_ids = _padded(sources, self.special.pad)
        lengths = np.array([len(source) for source in sources])
        tgt_ids = _padded([np.array([*self._start, *target]) for target in targets], self.special.pad)
        labels = _padded([np.array([*target, self.special.sep]) for target in targets], IGNORED)
        src_mask = np.arange(src_ids.shape[1]) < lengths[:, None]
        return SequenceBatch(*map(torch.from_numpy, (src_ids, src_mask, tgt_ids, labels)))

    def _pair(self, counter: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A source and its target, without their ends."""
        position = visit(counter, self.store.num_tokens, self.seed)
        bounds = sentence_run(self.store, position, self._room, rng)
        sentences = [self.store.span(start, stop).astype(np.int64) for start, stop in pairwise(bounds)]
        text = np.concatenate(sentences)
        if self.objective == "t5":
            return span_corruption(text, rate=T5_RATE, mean_span=MEAN_SPAN, sentinels=self._sentinels, rng=rng)
        mixed = shuffled(sentences, rng)
        return infilling(mixed, rate=BART_RATE, mean_span=MEAN_SPAN, mask_id=self.special.mask, rng=rng), text


def _padded(sequences: Sequence[np.ndarray], fill: int) -> np.ndarray:
    """Lays sequences under each other: int64 (B, longest)."""
    rows = np.full((len(sequences), max(map(len, sequences))), fill, dtype=np.int64)
    for row, sequence in enumerate(sequences):
        rows[row, : len(sequence)] = sequence
    return rows
