"""`bertpipe evaluate`: how well a trained model or an index does, on data with the right answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bertpipe.cli.evaluate_generation import GenerationOptions, evaluate_generation
from bertpipe.cli.evaluate_index import evaluate_index_command
from bertpipe.cli.evaluate_understanding import evaluate_understanding
from bertpipe.cli.generation import LENGTH_PENALTIES
from bertpipe.cli.options import json_option, pipeline_option, with_options
from bertpipe.errors import ArtefactError, ConfigError
from bertpipe.models.decoding import USUAL
from bertpipe.models.task_settings import SETTINGS, UNDERSTANDING
from bertpipe.pipeline.artefact import MANIFEST, Artefact
from bertpipe.pipeline.pipeline_file import find_pipeline, read_pipeline
from bertpipe.user_path import user_path

# What is said of the data or the way it is measured, for models that write and for those that understand.
_WRITING = (
    "targets",
    "title_field",
    "turn_separator",
    "history",
    "limit",
    "beams",
    "length_penalty",
    "language",
    "save",
)
_FIELDS = ("pair_field", "label_field", "label_separator", "score_field", "word_column", "tag_column")
_UNDERSTANDING = (*_FIELDS, "rules", "errors", "html")
_SEARCHING = ("queries", "qrels", "save_runs", "rerank", "rerank_depth", "tune")


@with_options(pipeline_option(), json_option())
@click.command(
    epilog="""\b
Examples:
  bertpipe evaluate runs/reviews/finetune test.tsv --errors 10
  bertpipe evaluate runs/names/finetune dev.conll --html names.html
  bertpipe evaluate runs/qa/reader dev-v2.0.json --json
  bertpipe evaluate val.en --targets val.de
  bertpipe evaluate runs/talk/finetune dialogues.txt --save replies.txt
  bertpipe evaluate runs/notes/index --queries queries.tsv --qrels qrels.txt
  bertpipe evaluate -p notes.toml --queries dev-v2.0.json --html notes.html
  bertpipe evaluate -p notes.toml --queries dev-v2.0.json --rerank
  bertpipe evaluate -p notes.toml --queries queries.jsonl --qrels qrels.tsv --tune
