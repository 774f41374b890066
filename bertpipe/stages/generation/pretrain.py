"""Make the Transformer, and teach it the language of the documents before its task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from bertpipe.errors import ConfigError
from bertpipe.pipeline.stage import Input, Stage, StageRun
from bertpipe.stages.imported_model import load_transformer_model, model_source, refuse_keys
from bertpipe.stages.tokenize import HELD_OUT, TRAIN
from bertpipe.stages.training import TrainingConfig, train

if TYPE_CHECKING:
    from bertpipe.models.transformer import Transformer
    from bertpipe.text.tokenizer import Tokenizer

VALIDATION_STEPS = 4
LR, IMPORTED_LR = 1e-3, 5e-5
SHAPE_KEYS = (
    "preset",
    "encoder_layers",
    "decoder_layers",
    "width",
    "heads",
    "inner",
    "positions",
    "activation",
    "norm_first",
    "dropout",
    "max_length",
)


class PretrainTransformerConfig(TrainingConfig):
    """The Transformer and its pretraining."""

    objective: Literal["none", "t5", "bart"] = Field(
        "none",
        description="none: start from nothing; t5: write the spans that are missing; bart: write a damaged text whole.",
    )
    preset: Literal["tiny", "mini", "small", "base", "large"] = Field(
        "mini", description="Size of each stack: 2 x 128, 4 x 256, 4 x 512, 12 x 768 or 24 x 1024 (layers x width)."
    )
    encoder_layers: int | None = Field(None, ge=1, description="Encoder layers, instead of the preset's.")
    decoder_layers: int | None = Field(None, ge=1, description="Decoder layers, instead of the preset's.")
    width: int | None = Field(None, ge=8, description="Width, instead of the preset's.")
    heads: int | None = Field(None, ge=1, description="Attention heads, instead of the preset's.")
    inner: int | None = Field(None, ge=8, description="Width of the feed-forward networks; 4 x width by default.")
    positions: Literal["learned", "sinusoidal", "rotary"] = Field("sinusoidal", description="Kind of positions.")
    activation: Literal["gelu", "relu", "geglu"] = Field("gelu", description="In the feed-forward networks.")
    norm_first: bool = Field(True, description="Pre-norm layers; the original Transformer's are post-norm.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout in training.")
    max_length: int = Field(
        512, ge=16, le=65536, description="Longest source and target that the model can ever read or write, in tokens."
    )
    length: int = Field(128, ge=16, description="Tokens in a damaged stretch of text (objectives t5 and bart).")
    rows: int = Field(64, ge=1, description="Stretches in a batch (objectives t5 and bart).")
    lr: float | None = Field(
        None, gt=0, description="Highest learning rate; by default 0.001, for an imported model 0.00005."
    )
    imported: str = Field("", description="Folder of an imported encoder-decoder, to start from its weights.")

    @model_validator(mode="after")
    def _one_model(self) -> PretrainTransformerConfig:
        if self.imported:
            refuse_keys(self.model_fields_set, SHAPE_KEYS, "imported model")
            if self.objective == "t5":
                raise ValueError("an imported model has no pieces to name T5's spans by; objective = bart needs none")
        return self


def pretrain_transformer(run: StageRun) -> dict[str, Any]:
    """Writes the Transformer, and its learning curve if it was trained."""
    import torch

    from bertpipe.models.checkpoint import save_model
    from bertpipe.text.tokenizer import Tokenizer, tokenizer_file

    config: PretrainTransformerConfig = run.config
    pieces = tokenizer_file(run.inputs["tokenize"])
    tokenizer = Tokenizer(pieces)
    torch.manual_seed(config.seed)
    model = load_transformer_model(run, pieces) if config.imported else _new_model(config, tokenizer)
    longest = model.config.max_length
    if config.objective != "none" and config.length > longest:
        raise ConfigError(f"pretrain.length = {config.length} is more than the imported model's {longest} tokens")
    metrics: dict[str, Any] = {}
    if config.objective != "none":
        metrics = _denoise(run, model, tokenizer)
    save_model(model, run.out)
    return {**metrics, "objective": config.objective, "parameters": sum(item.numel() for item in model.parameters())}


def _new_model(config: PretrainTransformerConfig, tokenizer: Tokenizer) -> Transformer:
    from bertpipe.models.transformer import Transformer
    from bertpipe.models.transformer_config import TransformerConfig
    from bertpipe.training.denoising import SENTINELS

    shape = TransformerConfig.preset(
        config.preset,
        # T5 names the missing spans by pieces that no text has; fine-tuning forgets them.
        tokenizer.vocab_size + (SENTINELS if config.objective == "t5" else 0),
        encoder_layers=config.encoder_layers,
        decoder_layers=config.decoder_layers,
        width=config.width,
        heads=config.heads,
        inner=config.inner,
        positions=config.positions,
        activation=config.activation,
        norm_first=config.norm_first,
        dropout=config.dropout,
        max_length=config.max_length if config.objective == "none" else max(config.max_length, config.length),
        pad_id=tokenizer.pad_id,
        start_id=tokenizer.cls_id,
        end_id=tokenizer.sep_id,
    )
    return Transformer(shape)


def _denoise(run: StageRun, model: Transformer, tokenizer: Tokenizer) -> dict[str, Any]:
    """Trains the model to mend damaged text."""
    from bertpipe.text.token_store import TokenStore
    from bertpipe.training.denoising import Denoising
    from bertpipe.training.sequence_to_sequence import SequenceToSequence

    config: PretrainTransformerConfig = run.config
    objective: Literal["t5", "bart"] = "t5" if config.objective == "t5" else "bart"
    tokens = run.inputs["tokenize"]
    held_out = TokenStore(tokens / HELD_OUT)

    def batches(source: TokenStore, seed: int) -> Denoising:
        return Denoising(
            source,
            objective=objective,
            rows=config.rows,
            length=config.length,
            vocab_size=tokenizer.vocab_size,
            special=tokenizer.special,
            seed=seed,
            start_id=model.config.start_id,
            source_prefix=model.config.source_prefix,
            source_suffix=model.config.source_suffix,
            first_id=model.config.first_id,
        )

    def recipe(steps: int) -> SequenceToSequence:
        return SequenceToSequence(
            model,
            lr=config.lr or (IMPORTED_LR if config.imported else LR),
            weight_decay=config.weight_decay,
            warmup=config.warmup,
            steps=steps,
            schedule="linear",
            label_smoothing=0.0,
        )

    return train(
        run,
        recipe,
        batches(TokenStore(tokens / TRAIN), config.seed),
        batches(held_out, config.seed + 1) if held_out.num_tokens else None,
        VALIDATION_STEPS,
        "pretraining",
    )


def _source(config: PretrainTransformerConfig, base: Path) -> str:
    return model_source(config.imported, base)


PRETRAIN_TRANSFORMER = Stage(
    name="pretrain",
    version=1,
    config=PretrainTransformerConfig,
    inputs=(Input("tokenize"),),
    run=pretrain_transformer,
    summary="Make the Transformer, and teach it the language of the documents.",
    example="bertpipe pretrain -p summaries.toml --objective bart --budget 20m",
    source=_source,
)
