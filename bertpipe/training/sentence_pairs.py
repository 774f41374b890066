"""BERT's pretraining examples: pairs of segments, packed into rows, masked (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from bertpipe.text.special_ids import SpecialIds
from bertpipe.text.token_store import TokenStore
from bertpipe.training.masking import IGNORED, mask_tokens
from bertpipe.training.visits import generator, visit

# Share of examples made shorter than they need be, so that the model also sees short inputs (BERT's published code).
SHORT_SHARE = 0.1
# A pair needs [CLS] a [SEP] b [SEP]; a row with less room than this is padded out.
SMALLEST_EXAMPLE = 16
# Visits to the corpus that a row may use up; a row of very short documents is padded after them.
MOST_PAIRS = 16


@dataclass(frozen=True)
class PretrainingBatch:
    """Packed rows with what is to be guessed.

    Attributes:
        input_ids: int64 (B, T), some pieces hidden.
        token_type_ids: int64 (B, T), 0 for the first and 1 for the second segment of a pair.
        sequence_ids: int64 (B, T), see `bertpipe.nn.packing`.
        labels: int64 (M,), the hidden pieces.
        masked_index: int64 (M,), their positions in the flattened batch.
        cls_index: int64 (P,), positions of the pairs' ``[CLS]`` in the flattened batch.
        next_sentence_label: int64 (P,), 1 where the second segment follows the first.
    """

    input_ids: Tensor
    token_type_ids: Tensor
    sequence_ids: Tensor
    labels: Tensor
    masked_index: Tensor
    cls_index: Tensor
    next_sentence_label: Tensor

    @property
    def num_tokens(self) -> int:
        """Tokens without padding."""
        return int((self.sequence_ids > 0).sum())

    def to(self, device: torch.device) -> PretrainingBatch:
        """The batch on another device; Lightning calls this."""
        return PretrainingBatch(*(getattr(self, field.name).to(device) for field in fields(self)))


class SentencePairs:
    """Draws packed rows from a token store; batch n is the same whenever it is asked for.

    Args:
        store: The documents.
        rows: B.
        length: T.
        vocab_size: V.
        special: Ids of the special pieces.
        mask_rate: Share of tokens to guess.
        seed: Of the order and of all choices.
    """

    def __init__(
        self,
        store: TokenStore,
        *,
        rows: int,
        length: int,
        vocab_size: int,
        special: SpecialIds,
        mask_rate: float,
        seed: int,
    ) -> None:
        self.store = store
        self.rows = rows
        self.length = length
        self.vocab_size = vocab_size
        self.special = special
        self.mask_rate = mask_rate
        self.seed = seed

    def batch(self, step: int) -> PretrainingBatch:
        """The batch of a step.

        Args:
            step: 0, 1, 2 ...
        """
        rng = generator(self.seed, "sentence pairs", step)
        shape = (self.rows, self.length)
        input_ids = np.full(shape, self.special.pad, dtype=np.int64)
        token_type_ids, sequence_ids = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        cls_index: list[int] = []
        follows: list[int] = []
        for row in range(self.rows):
            used = 0
            for slot in range(MOST_PAIRS):
                room = self.length - used
                if room < SMALLEST_EXAMPLE:
                    break
                counter = (step * self.rows + row) * MOST_PAIRS + slot
                first, second, is_next = self._pair(counter, room - 3, rng)
                end = used + len(first) + len(second) + 3
                middle = used + len(first) + 2
                cls_index.append(row * self.length + used)
                follows.append(is_next)
                input_ids[row, used:end] = np.concatenate(
                    [[self.special.cls], first, [self.special.sep], second, [self.special.sep]]
                )
                token_type_ids[row, middle:end] = 1
                sequence_ids[row, used:end] = slot + 1
                used = end
        masked, labels = mask_tokens(input_ids, self.vocab_size, self.special, self.mask_rate, rng)
        flat = labels.ravel()
        masked_index = np.flatnonzero(flat != IGNORED)
        arrays = (
            masked,
            token_type_ids,
            sequence_ids,
            flat[masked_index],
            masked_index,
            np.array(cls_index, dtype=np.int64),
            np.array(follows, dtype=np.int64),
        )
        return PretrainingBatch(*map(torch.from_numpy, arrays))

    def _pair(self, counter: int, room: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
        """Two segments of together at most ``room`` tokens, each at least one, and whether the second follows."""
        target = int(rng.integers(4, room + 1)) if rng.random() < SHORT_SHARE else room
        is_next = int(rng.random() < 0.5)
        position = visit(counter, self.store.num_tokens, self.seed)
        start, bounds = self._stretch(position, target)
        stop = bounds[-1]
        # Cut at a sentence's end; a stretch of one sentence is cut in its middle, so that both labels stay as likely.
        cut = int(rng.choice(bounds[:-1])) if len(bounds) > 1 else start + max(1, (stop - start) // 2)
        first = self.store.span(start, cut)
        if is_next and cut < stop:
            return first, self.store.span(cut, stop), 1
        room_left = max(1, stop - cut, target - len(first))
        other, other_bounds = self._elsewhere(position, room_left, rng)
        return first, self.store.span(other, other_bounds[-1]), 0

    def _stretch(self, position: int, target: int) -> tuple[int, list[int]]:
        """A stretch of one document from the sentence at ``position`` on: its start and its sentences' ends.

        It starts earlier where the document ends too soon, and has at least two tokens where its document has.
        """
        store = self.store
        document = store.document_at(position)
        begin = int(store.sentences[store.documents[document]])
        end = int(store.sentences[store.documents[document + 1]])
        sentence = store.sentence_at(position)
        start = int(store.sentences[sentence])
        if end - start < target:
            start = max(begin, min(start, end - target))
            sentence = store.sentence_at(start)
        stop = min(end, start + target)
        bounds = []
        while True:
            sentence += 1
            bound = int(store.sentences[sentence])
            if bound >= stop:
                break
            if bound > start:
                bounds.append(bound)
        return start, [*bounds, stop]

    def _elsewhere(self, position: int, target: int, rng: np.random.Generator) -> tuple[int, list[int]]:
        """A stretch of another document, if there is another."""
        here = self.store.document_at(position)
        place = position
        for _ in range(8):
            place = int(rng.integers(self.store.num_tokens))
            if self.store.document_at(place) != here:
                break
        return self._stretch(place, target)
