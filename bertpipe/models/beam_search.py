"""Beam search: the best of many targets, kept side by side while they are written."""

from __future__ import annotations

import torch
from torch import Tensor

from bertpipe.models.decoding import EarlyStopping
from bertpipe.models.forcing import force
from bertpipe.models.repetition import forbid_repeated
from bertpipe.models.transformer import Transformer


@torch.inference_mode()
def beam_search(
    model: Transformer,
    src_ids: Tensor,
    src_mask: Tensor | None,
    *,
    beams: int,
    max_length: int,
    length_penalty: float = 1.0,
    early_stopping: EarlyStopping = "always",
    no_repeat_ngram: int = 0,
    best: int = 1,
) -> list[list[tuple[list[int], float]]]:
    """Writes a target for every source.

    A target's score is the sum of its pieces' log-probabilities, the end piece included, over their number to the
    power of ``length_penalty`` (Wu et al. 2016, section 7, use a like formula).

    Args:
        model: In evaluation mode.
        src_ids: (B, S).
        src_mask: (B, S), False at padding; None where there is none.
        beams: N, unfinished targets kept for a source.
        max_length: Most pieces of a target, the end piece included. Targets that have not ended by then count as they
            are.
        length_penalty: 0 prefers short targets, 1 compares averages, more prefers long ones.
        early_stopping: "always": a source is done when ``beams`` targets have ended; "likely": when the best
            unfinished one, as it is, is no better than they are; "never": when none that could still be written is.
        no_repeat_ngram: No target has the same n pieces in a row twice; 0 allows it.
        best: How many targets to return for a source, at most ``beams``.

    Returns:
        For every source its targets, best first: their pieces without start and end, and their score.

    Raises:
        ValueError: ``beams``, ``best`` or ``max_length`` is out of range.
    """
    if not 1 <= best <= beams:
        raise ValueError(f"the best {best} of {beams} beams cannot be returned")
    if not 1 <= max_length <= model.config.max_length:
        raise ValueError(f"max_length = {max_length} is not from 1 to {model.config.max_length}, the model's")
    sources = src_ids.size(0)
    memory, memory_mask = model.encode(src_ids, src_mask)
    cache = model.start(memory, memory_mask)
    search = _Search(sources, beams, max_length, model.config.start_id, src_ids.device)
    results: list[list[tuple[list[int], float]]] = [[] for _ in range(sources)]
    alive = torch.arange(sources, device=src_ids.device)
    for length in range(1, max_length + 1):
        log_probabilities = torch.log_softmax(model.step(search.newest(), cache).float(), dim=-1)  # (B N, V)
        force(log_probabilities, model.config, length - 1)
        if no_repeat_ngram:
            forbid_repeated(log_probabilities, search.written(), no_repeat_ngram)
        parents = search.grow(log_probabilities.view(len(alive), beams, -1), model.config.end_id, length_penalty)
        last = length == max_length
        if last:
            search.finish_all(length_penalty)
        done = torch.ones_like(alive, dtype=torch.bool) if last else search.done(early_stopping, length_penalty)
        if done.any():
            for row in done.nonzero()[:, 0].tolist():
                results[int(alive[row])] = search.best(row, best)
            keep = (~done).nonzero()[:, 0]
            if len(keep) == 0:
                break
            alive = alive[keep]
            search.keep(keep)
            parents = parents.view(-1, beams)[keep].flatten()
            cache.keep_sources(keep)
        cache.reorder(parents)
    return results


