"""RoBERTa's pretraining examples: contiguous sentences of one document, without a next-sentence task.

DOC-SENTENCES of Liu et al. (2019, section 4.2), who found it the best of four by a little. There an example near the
end of a document is short, and batches grow to make up for it; here rows are packed.
"""

from __future__ import annotations

from bertpipe.text.token_store import TokenStore
from bertpipe.training.masking import Masking
from bertpipe.training.pretraining_batch import Example, PretrainingBatch, packed_batch
from bertpipe.training.sentence_run import sentence_run
from bertpipe.training.visits import generator, visit


class DocSentences:
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
        """The batch of a step; its `cls_index` and `next_sentence_label` are None.

        Args:
            step: 0, 1, 2 ...
        """
        rng = generator(self.seed, "document sentences", step)

        def draw(counter: int, room: int) -> Example:
            position = visit(counter, self.store.num_tokens, self.seed)
            bounds = sentence_run(self.store, position, room - 2, rng)
            return Example([self.store.span(bounds[0], bounds[-1])])

        return packed_batch(draw, step=step, rows=self.rows, length=self.length, masking=self.masking, rng=rng)
