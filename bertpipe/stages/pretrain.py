"""Pretrain a BERT on the snapshot, as BERT or as RoBERTa was, or train an imported one further."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from bertpipe.errors import ConfigError
from bertpipe.pipeline.stage import Input, Stage, StageRun
from bertpipe.stages.imported_model import load_model, model_source, refuse_keys
from bertpipe.stages.tokenize import HELD_OUT, TRAIN
from bertpipe.stages.training import TrainingConfig, require_text, train

if TYPE_CHECKING:
    from bertpipe.models.heads import BertForPretraining
    from bertpipe.text.tokenizer import Tokenizer

PIECE_WEIGHTS = "piece_weights.npy"
VALIDATION_STEPS = 2
# A larger corpus teaches the embedding by itself, and counting all of it would take long.
WARM_START_TOKENS = 50_000_000
# What pretraining has taught is soon lost again at the rate that a new model starts with.
LR, IMPORTED_LR = 5e-4, 5e-5
SHAPE_KEYS = ("preset", "layers", "width", "heads", "inner", "positions", "norm_first", "dropout", "max_length")


class PretrainConfig(TrainingConfig):
    """The BERT and its pretraining."""

    preset: Literal["tiny", "mini", "small", "base", "large"] = Field(
        "mini", description="Size: 2 x 128, 4 x 256, 4 x 512, 12 x 768 or 24 x 1024 (layers x width)."
    )
    layers: int | None = Field(None, ge=1, description="Layers, instead of the preset's.")
    width: int | None = Field(None, ge=8, description="Width, instead of the preset's.")
    heads: int | None = Field(None, ge=1, description="Attention heads, instead of the preset's.")
    inner: int | None = Field(None, ge=8, description="Width of the feed-forward networks; 4 x width by default.")
    positions: Literal["learned", "sinusoidal", "rotary"] = Field("learned", description="Kind of positions.")
    norm_first: bool = Field(False, description="Pre-norm layers; BERT's are post-norm.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout in training.")
    max_length: int = Field(256, ge=16, le=65536, description="Longest sequence the model can ever read, in tokens.")
    length: int = Field(128, ge=16, description="Tokens in a packed row of a batch.")
    rows: int = Field(32, ge=1, description="Packed rows in a batch.")
    objective: Literal["bert", "roberta"] = Field(
        "bert", description="bert: masked words and next sentences; roberta: masked words alone, longer runs of text."
    )
    masking: Literal["token", "word", "span"] = Field(
        "token", description="What is hidden at once: a piece, a whole word, or up to ten words in a row."
    )
    mask_rate: float = Field(0.15, gt=0, lt=1, description="Share of tokens to guess.")
    warm_start: Literal["auto", "on", "off"] = Field(
        "auto", description="Start from the corpus's co-occurrences; auto: where it has under 50 million tokens."
    )
    token_lr_scale: float | None = Field(
        None, ge=0, description="Factor on lr for the token vectors; by default 0 after a warm start, else 1."
    )
    lr: float | None = Field(
        None, gt=0, description="Highest learning rate; by default 0.0005, for an imported model 0.00005."
    )
    imported: str = Field("", description="Folder of an imported model, to start from its weights.")

    @model_validator(mode="after")
    def _one_model(self) -> PretrainConfig:
        if self.imported:
            refuse_keys(self.model_fields_set, SHAPE_KEYS, "imported model")
            if self.warm_start == "on":
                raise ValueError("a warm start would undo what the imported model has learned")
        return self


def pretrain(run: StageRun) -> dict[str, Any]:
    """Writes the pretrained model and its learning curve."""
    import numpy as np
    import torch

    from bertpipe.models.checkpoint import save_model
    from bertpipe.text.array_file import write_array
    from bertpipe.text.token_store import TokenStore
    from bertpipe.text.tokenizer import Tokenizer, tokenizer_file
    from bertpipe.text.word_bounds import WordBounds
    from bertpipe.training.doc_sentences import DocSentences
    from bertpipe.training.masking import Masking
    from bertpipe.training.pairs import CorpusPairs
    from bertpipe.training.pretraining import Pretraining
    from bertpipe.training.sentence_pairs import SentencePairs
    from bertpipe.training.warm_start import warm_start

    config: PretrainConfig = run.config
    tokens = run.inputs["tokenize"]
    store, held_out = TokenStore(tokens / TRAIN), TokenStore(tokens / HELD_OUT)
    pieces = tokenizer_file(tokens)
    tokenizer = Tokenizer(pieces)
    if tokenizer.special.missing:
        raise ConfigError(
            f"tokenize.imported has no piece for {' and '.join(tokenizer.special.missing)}",
            why="it is of a model that writes, and a BERT needs one",
        )
    torch.manual_seed(config.seed)
    model = load_model(run, pieces) if config.imported else _new_model(config, tokenizer)
    longest = model.bert.config.max_length
    if config.length > longest and config.steps != 0:
        raise ConfigError(f"pretrain.length = {config.length} is more than the imported model's {longest} tokens")
    warm = config.warm_start == "on" or (
        config.warm_start == "auto" and not config.imported and store.num_tokens < WARM_START_TOKENS
    )
    if warm or config.steps != 0:
        require_text(store)
    if config.imported:
        # Fine-tuning starts from the pooling that the model was published with.
        write_array(run.out / PIECE_WEIGHTS, np.ones(model.bert.config.vocab_size, dtype=np.float32))
    if warm:
        titled = CorpusPairs(
            store,
            tokenizer.special,
            batch_size=384,
            query_tokens=32,
            passage_tokens=config.length,
            seed=config.seed,
        )
        weights = warm_start(
            model.bert,
            titled,
            folder=run.resume / "warm_start",
            seed=config.seed,
            progress=run.progress,
            accelerator=config.accelerator,
        )
        write_array(run.out / PIECE_WEIGHTS, weights.numpy())

    words = None
    if config.masking != "token":
        words = WordBounds.of([tokenizer.piece(index) for index in range(tokenizer.vocab_size)])
    masking = Masking(tokenizer.vocab_size, tokenizer.special, rate=config.mask_rate, kind=config.masking, words=words)
    kind = SentencePairs if config.objective == "bert" else DocSentences

    def rows(source: TokenStore, seed: int) -> SentencePairs | DocSentences:
        return kind(source, rows=config.rows, length=config.length, masking=masking, seed=seed)

    batches = rows(store, config.seed)
    token_lr_scale = config.token_lr_scale if config.token_lr_scale is not None else float(not warm)

    def recipe(steps: int) -> Pretraining:
        return Pretraining(
            model,
            lr=config.lr or (IMPORTED_LR if config.imported else LR),
            weight_decay=config.weight_decay,
            warmup=config.warmup,
            steps=steps,
            token_lr_scale=token_lr_scale,
        )

    validation = rows(held_out, config.seed + 1) if held_out.num_tokens else None
    metrics = train(run, recipe, batches, validation, VALIDATION_STEPS, "pretraining")
    save_model(model, run.out)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {**metrics, "parameters": parameters, "warm_start": warm}


def _new_model(config: PretrainConfig, tokenizer: Tokenizer) -> BertForPretraining:
    from bertpipe.models.bert import Bert
    from bertpipe.models.config import BertConfig
    from bertpipe.models.heads import BertForPretraining

    shape = BertConfig.preset(
        config.preset,
        tokenizer.vocab_size,
        layers=config.layers,
        width=config.width,
        heads=config.heads,
        inner=config.inner,
        positions=config.positions,
        norm_first=config.norm_first,
        dropout=config.dropout,
        max_length=max(config.max_length, config.length),
        pad_id=tokenizer.pad_id,
    )
    return BertForPretraining(Bert(shape))


def _source(config: PretrainConfig, base: Path) -> str:
    return model_source(config.imported, base)


PRETRAIN = Stage(
    name="pretrain",
    version=2,
    config=PretrainConfig,
    inputs=(Input("tokenize"),),
    run=pretrain,
    summary="Pretrain a BERT on the documents (masked words, next sentence).",
    example="bertpipe pretrain --preset mini --budget 4m",
    source=_source,
)
