"""`bertpipe evaluate`: how good what a model writes is, on texts with references."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bertpipe.cli.generation import LENGTH_PENALTIES, open_generator
from bertpipe.cli.generation_table import print_generation_scores
from bertpipe.cli.options import json_option, pipeline_option, with_options
from bertpipe.cli.output import duration, print_json
from bertpipe.cli.progress_view import progress_view
from bertpipe.errors import ConfigError, InputError, StorageError
from bertpipe.models.decoding import DIALOGUE, SUMMARIZATION, USUAL

if TYPE_CHECKING:
    from bertpipe.text.readers.examples import Example

MODEL, BASELINE = "model", "first sentence"


@with_options(pipeline_option(), json_option())
@click.command(
    epilog="""\b
Examples:
  bertpipe evaluate val.en --targets val.de
  bertpipe evaluate test.jsonl --text-field article --title-field summary
  bertpipe evaluate runs/talk/finetune dialogues.txt --save replies.txt
"""
)
@click.argument("paths", metavar="[MODEL] DATA", nargs=-1, required=True)
@click.option("--targets", metavar="FILE", help="Targets of DATA, line for line, where DATA is a file of sources.")
@click.option("--text-field", metavar="NAME", default="text", show_default=True, help="Field of a record: the source.")
@click.option(
    "--title-field",
    metavar="NAME",
    default="title",
    show_default=True,
    help="Field of a record: the reference, or several.",
)
@click.option(
    "--turn-separator", metavar="TEXT", default="__eou__", show_default=True, help="What stands between two turns."
)
@click.option(
    "--history", metavar="N", type=click.IntRange(1), default=4, show_default=True, help="Turns that a reply looks at."
)
@click.option("--limit", metavar="N", type=click.IntRange(1), help="Measure with the first N texts only.")
@click.option("--beams", metavar="N", type=click.IntRange(1, 256), help="Beams.  [default: as the task's command]")
@click.option("--length-penalty", metavar="X", type=LENGTH_PENALTIES, help="Length penalty.  [default: 1]")
@click.option(
    "--language",
    type=click.Choice(["auto", "zh", "other"]),
    metavar="WORD",
    default="auto",
    help="How words are counted: zh takes Chinese apart into characters.  [auto|zh|other; default: auto]",
)
@click.option("--save", metavar="FILE", help="Write what the model wrote, one text a line.")
def evaluate(
    paths: tuple[str, ...],
    targets: str | None,
    text_field: str,
    title_field: str,
    turn_separator: str,
    history: int,
    limit: int | None,
    beams: int | None,
    length_penalty: float | None,
    language: Any,
    save: str | None,
    pipeline: str | None,
    as_json: bool,
) -> None:
    """Measure what a model writes for DATA: BLEU, chrF, ROUGE, distinct n-grams, and perplexity.

    DATA is a file of records (.jsonl .csv .tsv), of dialogues where the model replies, or of sources with --targets.
    MODEL is a folder; without it, the pipeline's model is measured.
    """
    if len(paths) > 2:
        raise click.UsageError("Give a model and one file, or one file.")
    if save and (Path(save).is_dir() or not Path(save).absolute().parent.is_dir()):
        raise ConfigError(f"--save {save}: no file can be written there", hint="Check the path.")

    from bertpipe.tasks.evaluate_extra import require_evaluate_extra

    require_evaluate_extra()  # not after minutes of writing
    generator = open_generator(paths[0] if len(paths) == 2 else None, pipeline, None)

    from bertpipe.tasks.first_sentence import first_sentence
    from bertpipe.tasks.generation_scores import score_generation

    task = generator.settings.task
    data = Path(paths[-1])
    if task == DIALOGUE:
        if targets:
            raise ConfigError("--targets is for sources with one target each", hint="Give the file of dialogues alone.")
        examples = _replies(data, text_field, turn_separator, history)
    else:
        examples = _examples(data, targets, text_field, title_field)
    if not examples:
        raise InputError("there is nothing to measure with", path=data)
    examples = examples[:limit]
    usual = USUAL[task]
    decoding = replace(
        usual,
        beams=usual.beams if beams is None else beams,
        temperature=usual.temperature if beams is None else 0.0,  # beams do not draw
        length_penalty=usual.length_penalty if length_penalty is None else length_penalty,
    )
    predictions: list[str] = []
    pieces = 0
    began = time.perf_counter()
    with progress_view() as progress:
        progress.start("writing", total=len(examples), unit="texts")
        for written in generator.generate([example.text for example in examples], decoding):
            predictions.append(written[0].text if written else "")
            pieces += written[0].tokens if written else 0
            progress.advance(1)
        progress.finish()
    seconds = time.perf_counter() - began
    if save:
        _save(Path(save), predictions)
    references = [example.references for example in examples]
    systems = {MODEL: score_generation(predictions, references, language=language).as_json()}
    if task == SUMMARIZATION:
        first = [first_sentence(example.text) for example in examples]
        systems[BASELINE] = score_generation(first, references, language=language).as_json()
    perplexity = generator.perplexity([(example.text, example.references[0]) for example in examples])
    if as_json:
        print_json({"task": task, "perplexity": round(perplexity, 3), "seconds": round(seconds, 2), "systems": systems})
        return
    print_generation_scores(systems)
    rate = f"{pieces / max(seconds, 1e-9):,.0f} tokens/s"
    click.echo(f"perplexity of a target's piece {perplexity:.2f}; written in {duration(seconds)}, {rate}")


def _save(path: Path, predictions: list[str]) -> None:
    try:
        path.write_text("".join(f"{' '.join(text.split())}\n" for text in predictions), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{path} cannot be written", why=error.strerror or str(error)) from error


def _replies(data: Path, text_field: str, turn_separator: str, history: int) -> list[Example]:
    from bertpipe.text.readers.dialogue import DialogueReader
    from bertpipe.text.readers.examples import Example

    reader = DialogueReader(data, text_field=text_field, turn_separator=turn_separator, history=history)
    return [Example(document.id, document.text, [document.title]) for document in reader]


def _examples(data: Path, targets: str | None, text_field: str, title_field: str) -> list[Example]:
    from bertpipe.text.readers.examples import Example, ExampleReader
    from bertpipe.text.readers.parallel import ParallelReader

    if not targets:
        return list(ExampleReader(data, text_field=text_field, title_field=title_field))
    return [Example(document.id, document.text, [document.title]) for document in ParallelReader(data, Path(targets))]
