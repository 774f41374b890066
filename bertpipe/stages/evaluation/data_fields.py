"""Where labelled data has what: as the model's own training data had it, unless the user says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from bertpipe.errors import ConfigError
from bertpipe.pipeline.artefact import MANIFEST, Manifest


@dataclass(frozen=True)
class DataFields:
    """Names of fields, or numbers of columns; as in the config of the task's step.

    Attributes:
        text_field: The text.
        pair_field: The second text; empty where there is none.
        label_field: The label.
        label_separator: What stands between the labels of a text with several.
        score_field: The score of a pair.
        word_column: The words of tagged sentences.
        tag_column: Their tags.
    """

    text_field: str = "text"
    pair_field: str = ""
    label_field: str = "label"
    label_separator: str = ","
    score_field: str = "score"
    word_column: str = ""
    tag_column: str = ""

    @classmethod
    def of_model(cls, folder: Path, given: Mapping[str, str | None]) -> DataFields:
        """The fields of the data that a model learned from.

        Args:
            folder: The model's; without a manifest in it the usual names are meant.
            given: What the user has set, by name; None for what they have not.

        Raises:
            ConfigError: Something was set that the model's task does not have.
        """
        config = Manifest.read(folder).config if (folder / MANIFEST).is_file() else {}
        names = [field.name for field in fields(cls)]
        if config:
            odd = next((name for name, value in given.items() if value is not None and name not in config), None)
            if odd:
                raise ConfigError(f"--{odd.replace('_', '-')} means nothing for this model's task")
        known = {name: str(config[name]) for name in names if name in config}
        return cls(**known | {name: value for name, value in given.items() if value is not None})
