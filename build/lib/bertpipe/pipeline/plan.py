"""What would run, and why: the state of each step, without changing anything."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bertpipe.errors import ArtefactError, BertpipeError, ConfigError
from bertpipe.pipeline.artefact import Artefact, Manifest, published_folder
from bertpipe.pipeline.fingerprint import Identity, declaration, explain, result_config
from bertpipe.pipeline.publish import partial_folder
from bertpipe.pipeline.stage import Stage

if TYPE_CHECKING:
    from pydantic import BaseModel

State = Literal["fresh", "stale", "waiting", "interrupted"]


@dataclass(frozen=True)
class PlannedStep:
    """The state of one step.

    Attributes:
        step: Its name.
        state: ``fresh``: nothing to do. ``stale``: will run. ``interrupted``: will run, going on from where
            it was. ``waiting``: runs if a step before it comes out different.
        reasons: Why it is not fresh.
        artefact: What is published, unless it is missing or damaged.
        identity: What its result depends on.
        input_digests: Content digest of each input that is fresh.
    """

    step: str
    state: State
    reasons: list[str]
    artefact: Artefact | None
    identity: Identity
    input_digests: dict[str, str] = field(default_factory=dict)

    @property
    def fresh(self) -> bool:
        """Whether nothing is to do."""
        return self.state == "fresh"

    @property
    def work_key(self) -> str:
        """Names the partial folder; only for a step whose inputs are all fresh."""
        return self.identity.work_key(self.input_digests)


class Planner:
    """Judges the steps of one run folder. Digests of sources are computed once in its life.

    Args:
        stages: All stages, in any order.
        configs: Validated config by step name.
        run_folder: ``runs/<pipeline>``; need not exist.
        base: Folder of the pipeline file.
    """

    def __init__(
        self,
        stages: Collection[Stage],
        configs: Mapping[str, BaseModel],
        run_folder: Path,
        base: Path,
    ) -> None:
        self.stages = {stage.name: stage for stage in in_order(stages)}
        self._configs = configs
        self._run_folder = run_folder
        self._base = base
        self._sources: dict[str, str] = {}

    def needed(self, targets: Collection[str] | None) -> list[Stage]:
        """The targets and all that they need, in running order; everything if ``targets`` is None.

        Raises:
            ConfigError: A target is no step.
        """
        if targets is None:
            return list(self.stages.values())
        wanted: set[str] = set()
        open_names = list(targets)
        while open_names:
            name = open_names.pop()
            if name not in self.stages:
                raise unknown_step(name, self.stages)
            wanted.add(name)
            open_names += [item.step for item in self.stages[name].inputs]
        return [stage for stage in self.stages.values() if stage.name in wanted]

    def plan(
        self,
        targets: Collection[str] | None = None,
        *,
        force: Collection[str] = (),
        retrain: bool = False,
        verify: bool = False,
    ) -> list[PlannedStep]:
        """The state of every step that the targets need, in running order.

        A source that cannot be read makes its step stale, with the error as the reason.

        Args:
            targets: Steps wanted; None means all.
            force: Steps to run even if they are fresh.
            retrain: The content of pinned inputs counts.
            verify: Hash every published file instead of comparing sizes.
        """
        planned: dict[str, PlannedStep] = {}
        for stage in self.needed(targets):
            try:
                step = self.judge(stage, planned, forced=stage.name in force, retrain=retrain, verify=verify)
            except BertpipeError as error:
                empty = Identity(stage.name, stage.version, {})
                step = PlannedStep(stage.name, "stale", [str(error)], None, empty)
            planned[stage.name] = step
        return list(planned.values())

    def judge(
        self,
        stage: Stage,
        before: Mapping[str, PlannedStep],
        *,
        forced: bool = False,
        retrain: bool = False,
        verify: bool = False,
    ) -> PlannedStep:
        """The state of one step, given the state of those before it.

        Raises:
            BertpipeError: The stage's source cannot be read.
        """
        digests: dict[str, str] = {}
        for item in stage.inputs:
            upstream = before[item.step]
            if upstream.fresh and upstream.artefact is not None:
                digests[item.step] = upstream.artefact.digest
        identity = self._identity(stage, digests)
        manifest, artefact, damage = self._published(stage.name, verify=verify)
        reasons = ["forced"] if forced else []
        reasons += [damage] if damage else explain(manifest, identity)
        counted = [item.step for item in stage.inputs if retrain or not item.pinned]
        if retrain and manifest is not None:
            reasons += [
                f"{item.step} changed (--retrain)"
                for item in stage.inputs
                if item.pinned and item.step in digests and manifest.inputs.get(item.step) != digests[item.step]
            ]
        missing = [name for name in counted if name not in digests]
        state: State = "stale" if reasons else "fresh"
        if not reasons and missing:
            state, reasons = "waiting", [f"waits for {', '.join(missing)}"]
        elif reasons and not forced and len(digests) == len(stage.inputs):
            partial = partial_folder(self._run_folder, stage.name, identity.work_key(digests))
            state = "interrupted" if partial.exists() else "stale"
        return PlannedStep(stage.name, state, reasons, artefact, identity, digests)

    def _identity(self, stage: Stage, digests: Mapping[str, str]) -> Identity:
        config = self._configs[stage.name]
        if stage.name not in self._sources:
            self._sources[stage.name] = stage.source(config, self._base) if stage.source else ""
        return Identity(
            stage=stage.name,
            version=stage.version,
            config=result_config(config),
            inputs={item.step: digests.get(item.step) for item in stage.inputs if not item.pinned},
            pinned={
                item.step: declaration(self.stages[item.step], self._configs, self.stages)
                for item in stage.inputs
                if item.pinned
            },
            source=self._sources[stage.name],
        )

    def _published(self, step: str, *, verify: bool) -> tuple[Manifest | None, Artefact | None, str]:
        """What is published of a step: its manifest, the artefact if it is whole, and the damage if not."""
        folder = published_folder(self._run_folder, step)
        if not folder.exists():
            return None, None, ""
        try:
            manifest = Manifest.read(folder)
        except ArtefactError as error:
            return None, None, error.what
        artefact = Artefact(folder, manifest)
        damage = artefact.damage(verify=verify)
        return manifest, None if damage else artefact, damage


def in_order(stages: Collection[Stage]) -> list[Stage]:
    """Stages with each after its inputs, otherwise in the given order.

    Raises:
        ValueError: Two stages have one name, an input is no stage, or they need one another in a circle.
    """
    names = [stage.name for stage in stages]
    if len(set(names)) != len(names):
        raise ValueError(f"two stages have one name: {sorted(names)}")
    ordered: dict[str, Stage] = {}
    left = list(stages)
    while left:
        ready = [stage for stage in left if all(item.step in ordered for item in stage.inputs)]
        if not ready:
            raise ValueError(f"inputs missing or in a circle: {', '.join(stage.name for stage in left)}")
        ordered[ready[0].name] = ready[0]
        left.remove(ready[0])
    return list(ordered.values())


def unknown_step(name: str, known: Collection[str]) -> ConfigError:
    """The error for a step that does not exist, naming the nearest that does."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"The steps are {', '.join(known)}"
    return ConfigError(f"there is no step {name!r}", hint=hint)
