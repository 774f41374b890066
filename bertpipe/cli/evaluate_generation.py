"""`bertpipe evaluate` for models that write: how good what they write is, on texts with references."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bertpipe.cli.generation import open_generator
from bertpipe.cli.generation_table import print_generation_scores
from bertpipe.cli.output import duration, print_json
from bertpipe.cli.progress_view import progress_view
from bertpipe.errors import ConfigError, InputError, StorageError
from bertpipe.models.decoding import DIALOGUE, SUMMARIZATION, USUAL
from bertpipe.text.readers.problem import every_record

if TYPE_CHECKING:
    from bertpipe.tasks.generation_scores import Language
    from bertpipe.text.readers.examples import Example

MODEL, BASELINE = "model", "first sentence"


@dataclass(frozen=True)
class GenerationOptions:
    """What `bertpipe evaluate` was told about a model that writes; None where nothing was said.

    Attributes:
        targets: File of the targets, line for line.
        text_field: Field of the source.
        title_field: Field of the reference.
        turn_separator: What stands between two turns.
        history: Turns that a reply looks at.
        limit: Texts to measure with.
        beams: Beams.
        length_penalty: Length penalty.
        language: How words are counted.
        save: File for what the model wrote.
    """

    targets: str | None = None
    text_field: str | None = None
    title_field: str | None = None
    turn_separator: str | None = None
    history: int | None = None
    limit: int | None = None
    beams: int | None = None
    length_penalty: float | None = None
    language: Any = None
    save: str | None = None


def evaluate_generation(
    model: str | None, pipeline: str | None, data: Path, options: GenerationOptions, *, as_json: bool
) -> None:
    """Measures what a model writes, and prints it.

    Args:
        model: Its folder, as given.
        pipeline: A pipeline file, as given.
        data: Texts with references.
        options: How.
        as_json: Print JSON.
    """
    save = options.save
    if save and (Path(save).is_dir() or not Path(save).absolute().parent.is_dir()):
        raise ConfigError(f"--save {save}: no file can be written there", hint="Check the path.")
    from bertpipe.tasks.evaluate_extra import require_evaluate_extra

    require_evaluate_extra()  # not after minutes of writing
    generator = open_generator(model, pipeline, None)

    from bertpipe.tasks.first_sentence import first_sentence
    from bertpipe.tasks.generation_scores import score_generation

    task = generator.settings.task
    if task == DIALOGUE:
        if options.targets:
            raise ConfigError("--targets is for sources with one target each", hint="Give the file of dialogues alone.")
        examples = _replies(data, options)
    else:
        examples = _examples(data, options)
    if not examples:
        raise InputError("there is nothing to measure with", path=data)
    examples = examples[: options.limit]
    usual = USUAL[task]
    decoding = replace(
        usual,
        beams=options.beams or usual.beams,
        temperature=0.0 if options.beams else usual.temperature,  # beams do not draw
        length_penalty=usual.length_penalty if options.length_penalty is None else options.length_penalty,
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
    language: Language = options.language or "auto"
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


def _replies(data: Path, options: GenerationOptions) -> list[Example]:
    from bertpipe.text.readers.dialogue import DialogueReader
    from bertpipe.text.readers.examples import Example

    reader = DialogueReader(
        data,
        text_field=options.text_field or "text",
        turn_separator=options.turn_separator or "__eou__",
        history=options.history or 4,
    )
    return [Example(document.id, document.text, [document.title]) for document in every_record(reader)]


def _examples(data: Path, options: GenerationOptions) -> list[Example]:
    from bertpipe.text.readers.examples import Example, ExampleReader
    from bertpipe.text.readers.parallel import ParallelReader

    if not options.targets:
        text_field, title_field = options.text_field or "text", options.title_field or "title"
        return list(every_record(ExampleReader(data, text_field=text_field, title_field=title_field)))
    parallel = ParallelReader(data, Path(options.targets))
    return [Example(document.id, document.text, [document.title]) for document in every_record(parallel)]
