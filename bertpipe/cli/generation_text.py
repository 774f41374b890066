"""What `bertpipe init --task` writes: a commented pipeline file that learns to write."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bertpipe.cli.pipeline_text import name_of, quoted, relative, run_command
from bertpipe.duration import format_duration
from bertpipe.models.decoding import DIALOGUE, SUMMARIZATION, TRANSLATION
from bertpipe.pipeline.pipeline_file import FILE_NAME

_COMMANDS: Final = {
    TRANSLATION: 'translate {option}"..."',
    SUMMARIZATION: "summarize {option}FILE",
    DIALOGUE: "chat{option_last}",
}
# Of the time; the rest reads and makes the tokenizer. A summary needs to know the language before it can be short.
_PRETRAINING_SHARE: Final = {TRANSLATION: 0.0, SUMMARIZATION: 0.5, DIALOGUE: 0.0}
_FINETUNING_SHARE: Final = {TRANSLATION: 0.9, SUMMARIZATION: 0.4, DIALOGUE: 0.9}

_TEMPLATE: Final = """\
# {task} learned from {path_shown}.
#
#   {run_command}
#       reads and learns
#   bertpipe {command}
#       uses what was learned
#   bertpipe evaluate {option}DATA
#       measures it on texts with references
#
# All keys of a step and what they are if left out: `bertpipe STEP --help`.
# A key for a single run: `bertpipe run --set STEP.KEY=VALUE`.

# What this pipeline is called: its results are in runs/{name_plain}.
name = {name}

# What it learns: "translation", "summarization" or "dialogue".
task = "{task}"

# Where results go, relative to this file.
runs = "runs"

[corpus]
{corpus}
# true: skip and count what cannot be read. false: stop and say where it is.
skip_bad = false

[tokenize]
# Pieces in the vocabulary: 8000 suits most, 16000 much Chinese text.
vocab_size = 8000

# "exact": every character stays as it is, for what is to be written. "keep": wide
# and narrow ones are the same. "fold": upper and lower case are, too.
case = "exact"

[pretrain]
# Before the task, learn the language of the documents: "bart" and "t5" mend
# damaged text, "none" starts from nothing.
objective = "{objective}"

# Size, layers x width of each stack: tiny 2 x 128, mini 4 x 256, small 4 x 512,
# base 12 x 768, large 24 x 1024. base and large want a GPU.
preset = "mini"
encoder_layers = 3
decoder_layers = 3
inner = 512

# Dropout in training: much where there are few pairs, 0.1 from a million on.
dropout = 0.3
{pretraining}
[finetune]
# Time to learn the task. It is turned into steps before the first one, so that
# an interrupted run keeps to its plan.
budget = {budget}
{precision}"""

_BUDGET: Final = """
# Time to learn the language.
budget = {budget}
{precision}"""

_PARALLEL: Final = """\
# Two files: line by line a text, and what is to be written for it.
reader = "parallel"
path = {path}
target_path = {targets}
"""

_RECORDS: Final = """\
# Records (.jsonl .csv .tsv) with a text, and what is to be written for it.
reader = "folder"
path = {path}
text_field = {text}
title_field = {title}
"""

_DIALOGUES: Final = """\
# One dialogue a line, its turns with a separator between them, or records with a
# list of turns in a field. Each reply is learned from the turns before it.
reader = "dialogue"
path = {path}
turn_separator = "__eou__"
history = 4
"""


@dataclass(frozen=True)
class Pairs:
    """Where the texts and what is to be written for them are.

    Attributes:
        source: The file or folder, as given.
        targets: The file of the targets, line for line; None where ``source`` has records or dialogues.
        text_field: Field of a record with the text.
        title_field: Field of a record with what is to be written.
    """

    source: Path
    targets: Path | None
    text_field: str
    title_field: str


def generation_text(task: str, pairs: Pairs, target: Path, budget: float) -> str:
    """The pipeline file.

    Args:
        task: What is to be learned.
        pairs: What from.
        target: The file that will hold it.
        budget: Time for the whole first run, in seconds.
    """
    plain_target = target == Path(FILE_NAME)
    option = "" if plain_target else f"-p {shlex.quote(str(target))} "
    path = relative(pairs.source, target)
    shape = _DIALOGUES if task == DIALOGUE else _PARALLEL if pairs.targets else _RECORDS
    name = name_of(pairs.source)
    pretraining = _PRETRAINING_SHARE[task] * budget
    return _TEMPLATE.format(
        task=task,
        path_shown=path,
        run_command=run_command(target),
        command=_COMMANDS[task].format(option=option, option_last=f" {option}".rstrip()),
        option=option,
        name=quoted(name),
        name_plain=name,
        corpus=shape.format(
            path=quoted(path),
            targets=quoted(relative(pairs.targets, target)) if pairs.targets else "",
            text=quoted(pairs.text_field),
            title=quoted(pairs.title_field),
        ),
        objective="bart" if pretraining else "none",
        pretraining=_BUDGET.format(budget=quoted(format_duration(pretraining)), precision=precision_key())
        if pretraining
        else "",
        budget=quoted(format_duration(_FINETUNING_SHARE[task] * budget)),
        precision=precision_key(),
    )


def precision_key() -> str:
    """The key ``precision``; a comment where this machine is slow in bfloat16."""
    mark = "" if _has_amx() else "# "
    return f'\n# Arithmetic: faster on GPUs, and on CPUs with AMX.\n{mark}precision = "bf16-mixed"\n'


def _has_amx() -> bool:
    """Whether this machine's CPU multiplies matrices of bfloat16 in hardware."""
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return False