"""
)
@click.argument("paths", metavar="[MODEL] DATA | [INDEX]", nargs=-1)
@click.option(
    "--text-field", metavar="NAME", help="Field of the text.  [default: as in training; text, of models that write]"
)
@click.option("--pair-field", metavar="NAME", help="Field of the second text.")
@click.option("--label-field", metavar="NAME", help="Field of the label.")
@click.option("--label-separator", metavar="TEXT", help="What stands between several labels of a text.")
@click.option("--score-field", metavar="NAME", help="Field of a pair's score.")
@click.option("--word-column", metavar="NAME", help="Column or field of the words.")
@click.option("--tag-column", metavar="NAME", help="Column or field of the tags.")
@click.option(
    "--rules",
    type=click.Choice(["squad", "squad2", "cmrc"]),
    metavar="WORD",
    help="How answers are compared.  [squad|squad2|cmrc; default: as suits DATA]",
)
@click.option("--errors", metavar="N", type=click.IntRange(0), help="Show the N worst errors.")
@click.option("--html", metavar="FILE", help="Write a page with figures, and the worst errors.")
@click.option("--targets", metavar="FILE", help="Targets of DATA, line for line, where DATA is a file of sources.")
@click.option("--title-field", metavar="NAME", help="Field of the reference, or several.  [default: title]")
@click.option("--turn-separator", metavar="TEXT", help="What stands between two turns.  [default: __eou__]")
@click.option("--history", metavar="N", type=click.IntRange(1), help="Turns that a reply looks at.  [default: 4]")
@click.option("--limit", metavar="N", type=click.IntRange(1), help="Measure with the first N sources only.")
@click.option("--beams", metavar="N", type=click.IntRange(1, 256), help="Beams.  [default: as the task's command]")
@click.option("--length-penalty", metavar="X", type=LENGTH_PENALTIES, help="Length penalty.  [default: 1]")
@click.option(
    "--language",
    type=click.Choice(["auto", "zh", "other"]),
    metavar="WORD",
    help="How words are counted: zh takes Chinese apart into characters.  [auto|zh|other; default: auto]",
)
@click.option("--save", metavar="FILE", help="Write what the model wrote, one text a line.")
@click.option("--queries", metavar="FILE", help="Of an index: queries (TREC, BEIR, SMART, a table, or SQuAD's .json).")
@click.option("--qrels", metavar="FILE", help="What is relevant to them (TREC's columns or BEIR's).")
@click.option("--save-runs", metavar="FOLDER", help="Write the rankings, in TREC's format.")
@click.option("--rerank", is_flag=True, default=None, help="Measure the index's reranker as well.")
@click.option(
    "--rerank-depth", metavar="N", type=click.IntRange(1, 100), help="First hits that --rerank reads.  [default: 20]"
)
@click.option(
    "--tune", is_flag=True, default=None, help="Say which mixture of words and vectors finds the queries best."
)
def evaluate(paths: tuple[str, ...], pipeline: str | None, as_json: bool, **options: Any) -> None:
    """Measure a model on DATA, or an index on queries, with 95% intervals.

    Classes: accuracy, F1, MCC. Entities: F1. Similarity: Pearson, Spearman. Answers to questions: exact match, F1.
    What a model writes: BLEU, chrF, ROUGE, distinct n-grams, perplexity. DATA has the format that the model learned
    from. MODEL is a folder; without it, the pipeline's model is measured.

    An INDEX, or the pipeline's, is measured with --queries: nDCG, MRR, MAP and recall of words, vectors and both, and
    with --rerank of its reranker.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if options["queries"]:
        _evaluate_index(paths, pipeline, given, as_json=as_json)
        return
    if any(name in given for name in _SEARCHING):
        raise click.UsageError("--qrels, --save-runs, --rerank and --tune go with --queries.")
    if not 1 <= len(paths) <= 2:
        raise click.UsageError("Give a model and one file, or one file; of an index, give --queries.")
    model = paths[0] if len(paths) == 2 else None
    data = Path(paths[-1])
    folder = _understanding_model(model, pipeline)
    foreign = next((name for name in given if name in (_WRITING if folder else _UNDERSTANDING)), None)
    if foreign:
        kind = "models that write" if folder else "models that understand"
        raise click.UsageError(f"--{foreign.replace('_', '-')} is for {kind}.")
    if folder is None:
        evaluate_generation(model, pipeline, data, GenerationOptions(**given), as_json=as_json)
        return
    fields = {name: options[name] for name in ("text_field", *_FIELDS)}
    evaluate_understanding(
        folder,
        data,
        fields,
        rules=options["rules"],
        errors=options["errors"],
        html=options["html"],
        as_json=as_json,
    )


def _evaluate_index(paths: tuple[str, ...], pipeline: str | None, given: dict[str, Any], *, as_json: bool) -> None:
    foreign = next((name for name in given if name not in (*_SEARCHING, "html")), None)
    if foreign:
        raise click.UsageError(f"--{foreign.replace('_', '-')} is for models, and --queries for an index.")
    if "rerank_depth" in given and "rerank" not in given:
        raise click.UsageError("--rerank-depth goes with --rerank.")
    if len(paths) > 1:
        raise click.UsageError("Give one index, or none for the pipeline's.")
    evaluate_index_command(
        paths[0] if paths else None,
        pipeline,
        queries=given["queries"],
        qrels=given.get("qrels"),
        save_runs=given.get("save_runs"),
        html=given.get("html"),
        rerank=given.get("rerank", False),
        rerank_depth=given.get("rerank_depth"),
        tune=given.get("tune", False),
        as_json=as_json,
    )


def _understanding_model(model: str | None, pipeline: str | None) -> Path | None:
    """The folder of the model if it is one that understands, and None if it is one that writes."""
    if model and pipeline:
        raise ConfigError("a model and -p are both given", hint="Give one of them.")
    if model:
        folder = user_path(model)
        if not folder.is_dir():
            raise ArtefactError(f"there is no model at {folder}")
    else:
        file = read_pipeline(find_pipeline(pipeline))
        if file.task not in (*USUAL, *UNDERSTANDING):
            known = ", ".join([*UNDERSTANDING, *USUAL])
            raise ConfigError(
                f"{file.path} is for {file.task}, and its index has its own report",
                hint=f"--queries FILE measures it with queries of yours; a pipeline without it is for: {known}.",
            )
        folder = file.artefact("finetune")
        if not folder.is_dir():
            raise ArtefactError(f"there is no model at {folder}", hint="Train it with `bertpipe run`.")
    if not (folder / SETTINGS).is_file():
        return None
    if (folder / MANIFEST).is_file():
        Artefact.open(folder)
    return folder
