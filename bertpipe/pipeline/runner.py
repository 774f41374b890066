"""Brings steps up to date: runs what is stale, publishes it, and leaves the rest alone."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from bertpipe.pipeline.artefact import MANIFEST, Artefact, Manifest
from bertpipe.pipeline.failure import explain_failure
from bertpipe.pipeline.lock import run_lock, writer
from bertpipe.pipeline.pipeline import Pipeline
from bertpipe.pipeline.plan import PlannedStep, Planner, State, unknown_step
from bertpipe.pipeline.publish import (
    hash_outputs,
    needs_repair,
    open_complete,
    partial_folder,
    publish,
    remove_folder,
    repair,
    write_manifest,
)
from bertpipe.pipeline.stage import Stage, StageRun
from bertpipe.progress import Progress, Silent

_PACKAGES: Final = (
    "bertpipe",
    "faiss-cpu",
    "numpy",
    "onnxruntime",
    "pytorch-lightning",
    "sentencepiece",
    "tantivy",
    "torch",
)


@dataclass(frozen=True)
class StepResult:
    """What became of one step.

    Attributes:
        step: Its name.
        ran: Whether it was stale and ran.
        reasons: Why it ran.
        artefact: What is published now.
        drift: How far each pinned input has moved from what this step took of it, by input.
    """

    step: str
    ran: bool
    reasons: list[str]
    artefact: Artefact
    drift: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class StepStatus:
    """A row of `bertpipe status`.

    Attributes:
        step: Its name.
        state: See `PlannedStep`.
        reasons: Why it is not fresh.
        artefact: What is published, unless it is missing or damaged.
        drift: How far each pinned input has moved from what this step took of it, by input.
    """

    step: str
    state: State
    reasons: list[str]
    artefact: Artefact | None
    drift: dict[str, dict[str, Any]]


class Runner:
    """Runs the steps of one pipeline.

    Args:
        stages: All stages.
        pipeline: The pipeline file, validated.
        progress: Where to tell how far the work is.
    """

    def __init__(self, stages: Collection[Stage], pipeline: Pipeline, progress: Progress | None = None) -> None:
        self._stages = stages
        self._pipeline = pipeline
        self._progress = progress or Silent()

    @property
    def run_folder(self) -> Path:
        """Where the artefacts are: ``runs/<pipeline>``."""
        return self._pipeline.run_folder

    def writer(self) -> int | None:
        """Process id of who is running this pipeline now, if anybody is."""
        return writer(self.run_folder)

    def plan(
        self,
        targets: Collection[str] | None = None,
        *,
        force: Collection[str] = (),
        retrain: bool = False,
    ) -> list[PlannedStep]:
        """What `run` would do; changes nothing and needs no lock."""
        planner = self._planner()
        _check_names(force, planner)
        return planner.plan(targets, force=force, retrain=retrain)

    def status(self, *, verify: bool = False) -> list[StepStatus]:
        """The state of every step; changes nothing and needs no lock.

        Args:
            verify: Hash every published file instead of comparing sizes.
        """
        planner = self._planner()
        steps = {step.step: step for step in planner.plan(verify=verify)}
        return [
            StepStatus(
                step=step.step,
                state=step.state,
                reasons=step.reasons,
                artefact=step.artefact,
                drift=_drift(planner.stages[step.step], step, steps),
            )
            for step in steps.values()
        ]

    def run(
        self,
        targets: Collection[str] | None = None,
        *,
        force: Collection[str] = (),
        retrain: bool = False,
    ) -> list[StepResult]:
        """Brings the targets and all that they need up to date.

        Args:
            targets: Steps wanted; None means all.
            force: Steps to run anew even if they are fresh.
            retrain: The content of pinned inputs counts: learn from what is there now.

        Raises:
            ConfigError: A step in ``targets`` or ``force`` does not exist.
            LockedError: Another process is writing this run.
            StorageError: The disk refused; what is done is kept.
            InterruptedRun: Ctrl-C; what is done is kept.
            BertpipeError: What a stage raised.
        """
        planner = self._planner()
        _check_names(force, planner)
        stages = planner.needed(targets)
        steps = planner.plan(targets, force=force, retrain=retrain)
        damaged = needs_repair(self.run_folder, [stage.name for stage in stages])
        if all(step.fresh for step in steps) and not damaged:
            # Nothing to write, so neither a lock nor a writable folder is needed.
            return self._results(planner, {step.step: step for step in steps}, {})
        place = "the run folder"
        try:
            self.run_folder.mkdir(parents=True, exist_ok=True)
            with run_lock(self.run_folder):
                done: dict[str, PlannedStep] = {}
                ran: dict[str, list[str]] = {}
                for stage in stages:
                    place = stage.name
                    repair(self.run_folder, stage.name)
                    forced = stage.name in force
                    step = planner.judge(stage, done, forced=forced, retrain=retrain)
                    if not step.fresh:
                        self._bring_up_to_date(stage, step, forced=forced)
                        ran[stage.name] = step.reasons
                        step = planner.judge(stage, done, retrain=retrain)
                    done[stage.name] = step
            return self._results(planner, done, ran)
        except BaseException as error:
            explained = explain_failure(error, step=place, folder=self.run_folder)
            if explained is None:
                raise
            raise explained from error

    def _planner(self) -> Planner:
        pipeline = self._pipeline
        return Planner(self._stages, pipeline.configs, pipeline.run_folder, pipeline.base)

    def _bring_up_to_date(self, stage: Stage, step: PlannedStep, *, forced: bool) -> None:
        """Runs one stage in its partial folder and publishes it; a folder left complete is only published."""
        partial = partial_folder(self.run_folder, stage.name, step.work_key)
        if forced:
            remove_folder(partial)
        elif open_complete(partial, step.identity.fingerprint):
            self._progress.note(f"{stage.name}: done before, only to be put in place")
            publish(partial, self.run_folder, stage.name)
            return
        elif (partial / MANIFEST).exists():
            remove_folder(partial)
        resumes = " (goes on from where it was interrupted)" if partial.exists() else ""
        self._progress.note(f"{stage.name}: {', '.join(step.reasons)}{resumes}")
        began = time.monotonic()
        partial.mkdir(exist_ok=True)
        previous = None if forced else step.artefact
        config = self._pipeline.configs[stage.name]
        metrics = stage.run(
            StageRun(
                config=config,
                inputs={item.step: self.run_folder / item.step for item in stage.inputs},
                out=partial,
                base=self._pipeline.base,
                progress=self._progress,
                previous=previous.folder if previous else None,
                previous_config=previous.manifest.config if previous else {},
                previous_inputs=previous.manifest.inputs if previous else {},
                input_digests=dict(step.input_digests),
            )
        )
        manifest = Manifest(
            stage=stage.name,
            version=stage.version,
            config=config.model_dump(mode="json"),
            inputs=dict(step.input_digests),
            pinned=step.identity.pinned,
            source=step.identity.source,
            fingerprint=step.identity.fingerprint,
            outputs=hash_outputs(partial),
            metrics=_plain(metrics),
            seconds=round(time.monotonic() - began, 3),
            packages=dict(_package_versions()),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_manifest(partial, manifest)
        publish(partial, self.run_folder, stage.name)

    def _results(self, planner: Planner, steps: dict[str, PlannedStep], ran: dict[str, list[str]]) -> list[StepResult]:
        results = []
        for name, step in steps.items():
            artefact = step.artefact or Artefact.open(self.run_folder / name)
            drift = _drift(planner.stages[name], step, steps)
            results.append(StepResult(name, name in ran, ran.get(name, []), artefact, drift))
        return results


def _check_names(force: Collection[str], planner: Planner) -> None:
    for name in force:
        if name not in planner.stages:
            raise unknown_step(name, planner.stages)


def _drift(stage: Stage, step: PlannedStep, steps: dict[str, PlannedStep]) -> dict[str, dict[str, Any]]:
    """How far each pinned input has moved from what the step took of it; only where it has."""
    drift: dict[str, dict[str, Any]] = {}
    if stage.drift is None or step.artefact is None:
        return drift
    for item in stage.inputs:
        upstream = steps[item.step].artefact
        taken = step.artefact.manifest.inputs.get(item.step)
        if item.pinned and upstream is not None and upstream.digest != taken:
            drift[item.step] = _plain(stage.drift(step.artefact.folder, upstream.folder))
    return drift


@cache
def _package_versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: array scalars become numbers, numbers that are not finite null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return str(value)
