"""An imported model, as far as a pipeline file has to know it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bertpipe.errors import ConfigError

FILES = ("config.json", "model.safetensors", "tokenizer.json")


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
        hint = "Read one with `bertpipe import`."
        missing = next((name for name in FILES if not (folder / name).is_file()), None)
        if missing:
            raise ConfigError(f"{folder} is not an imported model", why=f"there is no {missing}", hint=hint)
        longest = []
        for name, key in (("config.json", "max_length"), ("pooling.json", "longest_text")):
            path = folder / name
            try:
                longest += [int(json.loads(path.read_text(encoding="utf-8"))[key])] if path.is_file() else []
            except (OSError, ValueError, TypeError, KeyError) as error:
                raise ConfigError(f"{path} is not of an imported model", why=repr(error), hint=hint) from error
        return cls(folder, min(longest))
