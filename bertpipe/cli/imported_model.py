"""An imported model, as far as a pipeline file has to know it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bertpipe.errors import ConfigError

FILES = ("config.json", "model.safetensors", "tokenizer.json")
_HINT = "Read one with `bertpipe import`."


@dataclass(frozen=True)
class ImportedModel:
    """What a pipeline file says about a model to start from.

    Attributes:
        folder: Where it is, as given.
        longest_text: Tokens that it reads.
    """

    folder: Path
    longest_text: int

    @classmethod
    def look_at(cls, folder: Path) -> ImportedModel:
        """Reads how much text a model takes, without loading it.

        Raises:
            ConfigError: `bertpipe import` did not make the folder.
        """
        missing = next((name for name in FILES if not (folder / name).is_file()), None)
        if missing:
            raise ConfigError(f"{folder} is not an imported model", why=f"there is no {missing}", hint=_HINT)
        require_bert(folder)
        longest = []
        for name, key in (("config.json", "max_length"), ("pooling.json", "longest_text")):
            path = folder / name
            try:
                longest += [int(json.loads(path.read_text(encoding="utf-8"))[key])] if path.is_file() else []
            except (OSError, ValueError, TypeError, KeyError) as error:
                raise ConfigError(f"{path} is not of an imported model", why=repr(error), hint=_HINT) from error
        return cls(folder, min(longest))


def require_bert(folder: Path) -> None:
    """Makes sure that a model is no encoder-decoder.

    Raises:
        ConfigError: It is one, or its ``config.json`` cannot be read.
    """
    path = folder / "config.json"
    if not path.is_file():
        return
    try:
        writes = json.loads(path.read_text(encoding="utf-8")).get("kind") == "transformer"
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"{path} is not of a model", why=repr(error), hint=_HINT) from error
    if writes:
        raise ConfigError(f"{folder} holds a model that writes", hint="Take a BERT, such as all-MiniLM-L6-v2.")
