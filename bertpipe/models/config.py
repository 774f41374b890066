"""The shape of a BERT, and the presets."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from bertpipe.errors import ArtefactError, ConfigError
from bertpipe.nn.activation import Activation

Positions = Literal["learned", "sinusoidal", "rotary"]
PoolingKind = Literal["weighted", "cls"]

# Layers, width, heads. The sizes up to "small" are those of Turc et al. 2019 ("Well-read students learn better",
# table 1), "base" and "large" those of Devlin et al. 2019, section 3.
PRESETS: dict[str, tuple[int, int, int]] = {
    "tiny": (2, 128, 2),
    "mini": (4, 256, 4),
    "small": (4, 512, 8),
    "base": (12, 768, 12),
    "large": (24, 1024, 16),
}


@dataclass(frozen=True)
class BertConfig:
    """Everything that decides the shape and the arithmetic of a BERT.

    Attributes:
        vocab_size: V.
        width: D.
        layers: Number of encoder layers.
        heads: H; divides ``width``.
        inner: Width of the feed-forward networks.
        max_length: Longest sequence, in tokens.
        dropout: Probability, in training.
        positions: Kind of positions.
        norm_first: Pre-norm layers instead of BERT's post-norm.
        norm_eps: Epsilon of the layer norms.
        pad_id: Id of the padding piece.
        activation: Non-linearity of the feed-forward networks and of the masked-language head.
        pooling: How a text encoder makes one vector of a text's: a weighted sum of all, or the vector of ``[CLS]``.

    Raises:
        ConfigError: A value is impossible.
    """

    vocab_size: int
    width: int = 256
    layers: int = 4
    heads: int = 4
    inner: int = 1024
    max_length: int = 256
    dropout: float = 0.1
    positions: Positions = "learned"
    norm_first: bool = False
    norm_eps: float = 1e-12
    pad_id: int = 0
    activation: Activation = "gelu"
    pooling: PoolingKind = "weighted"

    def __post_init__(self) -> None:
        for name in ("vocab_size", "width", "heads", "inner", "max_length"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)}: a BERT needs at least 1")
        if self.width % self.heads:
            raise ConfigError(
                f"width = {self.width} with heads = {self.heads}", why="the heads must share the width evenly"
            )
        for name, kinds in (("positions", Positions), ("activation", Activation), ("pooling", PoolingKind)):
            if getattr(self, name) not in get_args(kinds):
                raise ConfigError(f"{name} = {getattr(self, name)!r}", why=f"there are {', '.join(get_args(kinds))}")
        if self.positions == "rotary" and self.width // self.heads % 2:
            raise ConfigError(
                f"width = {self.width} with heads = {self.heads}",
                why="rotary positions turn pairs of a head's features",
            )

    @classmethod
    def preset(cls, name: str, vocab_size: int, **overrides: int | float | str | bool | None) -> BertConfig:
        """A preset with some values replaced; None leaves the preset's value.

        Args:
            name: One of `PRESETS`.
            vocab_size: V.
            **overrides: Fields of this class.

        Raises:
            ConfigError: No such preset, or a value is impossible.
        """
        if name not in PRESETS:
            raise ConfigError(f"no preset {name!r}", hint=f"Choose one of {', '.join(PRESETS)}.")
        layers, width, heads = PRESETS[name]
        given = {key: value for key, value in overrides.items() if value is not None}
        values: dict[str, Any] = {"layers": layers, "width": width, "heads": heads, **given}
        values.setdefault("inner", 4 * values["width"])
        return cls(vocab_size=vocab_size, **values)

    def save(self, path: Path) -> None:
        """Writes the configuration as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> BertConfig:
        """Reads what `save` wrote.

        Raises:
            ArtefactError: The file is missing or is not such a configuration.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            known = {field.name for field in fields(cls)}
            if not isinstance(values, dict) or not values.keys() <= known:
                published = isinstance(values, dict) and "model_type" in values
                hint = "`bertpipe import` reads published models." if published else ""
                raise ArtefactError(f"{path} is not the configuration of a BERT of ours", hint=hint)
            return cls(**values)
        except (OSError, json.JSONDecodeError, TypeError) as error:
            raise ArtefactError(f"{path} cannot be read", why=str(error)) from error
