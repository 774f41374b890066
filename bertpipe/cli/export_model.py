"""`bertpipe export`: writes a model for other programs."""

from __future__ import annotations

from typing import Any

import click

from bertpipe.cli.options import json_option, pipeline_option, with_options
from bertpipe.cli.output import number, print_json
from bertpipe.pipeline.pipeline_file import find_pipeline, read_pipeline
from bertpipe.user_path import user_path

STEP = "finetune"


@with_options(pipeline_option(), json_option())
@click.command(
    epilog="""\b
Examples:
  bertpipe export --to hf encoder
  bertpipe export runs/notes/pretrain --to hf bert
  bertpipe export models/minilm --to onnx graph
"""
)
@click.argument("model", required=False)
@click.option(
    "--to",
    "target",
    nargs=2,
    metavar="hf|onnx FOLDER",
    type=(click.Choice(["hf", "onnx"]), str),
    required=True,
    help="hf: for transformers, and sentence-transformers if it is a text encoder. onnx: a text encoder's graph.",
)
@click.option("--force", is_flag=True, help="Replace a model that is there.")
def export(model: str | None, target: tuple[str, str], force: bool, pipeline: str | None, as_json: bool) -> None:
    """Write MODEL for other programs.

    MODEL is a folder that `bertpipe import` made, or that of a pretrain or finetune step (runs/NAME/STEP). Without it,
    what the pipeline's finetune step made is meant.
    """
    if model and pipeline:
        raise click.UsageError("Name either a model or a pipeline with -p.")
    from bertpipe.models.checkpoint import CONFIG
    from bertpipe.models.new_folder import new_folder
    from bertpipe.retrieval.encoder import GRAPH
    from bertpipe.stages.saved_model import SavedModel

    source = user_path(model) if model else read_pipeline(find_pipeline(pipeline)).artefact(STEP)
    saved = SavedModel.open(source)
    layout, place = target[0], user_path(target[1])
    facts: dict[str, Any] = {"folder": str(place), "model": str(source), "kind": saved.kind, "layout": layout}
    with new_folder(place, marks=(CONFIG, GRAPH), force=force) as folder:
        if layout == "onnx":
            saved.to_onnx(folder)
        else:
            written = saved.to_transformers(folder)
            facts |= {
                "architecture": written.architecture,
                "parameters": written.parameters,
                "modules": list(written.modules),
                "left_out": list(written.left_out),
            }
    if as_json:
        print_json(facts)
        return
    if layout == "onnx":
        click.echo(f"wrote {place}: the text encoder of {source} as an ONNX graph, with its tokenizer")
        return
    click.echo(f"wrote {place}: {facts['architecture']}, {number(facts['parameters'])} parameters")
    if facts["modules"]:
        click.echo(f"  SentenceTransformer({str(place)!r}) loads it: {', '.join(facts['modules'])}")
    for part in facts["left_out"]:
        click.echo(f"note: {part} is left out; {facts['architecture']} has no place for it", err=True)
