"""What `bertpipe init --task` writes: a commented pipeline file that learns classes, tags, similarity or answers."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bertpipe.cli.generation_text import precision_key
from bertpipe.cli.pipeline_text import name_of, quoted, relative, run_command
from bertpipe.duration import format_duration
from bertpipe.models.task_settings import CLASSIFICATION, QUESTION_ANSWERING, SIMILARITY, TAGGING
from bertpipe.pipeline.pipeline_file import FILE_NAME

TASKS: Final = (CLASSIFICATION, TAGGING, SIMILARITY, QUESTION_ANSWERING)
# Tasks whose files have a layout of their own, without fields to name.
WITHOUT_FIELDS: Final = (TAGGING, QUESTION_ANSWERING)
# Names that fields with what is to be learned often have, and those of second texts.
LABEL_FIELDS: Final = ("label", "labels", "category", "class", "intent", "sentiment", "target", "score", "similarity")
PAIR_FIELDS: Final = ("pair", "sentence2", "text2", "hypothesis", "text_b")
TEXT_FIELDS: Final = ("text", "sentence", "sentence1", "text1", "premise", "text_a", "review", "content", "utterance")
# Of the time; the rest reads and makes the tokenizer.
_PRETRAINING_SHARE: Final = 0.6

_TEMPLATE: Final = """\
# {task} learned from {path_shown}.
#
#   {run_command}
#       learns
#   bertpipe predict {model_folder} {said}
#       uses what was learned
#
# All keys of a step and what they are if left out: `bertpipe STEP {option}--help`.
# A key for a single run: `bertpipe run --set STEP.KEY=VALUE`.

# What this pipeline is called: its results are in runs/{name_plain}.
name = {name}

# What it learns: "classification", "tagging", "similarity" or
# "question-answering".
task = "{task}"

# Where results go, relative to this file.
runs = "runs"
{learning}
[finetune]
{model}# What to learn from.
data = {path}

# What to measure with while learning; without it, a tenth of data.
# dev = "dev{ending}"

{fields}# Tokens that are read at once{long}.
max_tokens = {max_tokens}

# How often all of data is seen. The weights that measure best are kept.
epochs = {epochs}
{precision}"""

_MODEL: Final = """\
# The model to start from; without this line the file needs the tables corpus,
# tokenize and pretrain, and the model's language is learned first.
model = {model}

"""

_LEARNING: Final = """
[corpus]
# Text to learn the language from, the more the better: a folder or a file.
path = {corpus}
{corpus_field}
[tokenize]
# Pieces in the vocabulary: 8000 suits most, 16000 much Chinese text.
vocab_size = 8000

[pretrain]
# Size, layers x width: tiny 2 x 128, mini 4 x 256, small 4 x 512, base 12 x
# 768, large 24 x 1024. base and large want a GPU.
preset = "mini"

# Time to learn the language.
budget = {budget}
{precision}"""

_CLASSES: Final = """\
# Field of the text; a number is a column of a table without a row of names.
text_field = {text}

# Field of the second text, where pairs of texts are to be classified.
{pair_mark}pair_field = {pair}

# Field of the label.
label_field = {label}

# true: a text may have several labels, in a list or with commas between them.
multi_label = false

# "balanced": rare labels count as much as frequent ones.
class_weights = "none"

"""

_SCORES: Final = """\
# Fields of both texts; numbers are columns of a table without a row of names.
text_field = {text}
pair_field = {pair}

# Field of the score; more is more similar.
score_field = {label}

"""

_TAGS: Final = """\
# Tags that the model learns, "iob2" or "bioes"; the file may have either.
scheme = "iob2"

"""


_QUESTIONS: Final = """\
# An answer that does not stand where it should is counted and left out; true
# stops there.
strict = false

# Questions that are asked about another text too, where they have no answer,
# beside each with an answer. 0: every question has one.
negatives = 0.5

# Share of the questions that are also asked with a name, number or word of the
# text exchanged, so that it does not answer them.
changed = 0.25

"""


@dataclass(frozen=True)
class Labelled:
    """Where the examples are.

    Attributes:
        source: The file or folder, as given.
        text_field: Field of the text.
        pair_field: Field of the second text; empty without.
        label_field: Field of the label or score.
    """

    source: Path
    text_field: str
    pair_field: str
    label_field: str


def guess_fields(task: str, source: Path, fields: Collection[str], given: Labelled) -> Labelled:
    """Fills in the fields that were not given, from the names of those that there are.

    Args:
        task: What is to be learned.
        source: The file.
        fields: Names of the fields found in it.
        given: What was given; empty texts are to be filled in.
    """

    def first(names: Collection[str], taken: Collection[str]) -> str:
        return next((field for name in names for field in fields if field.lower() == name and field not in taken), "")

    pair = given.pair_field or first(PAIR_FIELDS, ())
    label = given.label_field or first(LABEL_FIELDS, (pair,))
    text = given.text_field or first(TEXT_FIELDS, (pair, label))
    left = [field for field in fields if field not in (pair, label, text)]
    wants_pair = task == SIMILARITY
    missing = [name for name in (text, label, pair if wants_pair else "-") if not name]
    if len(left) == 1 and len(missing) == 1:
        text, label = text or left[0], label or left[0]
        pair = pair or (left[0] if wants_pair else "")
    return Labelled(source, text, pair, label)


def understanding_text(
    task: str, labelled: Labelled, target: Path, budget: float, model: Path | None, corpus: Path | None
) -> str:
    """The pipeline file.

    Args:
        task: What is to be learned.
        labelled: What from.
        target: The file that will hold it.
        budget: Time for pretraining and all around it, in seconds.
        model: What to start from.
        corpus: Text to learn the language from, where there is no model.
    """
    path, name = relative(labelled.source, target), name_of(labelled.source)
    option = "" if target == Path(FILE_NAME) else f"-p {shlex.quote(str(target))} "
    keys = {
        "text": quoted(labelled.text_field),
        "pair": quoted(labelled.pair_field or "pair"),
        "pair_mark": "" if labelled.pair_field else "# ",
        "label": quoted(labelled.label_field),
    }
    learning = ""
    if corpus is not None:
        own = corpus == labelled.source
        learning = _LEARNING.format(
            corpus=quoted(relative(corpus, target)),
            corpus_field=f"\n# Field of a record with the text.\ntext_field = {keys['text']}\n" if own else "",
            budget=quoted(format_duration(_PRETRAINING_SHARE * budget)),
            precision=precision_key(),
        )
    fields = {
        CLASSIFICATION: _CLASSES,
        TAGGING: _TAGS,
        SIMILARITY: _SCORES,
        QUESTION_ANSWERING: _QUESTIONS,
    }[task]
    return _TEMPLATE.format(
        task=task,
        path_shown=path,
        run_command=run_command(target),
        model_folder=shlex.quote((target.parent / "runs" / name / "finetune").as_posix()),
        option=option,
        name=quoted(name),
        name_plain=name,
        learning=learning,
        model=_MODEL.format(model=quoted(relative(model, target))) if model else "",
        path=quoted(path),
        ending=labelled.source.suffix,
        fields=fields.format(**keys),
        long="; more are read in windows" if task in WITHOUT_FIELDS else "; the rest is not read",
        said={SIMILARITY: "TEXT --pair TEXT", QUESTION_ANSWERING: "QUESTION --pair TEXT"}.get(task, "TEXT"),
        max_tokens="256" if task == QUESTION_ANSWERING else "128",
        epochs={TAGGING: "10", QUESTION_ANSWERING: "2"}.get(task, "4"),
        precision=precision_key(),
    )
