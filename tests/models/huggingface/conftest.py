"""Published models made by hand: the names are written out here, not taken from the code under test."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

V, D, INNER, P = 20, 8, 16, 12
CONFIG = {
    "model_type": "bert",
    "vocab_size": V,
    "hidden_size": D,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": INNER,
    "max_position_embeddings": P,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}


def linear(name: str, rows: int, columns: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": torch.randn(rows, columns), f"{name}.bias": torch.randn(rows)}


def norm(name: str) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": torch.randn(D), f"{name}.bias": torch.randn(D)}


def body(positions: int = P, types: int = 2) -> dict[str, torch.Tensor]:
    """A BertModel of two layers."""
    tensors = {
        "embeddings.word_embeddings.weight": torch.randn(V, D),
        "embeddings.position_embeddings.weight": torch.randn(positions, D),
        "embeddings.token_type_embeddings.weight": torch.randn(types, D),
        **norm("embeddings.LayerNorm"),
        **linear("pooler.dense", D, D),
    }
    for number in range(2):
        layer = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            tensors |= linear(f"{layer}.attention.self.{part}", D, D)
        tensors |= linear(f"{layer}.attention.output.dense", D, D) | norm(f"{layer}.attention.output.LayerNorm")
        tensors |= linear(f"{layer}.intermediate.dense", INNER, D) | linear(f"{layer}.output.dense", D, INNER)
        tensors |= norm(f"{layer}.output.LayerNorm")
    return tensors


def heads() -> dict[str, torch.Tensor]:
    """Both heads of a BertForPreTraining."""
    return {
        **linear("cls.predictions.transform.dense", D, D),
        **norm("cls.predictions.transform.LayerNorm"),
        "cls.predictions.bias": torch.randn(V),
        **linear("cls.seq_relationship", 2, D),
    }


def whole() -> dict[str, torch.Tensor]:
    """A BertForPreTraining."""
    return {f"bert.{name}": tensor for name, tensor in body().items()} | heads()


class Published:
    """A published model's folder."""

    body, heads, whole = staticmethod(body), staticmethod(heads), staticmethod(whole)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = dict(CONFIG)

    def write(self, tensors: dict[str, torch.Tensor] | None = None, **changes) -> Path:
        """Writes the model; None as a value leaves a key out."""
        values = {key: value for key, value in (self.config | changes).items() if value is not None}
        (self.folder / "config.json").write_text(json.dumps(values))
        if tensors is not None:
            save_file(tensors, self.folder / "model.safetensors")
        return self.folder

    def sentence(self, kinds=("Transformer", "Pooling", "Normalize"), pooling=None, **length) -> Path:
        """Adds what sentence-transformers writes."""
        paths = {kind: f"{number}_{kind}" if number else "" for number, kind in enumerate(kinds)}
        modules = [
            {"idx": number, "name": str(number), "path": paths[kind], "type": f"sentence_transformers.models.{kind}"}
            for number, kind in enumerate(kinds)
        ]
        (self.folder / "modules.json").write_text(json.dumps(modules))
        if "Pooling" in paths:
            (self.folder / paths["Pooling"]).mkdir()
            config = self.folder / paths["Pooling"] / "config.json"
            config.write_text(json.dumps(pooling or {"pooling_mode_mean_tokens": True}))
        if length:
            (self.folder / "sentence_bert_config.json").write_text(json.dumps(length))
        return self.folder


@pytest.fixture
def published(tmp_path) -> Published:
    torch.manual_seed(0)
    folder = tmp_path / "published"
    folder.mkdir()
    return Published(folder)
