"""Stages, fingerprints, artefacts and the runner: everything about a pipeline but what its steps do."""
