"""`bertpipe import`: reads a published model into our own layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bertpipe.cli.options import json_option, with_options
from bertpipe.cli.output import number, plain, print_json
from bertpipe.errors import ConfigError
from bertpipe.models.decoding import DIALOGUE, SUMMARIZATION, TRANSLATION, USUAL
from bertpipe.user_path import user_path

if TYPE_CHECKING:
    from bertpipe.models.huggingface.importing import ImportedModel
    from bertpipe.models.huggingface.transformer_importing import ImportedTransformer

MODELS = Path("models")
COMMANDS = {TRANSLATION: "translate", SUMMARIZATION: "summarize", DIALOGUE: "chat"}
HEADS = {"masked_language": "masked words", "next_sentence": "next sentence"}


@with_options(json_option())
@click.command(
    "import",
    epilog="""\b
Examples:
  bertpipe import downloads/all-MiniLM-L6-v2 -o models/minilm
  bertpipe import sentence-transformers/all-MiniLM-L6-v2
  bertpipe import downloads/bart-large-cnn --task summarization
""",
)
@click.argument("source")
@click.option("-o", "--out", metavar="FOLDER", help="Where to write.  [default: models/NAME]")
@click.option(
    "--task",
    type=click.Choice(list(USUAL)),
    help="What a model that writes is for.  [default: what such models are usually for]",
)
@click.option("--force", is_flag=True, help="Replace a model that is there.")
def import_(source: str, out: str | None, task: str | None, force: bool, as_json: bool) -> None:
    """Read a published model from SOURCE.

    It may be a BERT, RoBERTa or DistilBERT, or a model that writes: a BART, mBART, Blenderbot, Marian or Pegasus.
    SOURCE is a folder as transformers or sentence-transformers save it, with weights as safetensors, or a name on the
    Hugging Face hub, which is fetched if the package huggingface_hub is installed.
    """
    from bertpipe.models.checkpoint import CONFIG
    from bertpipe.models.huggingface.hub import fetch
    from bertpipe.models.huggingface.importing import ImportedModel, import_model
    from bertpipe.models.huggingface.transformer_importing import import_transformer, is_transformer
    from bertpipe.models.new_folder import new_folder

    given = user_path(source)
    place = user_path(out) if out else MODELS / given.resolve().name
    if given.exists() and _one_holds_the_other(given.resolve(), place.resolve()):
        raise ConfigError(f"{place} would stand in the place of {given}", hint="Name another folder with -o.")
    found: ImportedModel | ImportedTransformer
    # The place first: a name may stand for gigabytes.
    with new_folder(place, marks=(CONFIG,), force=force) as folder:
        read = given if given.exists() else fetch(source)
        if is_transformer(read):
            found = import_transformer(read, folder, task)
        elif task:
            raise ConfigError(f"--task is for models that write, and {source} does not")
        else:
            found = import_model(read, folder)
    # Not before it is in its place: whoever reads the lines may have gone.
    if isinstance(found, ImportedModel):
        _show(place, found, as_json=as_json)
    else:
        _show_transformer(place, found, as_json=as_json)


def _one_holds_the_other(first: Path, second: Path) -> bool:
    return first.is_relative_to(second) or second.is_relative_to(first)


def _show(place: Path, found: ImportedModel, *, as_json: bool) -> None:
    if as_json:
        print_json({"folder": str(place), **_facts(found)})
        return
    for line in _lines(place, found):
        click.echo(line)
    for name, text in found.prompts.items():
        click.echo(
            f"note: it was trained with {plain(repr(text))} in front of texts ({plain(name)}); here none is put there",
            err=True,
        )


def _facts(found: ImportedModel) -> dict[str, Any]:
    config = found.config
    return {
        "family": found.family,
        "parameters": found.parameters,
        "layers": config.layers,
        "width": config.width,
        "heads": config.heads,
        "vocab_size": config.vocab_size,
        "pieces": found.pieces,
        "max_length": config.max_length,
        "trained_heads": list(found.heads),
        "pooling": found.pooling.pooling if found.pooling else None,
        "normalize": found.pooling.normalize if found.pooling else None,
        "longest_text": found.pooling.longest_text if found.pooling else None,
        "prompts": found.prompts,
    }


def _lines(place: Path, found: ImportedModel) -> list[str]:
    config = found.config
    heads = " and ".join(HEADS[name] for name in found.heads)
    lines = [
        f"wrote {place}: {found.family}, {number(found.parameters)} parameters",
        f"  shape      {config.layers} layers, {config.width} wide, {config.heads} heads, {config.max_length} tokens",
        f"  tokenizer  {found.pieces:,} pieces",
        f"  heads      {heads or 'none; pretraining starts new ones'}",
    ]
    if found.pooling is None:
        lines.append("  vectors    not a text encoder yet; the mean of its token vectors stands in")
    else:
        kind = "mean of token vectors" if found.pooling.pooling == "mean" else "vector of [CLS]"
        lines.append(f"  vectors    {kind}, texts of up to {found.pooling.longest_text} tokens")
    return lines


def _show_transformer(place: Path, found: ImportedTransformer, *, as_json: bool) -> None:
    config, settings = found.config, found.settings
    layers = f"{config.encoder_layers} + {config.decoder_layers} layers"
    if as_json:
        facts = {
            "folder": str(place),
            "family": found.family,
            "parameters": found.parameters,
            "encoder_layers": config.encoder_layers,
            "decoder_layers": config.decoder_layers,
            "width": config.width,
            "heads": config.heads,
            "vocab_size": config.vocab_size,
            "pieces": found.pieces,
            "max_length": config.max_length,
            "task": settings.task,
            "max_source": settings.max_source,
            "max_target": settings.max_target,
            "wishes": found.wishes,
        }
        print_json(facts)
        return
    click.echo(f"wrote {place}: {found.family}, {number(found.parameters)} parameters")
    click.echo(f"  shape      {layers}, {config.width} wide, {config.heads} heads, {config.max_length} tokens")
    click.echo(f"  tokenizer  {found.pieces:,} pieces")
    click.echo(f"  task       {settings.task}: `bertpipe {COMMANDS[settings.task]} --model {place}`")
    if found.wishes:
        wishes = ", ".join(f"{key} = {value}" for key, value in found.wishes.items())
        click.echo(f"note: it was published to write with {plain(wishes)}; here the command's options count", err=True)
