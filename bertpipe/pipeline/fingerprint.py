"""When is a step fresh? What its result depends on, as one digest, and the differences in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bertpipe.pipeline.artefact import Manifest, digest_json
from bertpipe.pipeline.stage import Neutral, Stage

if TYPE_CHECKING:
    from pydantic import BaseModel

_LONGEST_VALUE = 40


@dataclass(frozen=True)
class Identity:
    """What the result of a step depends on.

    Attributes:
        stage: Name of the stage.
        version: Version of the stage.
        config: The result-changing part of the config, as JSON values.
        inputs: Content digest of each input that is not pinned; None where it is not known yet.
        pinned: Declaration of each pinned input.
        source: Digest of what lies outside the pipeline.
    """

    stage: str
    version: int
    config: dict[str, Any]
    inputs: dict[str, str | None] = field(default_factory=dict)
    pinned: dict[str, Any] = field(default_factory=dict)
    source: str = ""

    @property
    def known(self) -> bool:
        """Whether every input is there, so that there is a fingerprint."""
        return None not in self.inputs.values()

    @property
    def fingerprint(self) -> str:
        """sha256 over all of it."""
        if not self.known:
            raise ValueError(f"inputs of {self.stage} are not known yet: {self.inputs}")
        return digest_json(
            {
                "stage": self.stage,
                "version": self.version,
                "config": self.config,
                "inputs": self.inputs,
                "pinned": self.pinned,
                "source": self.source,
            }
        )

    def work_key(self, input_digests: Mapping[str, str]) -> str:
        """Names the partial folder: the fingerprint, and the content of pinned inputs too.

        Work begun on another content must not be gone on with, even where it would not make a result stale.
        """
        return work_key(self.fingerprint, self.pinned, input_digests)


def work_key(fingerprint: str, pinned: Mapping[str, Any], input_digests: Mapping[str, str]) -> str:
    """Names the folder in which a result of this fingerprint is made; see `Identity.work_key`."""
    return digest_json([fingerprint, dict(input_digests)]) if pinned else fingerprint


def neutral_fields(config: type[BaseModel]) -> set[str]:
    """Names of the fields that cannot change the result."""
    return {
        name for name, info in config.model_fields.items() if any(isinstance(mark, Neutral) for mark in info.metadata)
    }


def result_config(config: BaseModel) -> dict[str, Any]:
    """The result-changing part of a config, as JSON values."""
    return config.model_dump(mode="json", exclude=neutral_fields(type(config)))


def declaration(stage: Stage, configs: Mapping[str, BaseModel], stages: Mapping[str, Stage]) -> dict[str, Any]:
    """What a stage is declared to do, and those before it, without looking at any content."""
    return {
        "stage": stage.name,
        "version": stage.version,
        "config": result_config(configs[stage.name]),
        "inputs": {item.step: declaration(stages[item.step], configs, stages) for item in stage.inputs},
    }


def explain(old: Manifest | None, new: Identity) -> list[str]:
    """Why an artefact is stale, one reason a string; empty if nothing that is known has changed."""
    if old is None:
        return ["never run"]
    reasons = _declared_changes(
        {"stage": old.stage, "version": old.version, "config": old.config},
        {"stage": new.stage, "version": new.version, "config": new.config},
    )
    for step, declared in new.pinned.items():
        reasons += _pinned_changes(old.pinned.get(step), declared, step)
    for step, digest in new.inputs.items():
        if digest is not None and old.inputs.get(step) != digest:
            reasons.append(f"{step} changed")
    if old.source != new.source:
        reasons.append("the files it reads changed")
    if old.edited:
        reasons.append(old.edited)
    if not reasons and new.known and old.fingerprint != new.fingerprint:
        reasons.append("its declaration changed")
    return reasons


def _declared_changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    reasons = []
    if old["stage"] != new["stage"] or old["version"] != new["version"]:
        reasons.append(f"bertpipe's stage {new['stage']} changed (version {old['version']} -> {new['version']})")
    for key, value in new["config"].items():
        if key not in old["config"]:
            reasons.append(f"{prefix}{key} is new ({_words(value)})")
        elif old["config"][key] != value:
            reasons.append(f"{prefix}{key} {_words(old['config'][key])} -> {_words(value)}")
    return reasons


def _pinned_changes(old: Any, new: Mapping[str, Any], step: str) -> list[str]:
    if not isinstance(old, dict):
        return [f"{step} is a new input"]
    reasons = _declared_changes(old, new, prefix=f"{step}.")
    for name, declared in new["inputs"].items():
        reasons += _pinned_changes(old.get("inputs", {}).get(name), declared, name)
    return reasons


def _words(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
