"""The shape of an encoder-decoder Transformer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from bertpipe.errors import ArtefactError, ConfigError
from bertpipe.models.config import PRESETS, Positions
from bertpipe.nn.activation import Activation

KIND = "transformer"


@dataclass(frozen=True)
class TransformerConfig:
    """Everything that decides the shape and the arithmetic of an encoder-decoder.

    One embedding serves the source, the target and, transposed, the output (Vaswani et al. 2017, section 3.4).

    Attributes:
        vocab_size: V.
        width: D.
        encoder_layers: Number of encoder layers.
        decoder_layers: Number of decoder layers.
        heads: H; divides ``width``.
        inner: Width of the feed-forward networks.
        max_length: Longest source and longest target, in tokens.
        dropout: Probability in training, for embeddings and branch outputs (Vaswani et al. 2017, section 5.4).
        attention_dropout: Probability in training, for attention weights.
        inner_dropout: Probability in training, for the inner features of the feed-forward networks.
        positions: Kind of positions.
        activation: Of the feed-forward networks.
        norm_first: Pre-norm layers, with a norm at the end of each stack; False is the original's post-norm.
        norm_eps: Epsilon of the layer norms.
        embedding_norm: A layer norm after the embeddings, as BART has one.
        scale_embedding: Token vectors times the root of ``width``, as in the original.
        output_bias: A bias for every piece in the output.
        pad_id: Id of the padding piece.
        start_id: Id that every target starts with.
        end_id: Id that every source and every target ends with.
        source_prefix: Ids in front of a source.
        source_suffix: Ids behind the end piece of a source, such as its language in mBART.
        first_id: Id that a decoder writes first, whatever its source; None leaves it free.
        forbidden_ids: Ids that a decoder never writes.

    Raises:
        ConfigError: A value is impossible.
    """

    vocab_size: int
    width: int = 256
    encoder_layers: int = 4
    decoder_layers: int = 4
    heads: int = 4
    inner: int = 1024
    max_length: int = 256
    dropout: float = 0.1
    attention_dropout: float = 0.0
    inner_dropout: float = 0.0
    positions: Positions = "sinusoidal"
    activation: Activation = "gelu"
    norm_first: bool = True
    norm_eps: float = 1e-5
    embedding_norm: bool = False
    scale_embedding: bool = True
    output_bias: bool = False
    pad_id: int = 0
    start_id: int = 2
    end_id: int = 3
    source_prefix: tuple[int, ...] = ()
    source_suffix: tuple[int, ...] = ()
    first_id: int | None = None
    forbidden_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("vocab_size", "width", "heads", "inner", "max_length", "encoder_layers", "decoder_layers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)}: a Transformer needs at least 1")
        if self.width % self.heads:
            raise ConfigError(
                f"width = {self.width} with heads = {self.heads}", why="the heads must share the width evenly"
            )
        if self.positions == "rotary" and self.width // self.heads % 2:
            raise ConfigError(
                f"width = {self.width} with heads = {self.heads}",
                why="rotary positions turn pairs of a head's features",
            )
        for name in ("pad_id", "start_id", "end_id", "source_prefix", "source_suffix", "first_id", "forbidden_ids"):
            value = getattr(self, name)
            for index in value if isinstance(value, tuple) else (value,):
                if index is not None and not 0 <= index < self.vocab_size:
                    raise ConfigError(f"{name} = {value} is not in a vocabulary of {self.vocab_size}")

    @property
    def frame(self) -> int:
        """How many ids stand around the text of a source."""
        return len(self.source_prefix) + 1 + len(self.source_suffix)

    def framed(self, pieces: Sequence[int], limit: int) -> list[int]:
        """A source as the encoder reads it.

        Args:
            pieces: Of its text; what is too much for ``limit`` is left out.
            limit: Most tokens of the source with all that stands around it.
        """
        return [*self.source_prefix, *pieces[: max(0, limit - self.frame)], self.end_id, *self.source_suffix]

    @classmethod
    def preset(cls, name: str, vocab_size: int, **overrides: int | float | str | bool | None) -> TransformerConfig:
        """A preset with some values replaced; None leaves the preset's value.

        Args:
            name: One of `bertpipe.models.config.PRESETS`; its layers are those of each stack.
            vocab_size: V.
            **overrides: Fields of this class.

        Raises:
            ConfigError: No such preset, or a value is impossible.
        """
        if name not in PRESETS:
            raise ConfigError(f"no preset {name!r}", hint=f"Choose one of {', '.join(PRESETS)}.")
        layers, width, heads = PRESETS[name]
        given = {key: value for key, value in overrides.items() if value is not None}
        shape = {"encoder_layers": layers, "decoder_layers": layers, "width": width, "heads": heads}
        values: dict[str, Any] = {**shape, **given}
        values.setdefault("inner", 4 * values["width"])
        return cls(vocab_size=vocab_size, **values)

    def save(self, path: Path) -> None:
        """Writes the configuration as JSON."""
        path.write_text(json.dumps({"kind": KIND, **asdict(self)}, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> TransformerConfig:
        """Reads what `save` wrote.

        Raises:
            ArtefactError: The file is missing or is not such a configuration.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            known = {field.name for field in fields(cls)}
            if not isinstance(values, dict) or values.pop("kind", None) != KIND or not values.keys() <= known:
                raise ArtefactError(f"{path} is not the configuration of a Transformer of ours")
            whole: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
            }
            return cls(**whole)
        except (OSError, ValueError, TypeError) as error:
            raise ArtefactError(f"{path} cannot be read", why=str(error)) from error
