"""Fine-tune the pretrained BERT into a text encoder for retrieval, and export it for the query path."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pydantic import Field

from bertpipe.errors import ConfigError
from bertpipe.pipeline.artefact import Manifest
from bertpipe.pipeline.stage import Input, Stage, StageRun
from bertpipe.stages.pretrain import PIECE_WEIGHTS
from bertpipe.stages.teacher import teacher_source, with_teacher
from bertpipe.stages.tokenize import HELD_OUT, TRAIN
from bertpipe.stages.training import TrainingConfig, require_text, train
from bertpipe.stages.user_pairs import pairs_source, read_pairs, with_hard_negatives

ENCODER = "encoder"
VALIDATION_STEPS = 2
VALIDATION_PAIRS = 64
MEASURED_PAIRS = 128
# An imported model has learned from more than a corpus can teach anew.
LR, IMPORTED_LR = 3e-4, 2e-5
TOKEN_LR_SCALE, IMPORTED_TOKEN_LR_SCALE = 3.0, 1.0


class FinetuneConfig(TrainingConfig):
    """The text encoder and its contrastive training."""

    pairs: str = Field(
        "", description="File of your own query/passage pairs (TSV, CSV or JSONL); used beside the corpus's own."
    )
    query_field: str = Field("query", description="Field of a pair that holds the query.")
    passage_field: str = Field("passage", description="Field of a pair that holds the passage.")
    passage_title_field: str = Field("", description="Field of a pair that holds the passage's title, if it has one.")
    pairs_share: float = Field(0.5, gt=0, le=1, description="Share of a batch that is taken from pairs.")
    pairs_together: int = Field(
        64, ge=1, description="Pairs of yours that come together in training, next to each other in the file."
    )
    hard_negatives: int = Field(
        0,
        ge=0,
        le=8,
        description="Passages beside each pair of yours that look right and are not; found before.",
    )
    negatives_below: float = Field(
        0.95,
        gt=0,
        description="A passage is wrong if its cosine with the query is below this share of the right one's.",
    )
    teacher: str = Field(
        "", description="Folder of a trained step reranker, whose judgement of pairs and hard_negatives is learned too."
    )
    teacher_weight: float = Field(1.0, gt=0, description="Weight of the teacher's loss beside that of the pairs.")
    batch_size: int = Field(
        384, ge=2, description="Pairs in a batch; every pair's passage is a negative of the others."
    )
    word_dropout: float = Field(
        0.0, ge=0, lt=1, description="Share of the pieces of queries and passages left out in training, ever others."
    )
    parts: int = Field(
        1, ge=1, le=16, description="Parts of a passage with vectors of their own, as embed.parts has them in searches."
    )
    chunk_tokens: int = Field(
        0, ge=0, description="Tokens of a batch that are held in memory at a time; 0: all. Slower by a third."
    )
    matryoshka: tuple[int, ...] = Field(
        (), description="Numbers of first dimensions of the vectors that are to find well by themselves."
    )
    query_tokens: int = Field(32, ge=4, description="Longest query, in tokens.")
    passage_tokens: int = Field(128, ge=16, description="Longest passage, in tokens, its title included.")
    lr: float | None = Field(
        None, gt=0, description="Highest learning rate; by default 0.0003, for an imported model 0.00002."
    )
    pooling_lr_scale: float = Field(10.0, gt=0, description="Factor on lr for the pooling's weights, one a piece.")
    token_lr_scale: float | None = Field(
        None, ge=0, description="Factor on lr for the token vectors; by default 3, for an imported model 1."
    )


def finetune(run: StageRun) -> dict[str, Any]:
    """Writes the encoder's weights, its ONNX graph and its learning curve."""
    import numpy as np
    import torch

    from bertpipe.models.checkpoint import load_pretrained, save_model
    from bertpipe.models.encoder import TextEncoder
    from bertpipe.models.onnx_export import export_encoder
    from bertpipe.nn.pooling import WeightedPooling
    from bertpipe.retrieval.encoder import GRAPH, EncoderSettings
    from bertpipe.text.token_store import TokenStore
    from bertpipe.text.tokenizer import Tokenizer, tokenizer_file
    from bertpipe.training.context_scale import set_context_scale
    from bertpipe.training.contrastive import Contrastive
    from bertpipe.training.cooccurrence import inverse_document_frequencies
    from bertpipe.training.pairs import CorpusPairs

    config: FinetuneConfig = run.config
    tokens = run.inputs["tokenize"]
    store, held_out = TokenStore(tokens / TRAIN), TokenStore(tokens / HELD_OUT)
    pieces = tokenizer_file(tokens)
    tokenizer = Tokenizer(pieces)
    bert = load_pretrained(run.inputs["pretrain"]).bert
    imported = bool(Manifest.read(run.inputs["pretrain"]).config["imported"])
    longest = bert.config.max_length
    for key in ("query_tokens", "passage_tokens"):
        if getattr(config, key) > longest:
            raise ConfigError(
                f"finetune.{key} = {getattr(config, key)} is more than the model can read",
                hint=f"Lower it to {longest}."
                if imported
                else f"Lower it, or raise pretrain.max_length from {longest}.",
            )
    if any(not 0 < dimensions < bert.config.width for dimensions in config.matryoshka):
        raise ConfigError(
            f"finetune.matryoshka = {list(config.matryoshka)} is not within the vectors",
            hint=f"They have {bert.config.width} dimensions; take fewer.",
        )
    torch.manual_seed(config.seed)
    encoder = TextEncoder(bert)
    learned = run.inputs["pretrain"] / PIECE_WEIGHTS
    if isinstance(encoder.pooling, WeightedPooling):
        encoder.pooling.set_weights(
            torch.from_numpy(np.load(learned, allow_pickle=False))
            if learned.is_file()
            else inverse_document_frequencies(store, tokenizer.vocab_size, tokenizer.special)
        )
    if config.steps != 0:
        require_text(store)
    user_pairs = None
    if config.teacher and not (config.pairs and config.hard_negatives):
        raise ConfigError(
            "finetune.teacher has nothing to judge",
            hint="Set finetune.pairs, and finetune.hard_negatives to 1 or more.",
        )
    if config.pairs:
        given = read_pairs(run)
        if config.steps == 0:
            run.progress.note("nothing learns from finetune.pairs: finetune.steps is 0")
        user_pairs = with_hard_negatives(
            run,
            given,
            tokenizer,
            encoder,
            query_tokens=config.query_tokens,
            passage_tokens=config.passage_tokens,
            mine=config.hard_negatives > 0,
        )
        if config.teacher:
            user_pairs = with_teacher(run, given, user_pairs)

    def pairs(source: TokenStore, size: int, seed: int) -> CorpusPairs:
        return CorpusPairs(
            source,
            tokenizer.special,
            batch_size=size,
            query_tokens=config.query_tokens,
            passage_tokens=config.passage_tokens,
            seed=seed,
            user_pairs=user_pairs if source is store else None,
            user_share=config.pairs_share,
            user_together=config.pairs_together,
            hard_negatives=config.hard_negatives,
            word_dropout=config.word_dropout if source is store else 0.0,
            parts=config.parts,
        )

    batches = pairs(store, config.batch_size, config.seed)

    lr = config.lr or (IMPORTED_LR if imported else LR)
    token_lr_scale = config.token_lr_scale
    if token_lr_scale is None:
        token_lr_scale = IMPORTED_TOKEN_LR_SCALE if imported else TOKEN_LR_SCALE

    def recipe(steps: int) -> Contrastive:
        return Contrastive(
            encoder,
            lr=lr,
            weight_decay=config.weight_decay,
            warmup=config.warmup,
            steps=steps,
            pooling_lr_scale=config.pooling_lr_scale,
            token_lr_scale=token_lr_scale,
            chunk_tokens=config.chunk_tokens,
            dimensions=config.matryoshka,
            teacher_weight=config.teacher_weight if config.teacher else 0.0,
        )

    context_scale = 1.0
    if config.steps != 0 and not imported:
        measured = pairs(store, min(config.batch_size, MEASURED_PAIRS), config.seed)
        context_scale = set_context_scale(recipe(1), measured, config.accelerator)
    validation = pairs(held_out, VALIDATION_PAIRS, config.seed + 1)
    metrics = train(
        run,
        recipe,
        batches,
        validation if validation.possible else None,
        VALIDATION_STEPS,
        "fine-tuning for retrieval",
    )
    save_model(encoder, run.out)
    folder = run.out / ENCODER
    folder.mkdir(exist_ok=True)
    export_encoder(encoder.cpu(), folder / GRAPH)
    shutil.copyfile(pieces, folder / pieces.name)
    EncoderSettings(bert.config.width, config.query_tokens, config.passage_tokens).save(folder)
    return {**metrics, "context_scale": context_scale}


def _source(config: FinetuneConfig, base: Path) -> str:
    teacher = teacher_source(config.teacher, base)
    return pairs_source(config, base) + (f" {teacher}" if teacher else "")


FINETUNE = Stage(
    name="finetune",
    version=3,
    config=FinetuneConfig,
    inputs=(Input("tokenize"), Input("pretrain")),
    run=finetune,
    summary="Fine-tune the BERT to find passages for queries.",
    example="bertpipe finetune --budget 10m --pairs pairs.tsv",
    source=_source,
)