class _Search:
    """The state of a beam search: for each source its unfinished targets, and the best finished ones.

    All tensors have a row for each source that is not done, B, and a column for each of its N targets.
    """

    def __init__(self, sources: int, beams: int, max_length: int, start_id: int, device: torch.device) -> None:
        self.beams = beams
        self.max_length = max_length
        self.length = 0
        shape = (sources, beams)
        self.pieces = torch.full((*shape, max_length + 1), start_id, device=device)
        self.sums = torch.full(shape, float("-inf"), device=device)
        self.sums[:, 0] = 0.0  # all targets begin alike: only one of them may branch out
        self.finished = torch.zeros_like(self.pieces)
        self.finished_scores = torch.full(shape, float("-inf"), device=device)
        self.finished_lengths = torch.zeros(shape, dtype=torch.int64, device=device)

    def newest(self) -> Tensor:
        """(B N,), the last piece of every target."""
        return self.pieces[:, :, self.length].flatten()

    def written(self) -> Tensor:
        """(B N, T), the pieces of every target after the start piece."""
        return self.pieces[:, :, 1 : self.length + 1].flatten(0, 1)

    def grow(self, log_probabilities: Tensor, end_id: int, length_penalty: float) -> Tensor:
        """Adds a piece to every target.

        Args:
            log_probabilities: (B, N, V), changed in place.
            end_id: The piece that ends a target.
            length_penalty: See `beam_search`.

        Returns:
            (B N,), the row of the caches that each new target goes on from.
        """
        sources, beams, vocabulary = log_probabilities.shape
        totals = log_probabilities.add_(self.sums[:, :, None]).flatten(1)  # (B, N V)
        # Each target ends in one way only, so twice as many candidates as beams leave enough that go on.
        sums, places = totals.topk(min(2 * beams, totals.size(1)), dim=1)  # (B, 2N)
        parents, pieces = places // vocabulary, places % vocabulary
        ended = pieces == end_id
        self.length += 1
        # What ends has to be among the best N, else one of little probability would end the search.
        ends = ended.clone()
        ends[:, beams:] = False
        if ends.any():
            scores = (sums / self.length**length_penalty).masked_fill(~ends, float("-inf"))
            self._finish(self._extended(parents, pieces), scores, self.length - 1)
        rows = sums.masked_fill(ended, float("-inf")).topk(beams, dim=1)
        self.sums = rows.values
        parents, pieces = parents.gather(1, rows.indices), pieces.gather(1, rows.indices)
        self.pieces = self._extended(parents, pieces)
        return (parents + torch.arange(sources, device=parents.device)[:, None] * beams).flatten()

    def finish_all(self, length_penalty: float) -> None:
        """Counts unfinished targets as they are."""
        self._finish(self.pieces, self.sums / self.length**length_penalty, self.length)

    def done(self, early_stopping: EarlyStopping, length_penalty: float) -> Tensor:
        """(B,), whether a source needs no further search."""
        worst = self.finished_scores[:, -1]
        enough = worst > float("-inf")
        if early_stopping == "always":
            return enough
        # Sums only fall, so a target is best at once, or at its longest where length is rewarded.
        far = early_stopping == "never" and length_penalty > 0
        reachable = self.sums[:, 0] / (self.max_length if far else self.length) ** length_penalty
        return enough & (reachable <= worst)

    def keep(self, rows: Tensor) -> None:
        """Forgets the other sources."""
        for name in ("pieces", "sums", "finished", "finished_scores", "finished_lengths"):
            setattr(self, name, getattr(self, name)[rows])

    def best(self, row: int, count: int) -> list[tuple[list[int], float]]:
        """The finished targets of a source, best first, without start and end."""
        found = []
        for place in range(count):
            score = float(self.finished_scores[row, place])
            if score > float("-inf"):
                length = int(self.finished_lengths[row, place])
                found.append((self.finished[row, place, 1 : length + 1].tolist(), score))
        return found

    def _extended(self, parents: Tensor, pieces: Tensor) -> Tensor:
        """The targets of the parents with another piece each: (B, M) and (B, M) -> (B, M, T)."""
        rows = parents[:, :, None].expand(-1, -1, self.pieces.size(2))
        extended = self.pieces.gather(1, rows)
        extended[:, :, self.length] = pieces
        return extended

    def _finish(self, pieces: Tensor, scores: Tensor, length: int) -> None:
        """Keeps the best N of the finished targets and these, which have so many pieces without the end piece."""
        lengths = torch.full_like(scores, length, dtype=torch.int64)
        all_scores = torch.cat([self.finished_scores, scores], dim=1)
        self.finished_scores, best = all_scores.topk(self.beams, dim=1)
        self.finished_lengths = torch.cat([self.finished_lengths, lengths], dim=1).gather(1, best)
        rows = best[:, :, None].expand(-1, -1, pieces.size(2))
        self.finished = torch.cat([self.finished, pieces], dim=1).gather(1, rows)
