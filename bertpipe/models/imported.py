"""An imported model on disk: a published BERT in our own layout, made by `bertpipe import`.

```
config.json         a `BertConfig`
model.safetensors   tensors as `BertForPretraining` names them, without the heads that the source lacks
tokenizer.json      its tokenizer
pooling.json        how it makes a vector of a text; only where the source says so
```
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from bertpipe.errors import ArtefactError
from bertpipe.models.bert import Bert
from bertpipe.models.checkpoint import CONFIG, WEIGHTS, read_tensors
from bertpipe.models.config import BertConfig
from bertpipe.models.heads import BertForPretraining

TOKENIZER, POOLING = "tokenizer.json", "pooling.json"
# What a model may lack, by the beginning of the names of its tensors, and the head that is then new. A source may have
# the pooler of the next-sentence head without the classifier.
PARTS = {
    "masked_language.": "masked_language",
    "next_sentence.pooler.": "next_sentence",
    "next_sentence.classifier.": "next_sentence",
}
AGAIN = "Import it again with `bertpipe import`."

Mode = Literal["mean", "cls"]


@dataclass(frozen=True)
class ImportedPooling:
    """How a published text encoder makes one vector of a text.

    Attributes:
        pooling: "mean" of all token vectors, ``[CLS]`` and ``[SEP]`` included, or the vector of ``[CLS]``.
        normalize: Whether it scales its vectors to length 1. Ours are, always.
        longest_text: Tokens of a text that it reads, ``[CLS]`` and ``[SEP]`` included.
    """

    pooling: Mode
    normalize: bool
    longest_text: int

    def save(self, folder: Path) -> None:
        """Writes ``pooling.json``."""
        (folder / POOLING).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> ImportedPooling | None:
        """Reads ``pooling.json``; None where the source was not a text encoder.

        Raises:
            ArtefactError: The file is damaged.
        """
        path = folder / POOLING
        try:
            loaded = cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise ArtefactError(f"{path} is damaged", why=str(error), hint=AGAIN) from error
        whole = isinstance(loaded.longest_text, int) and isinstance(loaded.normalize, bool)
        if not whole or loaded.pooling not in get_args(Mode):
            raise ArtefactError(f"{path} is damaged", why="a value is not possible", hint=AGAIN)
        return loaded


def load_imported(folder: Path) -> tuple[BertForPretraining, frozenset[str]]:
    """Loads an imported model, for training or for use.

    Args:
        folder: Made by `bertpipe import`.

    Returns:
        The model, and the heads that the source lacks: "masked_language", "next_sentence". Those are initialised with
        torch's random numbers.

    Raises:
        ArtefactError: A file is missing, damaged, or of another model.
    """
    config, tensors = imported_tensors(folder)
    model = BertForPretraining(Bert(config))
    missing = model.state_dict().keys() - tensors.keys()
    model.load_state_dict(tensors, strict=False)
    return model, frozenset(head for part, head in PARTS.items() if any(name.startswith(part) for name in missing))


def imported_pooling(folder: Path) -> Mode:
    """How an imported model makes one vector of a text: "mean", where its source does not say, or "cls".

    Raises:
        ArtefactError: ``pooling.json`` is damaged.
    """
    facts = ImportedPooling.load(folder)
    return facts.pooling if facts else "mean"


def imported_tensors(folder: Path) -> tuple[BertConfig, dict[str, Tensor]]:
    """The shape and the weights of an imported model.

    Raises:
        ArtefactError: A file is missing, damaged, or of another model.
    """
    if not (folder / CONFIG).is_file():
        raise ArtefactError(f"{folder} is not an imported model", why=f"it has no {CONFIG}", hint=AGAIN)
    config = BertConfig.load(folder / CONFIG)
    path = folder / WEIGHTS
    tensors = read_tensors(path)
    shapes = expected_shapes(config)
    lacking = sorted(shapes.keys() - tensors.keys())
    # A part is there as a whole or not at all.
    whole = [name for name in lacking if not any(_lacks(part, tensors) for part in PARTS if name.startswith(part))]
    extra = sorted(tensors.keys() - shapes.keys())
    if whole or extra:
        odd = [f"lacks {whole[0]}"] if whole else []
        odd += [f"has {extra[0]} too much"] if extra else []
        raise ArtefactError(f"{path} is of another model", why=f"it {' and '.join(odd)}", hint=AGAIN)
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != shapes[name]:
            why = f"{name} is {tuple(tensor.shape)} instead of {shapes[name]}"
            raise ArtefactError(f"{path} is of another model", why=why, hint=AGAIN)
    return config, tensors


def expected_shapes(config: BertConfig) -> dict[str, tuple[int, ...]]:
    """The tensors of a `BertForPretraining`, without making them."""
    with torch.device("meta"):
        model = BertForPretraining(Bert(config))
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def _lacks(part: str, tensors: dict[str, Tensor]) -> bool:
    return not any(name.startswith(part) for name in tensors)
