"""The tensors of a published model: read from safetensors, named as we do, and checked one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bertpipe.errors import InputError
from bertpipe.models.config import BertConfig
from bertpipe.models.huggingface.family import Family, Values
from bertpipe.models.huggingface.layout import OTHER_WEIGHTS, PICKLES, WEIGHTS, WEIGHTS_INDEX, inside, read_table
from bertpipe.models.huggingface.names import their_names
from bertpipe.models.imported import PARTS, expected_shapes

# Counters that older versions of transformers stored beside the weights.
BUFFERS = ("position_ids", "token_type_ids")
SHOWN = 3
CONVERT = (
    "Convert it where you trust it: AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER) of transformers "
    "writes safetensors."
)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Reads ``model.safetensors``, or the files that ``model.safetensors.index.json`` lists, as float32.

    Args:
        folder: In the layout of Hugging Face.

    Returns:
        The tensors by the names they have there.

    Raises:
        InputError: There are no safetensors, a file is damaged, or a tensor is not of floating-point numbers.
    """
    tensors: dict[str, Tensor] = {}
    for path in _files(folder):
        for name, tensor in _read(path):
            if name.rpartition(".")[2] in BUFFERS:
                continue
            if not tensor.is_floating_point():
                kind = str(tensor.dtype).removeprefix("torch.")
                raise InputError(f"tensor {name} is of {kind}", path=path, why="quantised models cannot be read")
            tensors[name] = tensor.float()
    return tensors


def our_tensors(
    family: Family, values: Values, config: BertConfig, found: dict[str, Tensor], path: Path
) -> dict[str, Tensor]:
    """The tensors of a published model under our names and in our shapes.

    Args:
        family: The model's family.
        values: Its ``config.json``.
        config: Its shape.
        found: What `read_weights` read; emptied as it goes, since two copies of a large model need not fit.
        path: Where that was, for messages.

    Returns:
        Tensors as `bertpipe.models.heads.BertForPretraining` names them, without the heads that the source lacks.

    Raises:
        InputError: Tensors are missing, too many or of the wrong shape, or the output matrix is not the embedding.
    """
    theirs = {_plain(name, family.prefix): tensor for name, tensor in found.items()}
    found.clear()
    untie(family.tied, theirs, path)
    shapes = expected_shapes(config)
    first, segments = family.first_position(values), family.segments(values)
    shapes["bert.position_embedding.weight"] = (config.max_length + first, config.width)
    shapes["bert.segment_embedding.weight"] = (segments, config.width)
    named = their_names(family.names, shapes)
    wanted = {name for ours, name in named.items() if not _is_left_out(ours, named, theirs)}
    refuse(f"{{}} missing of the {len(wanted)} of such a model", wanted - theirs.keys(), path)
    refuse("{} not part of such a model", theirs.keys() - wanted, path, hint=_about_heads(theirs.keys() - wanted))
    for ours, name in named.items():
        if name in theirs and tuple(theirs[name].shape) != shapes[ours]:
            raise InputError(
                f"tensor {name} has the shape {tuple(theirs[name].shape)}",
                path=path,
                why=f"by config.json it should be {shapes[ours]}",
            )
    tensors = {ours: theirs.pop(name) for ours, name in named.items() if name in theirs}
    positions = tensors["bert.position_embedding.weight"]
    tensors["bert.position_embedding.weight"] = positions[first:].clone()
    table = tensors.get("bert.segment_embedding.weight", torch.zeros(1, config.width))
    # A model of one segment, or none, reads both parts of a pair alike.
    tensors["bert.segment_embedding.weight"] = table if len(table) == 2 else table.repeat(2, 1)
    for name in ("next_sentence.classifier.weight", "next_sentence.classifier.bias"):
        if name in tensors:
            tensors[name] = flip_classes(tensors[name])
    return tensors


def flip_classes(tensor: Tensor) -> Tensor:
    """Turns the next-sentence classifier's rows around: theirs says "follows" in class 0, ours in class 1."""
    return tensor.flip(0)


def _files(folder: Path) -> list[Path]:
    single, index = folder / WEIGHTS, folder / WEIGHTS_INDEX
    if single.is_file():
        return [single]
    if index.is_file():
        listed = read_table(index).get("weight_map")
        if not isinstance(listed, dict) or not all(isinstance(name, str) for name in listed.values()):
            raise InputError("weight_map is missing or damaged", path=index)
        paths = [inside(folder, name) for name in sorted(set(listed.values()))]
        for path in paths:
            if not path.is_file():
                raise InputError("there is no such file", path=path, why=f"{WEIGHTS_INDEX} lists it")
        return paths
    for patterns, why in (
        (PICKLES, "its weights are a pickle, and loading a pickle runs whatever code it carries"),
        (OTHER_WEIGHTS, "its weights are of another format"),
    ):
        for pattern in patterns:
            other = next(iter(sorted(folder.glob(pattern))), None)
            if other is not None:
                raise InputError(f"there is no {WEIGHTS} beside it", path=other, why=why, hint=CONVERT)
    raise InputError("there are no weights", path=folder, why=f"neither {WEIGHTS} nor {WEIGHTS_INDEX}")


def _read(path: Path) -> Iterator[tuple[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is not a mapping
                yield name, file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise InputError("damaged, or not safetensors", path=path, why=str(error), hint="Fetch it again.") from error


def _plain(name: str, prefix: str) -> str:
    """A name without the body's prefix; ``gamma`` and ``beta`` are what the first checkpoints called a norm's."""
    name = name.removeprefix(prefix)
    for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def untie(tied: Mapping[str, str], tensors: dict[str, Tensor], path: Path) -> None:
    """Removes second copies of tied tensors.

    Args:
        tied: A tensor that must equal another, by their names.
        tensors: By their names; changed in place.
        path: Where they were, for messages.

    Raises:
        InputError: Two are not equal.
    """
    for copy, original in tied.items():
        if copy not in tensors:
            continue
        tensor = tensors.pop(copy)
        if not torch.equal(tensors.setdefault(original, tensor), tensor):
            raise InputError(f"{copy} differs from {original}", path=path, why="in ours they are one tensor")


def _is_left_out(ours: str, named: dict[str, str], theirs: dict[str, Tensor]) -> bool:
    """Whether a tensor is of a head, or the pooler, that the source lacks as a whole."""
    for part in PARTS:
        if ours.startswith(part):
            # A classifier is nothing without its pooler.
            wider = "next_sentence." if part == "next_sentence.pooler." else part
            return not any(name in theirs for other, name in named.items() if other.startswith(wider))
    return False


def refuse(what: str, names: Iterable[str], path: Path, hint: str = "") -> None:
    """Raises an error about tensors, if there are any.

    Args:
        what: The error, with ``{}`` for their number.
        names: The tensors.
        path: Where they were.
        hint: What to do.

    Raises:
        InputError: There are some.
    """
    ordered = sorted(names)
    if ordered:
        shown = ", ".join(ordered[:SHOWN]) + (" ..." if len(ordered) > SHOWN else "")
        count = f"{len(ordered)} tensor{'s are' if len(ordered) > 1 else ' is'}"
        raise InputError(what.format(count), path=path, why=shown, hint=hint)


def _about_heads(extra: Iterable[str]) -> str:
    """What to do about a classifier's or a tagger's head."""
    heads = ("classifier", "qa_outputs", "pre_classifier", "score")
    if any(name.startswith(heads) for name in extra):
        return "It has a head for another task. AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER) drops it."
    return ""
