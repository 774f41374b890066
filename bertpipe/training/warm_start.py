"""The warm start: what a small corpus can teach in a minute, before any layer of a BERT is trained.

Token vectors from co-occurrence, then sharpened: as a bag of words with trained weights, they learn to find a passage
for its query. Without layers that is hundreds of thousands of tokens a second, and most of what a small corpus has to
say about retrieval; the layers add context to it.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from bertpipe.models.bert import Bert
from bertpipe.models.encoder import TextEncoder
from bertpipe.nn.pooling import WeightedPooling
from bertpipe.progress import Progress
from bertpipe.training.budget import Plan
from bertpipe.training.contrastive import Contrastive
from bertpipe.training.cooccurrence import inverse_document_frequencies, token_vectors
from bertpipe.training.fit import fit
from bertpipe.training.legs import LegData
from bertpipe.training.pairs import CorpusPairs

# Pairs that the token vectors learn from, by the number of documents: more of them begin to be learned by heart.
PAIRS_A_DOCUMENT, MOST_STEPS = 16, 2000
LR, TOKEN_LR_SCALE, POOLING_LR_SCALE = 1e-3, 3.0, 10.0


def warm_start(
    bert: Bert, pairs: CorpusPairs, *, folder: Path, seed: int, progress: Progress, accelerator: str
) -> Tensor:
    """Gives a BERT its token vectors, and layers that do nothing yet.

    Args:
        bert: Changed in place.
        pairs: The corpus, as pairs.
        folder: For checkpoints.
        seed: Of all randomness.
        progress: Told how far it is.
        accelerator: Lightning's accelerator.

    Returns:
        The pieces' pooling weights (V,), learned with the vectors.
    """
    config = bert.config
    progress.start("warm start: counting co-occurrences")
    bert.start_from(token_vectors(pairs.store, config.vocab_size, config.width, pairs.special, seed=seed))
    progress.finish()
    encoder = TextEncoder(bert)
    assert isinstance(encoder.pooling, WeightedPooling)
    encoder.pooling.set_weights(inverse_document_frequencies(pairs.store, config.vocab_size, pairs.special))
    if pairs.possible:
        steps = min(MOST_STEPS, max(1, PAIRS_A_DOCUMENT * pairs.store.num_documents // pairs.batch_size))
        module = Contrastive(
            encoder,
            lr=LR,
            weight_decay=0.0,
            warmup=0.1,
            steps=steps,
            pooling_lr_scale=POOLING_LR_SCALE,
            token_lr_scale=TOKEN_LR_SCALE,
        )
        layers, bert.layers = bert.layers, nn.ModuleList()
        try:
            fit(
                module,
                LegData(pairs, None, 0, Plan(steps, leg=max(5, -(-steps // 5)))),
                folder=folder,
                seed=seed,
                progress=progress,
                label="warm start: token vectors",
                accelerator=accelerator,
            )
        finally:
            bert.cpu().layers = layers
    return encoder.pooling.log_weight.weight.detach().cpu().exp().squeeze(1)
