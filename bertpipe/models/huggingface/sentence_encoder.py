"""Text encoders of sentence-transformers: the modules behind the BERT, read and written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from bertpipe.errors import InputError
from bertpipe.models.checkpoint import write_tensors
from bertpipe.models.huggingface.layout import (
    CONFIG,
    MODULES,
    SENTENCE_FACTS,
    SENTENCE_LENGTH,
    TOKENIZER_FACTS,
    WEIGHTS,
    inside,
    read_json,
    read_table,
    write_json,
)
from bertpipe.models.imported import ImportedPooling, Mode

# Since its version 5.4 sentence-transformers writes one key with one of the values, before that a key for each.
_MODES: Final = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_TYPES: Final = "sentence_transformers.models."


@dataclass(frozen=True)
class SentenceEncoder:
    """What sentence-transformers' files say about a model.

    Attributes:
        pooling: How it makes a vector of a text.
        lower_case: Whether texts are put into lower case before they are tokenised.
        prompts: Texts that it expects in front of queries or passages, by name.
    """

    pooling: ImportedPooling
    lower_case: bool
    prompts: dict[str, str]


def read_sentence_encoder(source: Path, model: Path, longest: int) -> SentenceEncoder | None:
    """Reads ``modules.json`` and what it names.

    Args:
        source: The published folder.
        model: Where its BERT lies.
        longest: Tokens that the BERT can read.

    Returns:
        None where the model is not of sentence-transformers.

    Raises:
        InputError: A file is damaged, or there is a module that we do not compute.
    """
    path = source / MODULES
    if not path.is_file():
        return None
    modules = read_json(path)
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise InputError("not a list of modules", path=path)
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        odd = [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]
        raise InputError(
            f"the modules {', '.join(kinds)} cannot be read",
            path=path,
            why=f"we have no {odd[0]} behind a BERT" if odd else "the order is another",
            hint="What can be read: Transformer, Pooling and, if there is one, Normalize.",
        )
    prompts = _read_if_there(source / SENTENCE_FACTS).get("prompts")
    return SentenceEncoder(
        ImportedPooling(
            pooling=_mode(inside(source, str(modules[1].get("path", ""))) / CONFIG),
            normalize="Normalize" in kinds,
            longest_text=min(longest, _longest_text(model)),
        ),
        lower_case=bool(_read_if_there(model / SENTENCE_LENGTH).get("do_lower_case")),
        prompts={name: text for name, text in prompts.items() if text} if isinstance(prompts, dict) else {},
    )


def write_sentence_encoder(
    folder: Path, width: int, pooling: ImportedPooling, pieces: Sequence[str] = (), weights: Tensor | None = None
) -> tuple[str, ...]:
    """Writes what makes ``SentenceTransformer(folder)`` of a folder that has a model and a tokenizer.

    Args:
        folder: The model's.
        width: D.
        pooling: How it makes a vector of a text.
        pieces: The piece of every id, all different; needed with ``weights``.
        weights: (V,), the weight of each piece in the mean; all 1 if left out.

    Returns:
        The names of the modules.
    """
    modules = ["Transformer"]
    if weights is not None:
        modules.append("WordWeights")
    modules.append("Pooling")
    if pooling.normalize:
        modules.append("Normalize")
    paths = {kind: f"{number}_{kind}" if number else "" for number, kind in enumerate(modules)}
    write_json(
        [
            {"idx": number, "name": str(number), "path": paths[kind], "type": _TYPES + kind}
            for number, kind in enumerate(modules)
        ],
        folder / MODULES,
    )
    write_json({"max_seq_length": pooling.longest_text, "do_lower_case": False}, folder / SENTENCE_LENGTH)
    write_json({"similarity_fn_name": "cosine"}, folder / SENTENCE_FACTS)
    write_json(
        {
            "word_embedding_dimension": width,
            **{key: mode == pooling.pooling for key, mode in _MODES.items()},
            "include_prompt": True,
        },
        folder / paths["Pooling"] / CONFIG,
    )
    if pooling.normalize:
        (folder / paths["Normalize"]).mkdir()
    if weights is not None:
        table = dict(zip(pieces, weights.tolist(), strict=True))
        facts = {"vocab": list(pieces), "word_weights": table, "unknown_word_weight": 1.0}
        write_json(facts, folder / paths["WordWeights"] / CONFIG)
        write_tensors({"emb_layer.weight": weights[:, None]}, folder / paths["WordWeights"] / WEIGHTS, {"format": "pt"})
    return tuple(modules)


def _mode(path: Path) -> Mode:
    table = read_table(path)
    given = table.get("pooling_mode")
    if given is None:
        chosen = [mode for key, mode in _MODES.items() if table.get(key)] or ["mean"]
    else:
        chosen = list(given) if isinstance(given, list) else [str(given)]
    if chosen not in (["mean"], ["cls"]):
        raise InputError(
            f"the pooling {' + '.join(map(str, chosen))} cannot be read",
            path=path,
            why="our encoders have the mean of all token vectors, or the vector of [CLS]",
        )
    return "cls" if chosen == ["cls"] else "mean"


def _longest_text(model: Path) -> int:
    """The longest text in tokens; since version 5.4 sentence-transformers leaves it to the tokenizer."""
    for name, key in ((SENTENCE_LENGTH, "max_seq_length"), (TOKENIZER_FACTS, "model_max_length")):
        given = _read_if_there(model / name).get(key)
        if given is not None:
            if not isinstance(given, int | float) or given < 3:
                raise InputError(f"{key} = {given!r} is not possible", path=model / name)
            return int(given)
    return sys.maxsize


def _read_if_there(path: Path) -> dict[str, Any]:
    return read_table(path) if path.is_file() else {}
