"""How targets are written; imports no torch, because the command line offers these choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

EarlyStopping = Literal["always", "likely", "never"]


@dataclass(frozen=True)
class Decoding:
    """How targets are written.

    Attributes:
        beams: Targets kept side by side; 1 keeps the likeliest piece at each place.
        length_penalty: See `bertpipe.models.beam_search.beam_search`.
        early_stopping: See there.
        temperature: Above 0, pieces are drawn instead; see `bertpipe.models.sampling.write`.
        top_k: See there.
        top_p: See there.
        no_repeat_ngram: No target has the same n pieces in a row twice; 0 allows it.
        max_length: Most pieces of a target; None is what the generator learned to write.
        best: Targets returned for a source, at most ``beams``.
        seed: Of the draws.
    """

    beams: int = 1
    length_penalty: float = 1.0
    early_stopping: EarlyStopping = "always"
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    no_repeat_ngram: int = 0
    max_length: int | None = None
    best: int = 1
    seed: int = 0


TRANSLATION, SUMMARIZATION, DIALOGUE = "translation", "summarization", "dialogue"
USUAL: Final[dict[str, Decoding]] = {
    TRANSLATION: Decoding(beams=5),
    SUMMARIZATION: Decoding(beams=4, no_repeat_ngram=3),
    # The likeliest reply is the same dull one to everything (Li et al. 2016; Holtzman et al. 2020).
    DIALOGUE: Decoding(temperature=0.7, top_p=0.9, no_repeat_ngram=3),
}
"""How the commands of each task write, unless told otherwise."""

READ_TO_THE_END: Final = (DIALOGUE,)
"""Tasks in which the end of a source counts most: one that is too long loses its beginning."""
