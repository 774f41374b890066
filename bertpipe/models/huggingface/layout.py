"""The files of a published model, and how its JSON is read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from bertpipe.errors import InputError

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
WEIGHTS_INDEX: Final = "model.safetensors.index.json"
PICKLES: Final = ("pytorch_model.bin", "pytorch_model.bin.index.json", "*.pt", "*.pth", "*.ckpt", "pytorch_model-*.bin")
OTHER_WEIGHTS: Final = ("tf_model.h5", "flax_model.msgpack", "*.gguf", "model.onnx")
GENERATION: Final = "generation_config.json"
TOKENIZER_FACTS: Final = "tokenizer_config.json"
MODULES: Final = "modules.json"
SENTENCE_LENGTH: Final = "sentence_bert_config.json"
SENTENCE_FACTS: Final = "config_sentence_transformers.json"


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        InputError: It is missing, or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("there is no such file", path=path) from None
    except json.JSONDecodeError as error:
        raise InputError("not JSON", path=path, line=error.lineno, why=error.msg) from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError("cannot be read", path=path, why=str(error)) from error


def read_table(path: Path) -> dict[str, Any]:
    """Reads a JSON file that holds a table.

    Raises:
        InputError: It is missing, or holds no table.
    """
    values = read_json(path)
    if not isinstance(values, dict):
        raise InputError("not a table of keys and values", path=path)
    return values


def write_json(value: Any, path: Path) -> None:
    """Writes JSON as transformers does: indented, ending with a newline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def model_folder(source: Path) -> Path:
    """Where ``config.json`` and the weights lie: the folder itself, or what ``modules.json`` names first.

    Raises:
        InputError: There is no ``config.json``.
    """
    folder = source
    if (source / MODULES).is_file():
        modules = read_json(source / MODULES)
        if isinstance(modules, list) and modules and isinstance(modules[0], dict):
            folder = inside(source, str(modules[0].get("path", "")))
    if not (folder / CONFIG).is_file():
        raise InputError(
            "not a model in the layout of Hugging Face",
            path=folder,
            why=f"there is no {CONFIG}" if folder.is_dir() else "there is no such folder",
            hint="Name the folder that transformers' save_pretrained wrote.",
        )
    return folder


def inside(folder: Path, name: str) -> Path:
    """A path that a file of the model names.

    Raises:
        InputError: It leads out of the model's folder.
    """
    # What is named counts, not where a link leads: the hub's cache keeps files elsewhere and links to them.
    if Path(name).is_absolute() or Path(os.path.normpath(name)).parts[:1] == ("..",):
        raise InputError(f"a file of the model names {name}", path=folder, why="that is outside of its folder")
    return folder / name
