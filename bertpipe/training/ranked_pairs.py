"""What a cross-encoder learns from: queries, each with its own passage and with others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bertpipe.models.passage_ranker import PassageRanker
from bertpipe.text.query_passage import QueryPassage
from bertpipe.text.sequences import padded
from bertpipe.training.labelled_batches import LabelledBatch, LabelledSequence
from bertpipe.training.user_pairs import UserPairs
from bertpipe.training.visits import generator, visit


class RankedPairs:
    """Batches of queries with passages; batch n is the same whenever it is asked for.

    Args:
        pairs: Queries and passages, of which there are at least two different ones.
        mined: The same pairs, with their hard negatives.
        chosen: int64 (P,), the pairs to ask about; passages of all may be shown.
        ranker: How a query and a passage are read.
        batch_size: Queries in a batch.
        negatives: Passages beside each query's own, fewer where there are not so many.
        seed: Of the order and of all choices.
    """

    def __init__(
        self,
        pairs: Sequence[QueryPassage],
        mined: UserPairs,
        chosen: np.ndarray,
        ranker: PassageRanker,
        *,
        batch_size: int,
        negatives: int,
        seed: int,
    ) -> None:
        self.pairs, self.mined, self.chosen, self.ranker = pairs, mined, chosen, ranker
        self.batch_size = batch_size
        self.seed = seed
        self._passages = np.unique(mined.passages)
        if len(self._passages) < 2:
            raise ValueError("one passage alone cannot be ranked")
        self.negatives = min(negatives, len(self._passages) - 1)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which every query is seen once."""
        return max(1, -(-len(self.chosen) // self.batch_size))

    def batch(self, step: int) -> LabelledBatch:
        """The batch of a step: each query's own passage, labelled 1, and then the others.

        Args:
            step: 0, 1, 2 ...
        """
        sequences: list[LabelledSequence] = []
        index: list[int] = []
        for counter in range(step * self.batch_size, (step + 1) * self.batch_size):
            place = visit(counter, len(self.chosen), self.seed)
            sequences += self.ranked(place, counter)
            index += [place] * (1 + self.negatives)
        input_ids, attention_mask = padded([one.input_ids for one in sequences], self.ranker.tokenizer.pad_id)
        token_type_ids, _ = padded([one.token_type_ids for one in sequences], 0)
        labels = np.array([one.labels for one in sequences], dtype=np.int64)
        arrays = (input_ids, attention_mask, token_type_ids, labels, np.array(index, dtype=np.int64))
        return LabelledBatch(*map(torch.from_numpy, arrays))

    def ranked(self, place: int, counter: int) -> list[LabelledSequence]:
        """A query with its own passage first, and others behind it.

        Args:
            place: Which of the chosen pairs.
            counter: Another number draws other passages.
        """
        number = int(self.chosen[place])
        pair = self.pairs[number]
        others = [self.pairs[one] for one in self._others(number, counter)]
        # A title that only wrong passages have would give them away.
        titled = bool(pair.title)
        texts = [pair.query, pair.title, pair.text]
        for other in others:
            texts += [other.title if titled else "", other.text]
        query, *passages = self.ranker.tokenizer.encode_batch(texts)
        found = []
        for which, (title, text) in enumerate(zip(passages[::2], passages[1::2], strict=True)):
            found.append(LabelledSequence(*self.ranker.sequence(query, title, text), labels=int(which == 0)))
        return found

    def _others(self, pair: int, counter: int) -> list[int]:
        """Pairs with other passages: hard negatives, and any where these are too few."""
        own = int(self.mined.passages[pair])
        found = self.mined.hard_negatives(pair, self.negatives, self.seed, counter)
        if len(found) < self.negatives:
            known = {own, *found}
            rng = generator(self.seed, "easy negatives", counter)
            # Enough of them that some are left without the known ones, without shuffling all that there are.
            drawn = rng.choice(self._passages, min(len(self._passages), self.negatives + len(known)), replace=False)
            found += [one for one in drawn.tolist() if one not in known][: self.negatives - len(found)]
        return found
