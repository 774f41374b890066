"""Writing one target for every source, piece by piece: the likeliest pieces, or drawn ones."""

from __future__ import annotations

import torch
from torch import Tensor

from bertpipe.models.forcing import force
from bertpipe.models.repetition import forbid_repeated
from bertpipe.models.transformer import Transformer

# Lower ones than this differ in nothing, and logits divided by them may be infinite.
LOWEST_TEMPERATURE = 1e-6


@torch.inference_mode()
def write(
    model: Transformer,
    src_ids: Tensor,
    src_mask: Tensor | None,
    *,
    max_length: int,
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    no_repeat_ngram: int = 0,
    seed: int = 0,
) -> list[tuple[list[int], float]]:
    """Writes a target for every source, without looking back.

    Args:
        model: In evaluation mode.
        src_ids: (B, S).
        src_mask: (B, S), False at padding; None where there is none.
        max_length: Most pieces of a target, the end piece included.
        temperature: 0 takes the likeliest piece; else the logits are divided by it and a piece is drawn.
        top_k: Draws among so many of the likeliest pieces (Fan et al. 2018, section 5.4); 0 among all.
        top_p: Draws among the fewest pieces that have so much probability (Holtzman et al. 2020, section 3.1).
        no_repeat_ngram: No target has the same n pieces in a row twice; 0 allows it.
        seed: Of the draws.

    Returns:
        For every source the pieces, without start and end, and the sum of their log-probabilities under the model.

    Raises:
        ValueError: A setting is out of range.
    """
    if not 1 <= max_length <= model.config.max_length:
        raise ValueError(f"max_length = {max_length} is not from 1 to {model.config.max_length}, the model's")
    if not (temperature >= 0 and top_k >= 0 and 0 < top_p <= 1):
        raise ValueError("temperature and top_k are at least 0, and top_p is above 0 and at most 1")
    random = torch.Generator(src_ids.device).manual_seed(seed)
    sources = src_ids.size(0)
    memory, memory_mask = model.encode(src_ids, src_mask)
    cache = model.start(memory, memory_mask)
    alive = torch.arange(sources, device=src_ids.device)
    written = torch.empty((sources, max_length), dtype=torch.int64, device=src_ids.device)
    newest = torch.full((sources,), model.config.start_id, device=src_ids.device)
    sums = torch.zeros(sources, device=src_ids.device)
    lengths = torch.full((sources,), max_length, device=src_ids.device)
    for place in range(max_length):
        logits = model.step(newest, cache).float()  # (R, V)
        force(logits, model.config, place)
        if no_repeat_ngram:
            forbid_repeated(logits, written[alive, :place], no_repeat_ngram)
        log_probabilities = torch.log_softmax(logits, dim=-1)
        newest = _choose(logits, temperature, top_k, top_p, random)  # (R,)
        written[alive, place] = newest
        sums[alive] += log_probabilities.gather(1, newest[:, None])[:, 0]
        ended = newest == model.config.end_id
        if ended.any():
            lengths[alive[ended]] = place
            keep = (~ended).nonzero()[:, 0]
            if len(keep) == 0:
                break
            alive, newest = alive[keep], newest[keep]
            cache.keep_sources(keep)
            cache.reorder(keep)
    pieces = zip(written, lengths.tolist(), strict=True)
    return list(zip([row[:length].tolist() for row, length in pieces], sums.tolist(), strict=True))


def _choose(logits: Tensor, temperature: float, top_k: int, top_p: float, random: torch.Generator) -> Tensor:
    """(R, V) -> (R,), a piece for every target."""
    if temperature == 0:
        return logits.max(dim=-1).indices  # several times faster than argmax
    logits, pieces = (logits / max(temperature, LOWEST_TEMPERATURE)).sort(dim=-1, descending=True)
    if top_k:
        logits, pieces = logits[:, :top_k], pieces[:, :top_k]
    probabilities = torch.softmax(logits, dim=-1)
    # A piece counts if the likelier ones do not yet have enough probability; the likeliest always does.
    before = probabilities.cumsum(dim=-1) - probabilities
    probabilities = probabilities.masked_fill(before >= top_p, 0.0)
    return pieces.gather(1, torch.multinomial(probabilities, 1, generator=random))[:, 0]
