"""BERT's pretraining examples: pairs of segments, packed into rows, masked (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

import numpy as np

from bertpipe.text.token_store import TokenStore
from bertpipe.training.masking import Masking
from bertpipe.training.pretraining_batch import Example, PretrainingBatch, packed_batch
from bertpipe.training.visits import generator, visit

# Share of examples made shorter than they need be, so that the model also sees short inputs (BERT's published code).
SHORT_SHARE = 0.1


class SentencePairs:
    """Draws packed rows from a token store; batch n is the same whenever it is asked for.

    Args:
        store: The documents.
        rows: B.
        length: T.
        masking: Hides tokens.
        seed: Of the order and of all choices.
    """

    def __init__(self, store: TokenStore, *, rows: int, length: int, masking: Masking, seed: int) -> None:
        self.store = store
        self.rows = rows
        self.length = length
        self.masking = masking
        self.seed = seed

    def batch(self, step: int) -> PretrainingBatch:
        """The batch of a step.

        Args:
            step: 0, 1, 2 ...
        """
        rng = generator(self.seed, "sentence pairs", step)

        def draw(counter: int, room: int) -> Example:
            first, second, is_next = self._pair(counter, room - 3, rng)
            return Example((first, second), is_next)

        return packed_batch(draw, step=step, rows=self.rows, length=self.length, masking=self.masking, rng=rng)

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
