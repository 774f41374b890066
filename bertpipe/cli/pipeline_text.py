"""What `bertpipe init` writes: a pipeline file in which every key has a comment."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bertpipe.cli.imported_model import ImportedModel
from bertpipe.cli.output import number, plain, size
from bertpipe.duration import format_duration
from bertpipe.pipeline.pipeline_file import FILE_NAME

if TYPE_CHECKING:
    from bertpipe.text.readers.inspection import Inspection

_LEARNING_SHARE: Final = 0.4  # of the time, for each of pretraining and fine-tuning; the rest reads, starts and indexes
_CHINESE_SHARE: Final = 0.3
_SMALL_BYTES: Final = 500_000
_SHORT_SECONDS: Final = 1800.0  # a run in which a deep model learns too little
_QUERY_TOKENS: Final = 64
_PASSAGE_TOKENS: Final = 256  # published models read more, but a hit is to be read at a glance

_TEMPLATE: Final = """\
# A search engine for {path_shown}: {content}.
#
#   {run_command}
#       reads, learns and indexes; run it again after every change
#   bertpipe search {pipeline_option}"..."
#       asks
#   bertpipe status{pipeline_option_last}
#       shows what is up to date, and why the rest is not
#
# All keys of a step and what they are if left out: `bertpipe STEP --help`.
# A key for a single run: `bertpipe run --set STEP.KEY=VALUE`.

# What this pipeline is called: its results are in runs/{name_plain}.
name = {name}

# Where results go, relative to this file.
runs = "runs"

[corpus]
# How to read: "folder" reads .txt .rst .md .html .jsonl .csv .tsv.
reader = "folder"

# A folder or a file, relative to this file.
path = {path}

{fields}# Largest document or record, in MB.
max_document_mb = 16

# true: skip and count what cannot be read. false: stop and say where it is.
skip_bad = false

{learning}[embed]
# Tokens of whole sentences that neighbouring passages share.
overlap = 0

[index]
# How searches run by default. "auto": whichever of "hybrid", "dense" and "bm25"
# found best on queries about documents that nothing learned from.
mode = "auto"
"""

_LEARN: Final = """\
[tokenize]
# Pieces in the vocabulary: {vocab_why}.
vocab_size = {vocab_size}

# "fold": upper and lower case are the same. "keep": they differ.
case = "fold"
{chinese}
[pretrain]
# Size of the BERT, layers x width: tiny 2 x 128, mini 4 x 256, small 4 x 512,
# base 12 x 768, large 24 x 1024. base and large want a GPU.
preset = "mini"

# Layers, instead of the preset's. One is what minutes on a laptop can teach;
# with hours or a GPU, take all.
{layers_mark}layers = 1

# Dropout in training: 0.0 where there is little time, 0.1 where the text is
# seen many times.
dropout = {dropout}

# Time to learn the language of your text. It is turned into steps before the
# first one, so that an interrupted run keeps to its plan.
budget = {budget}

[finetune]
# Time to learn to find passages for queries, from your text alone.
budget = {budget}

# Queries of yours with the passage that answers each (.tsv .csv .jsonl with the
# fields query and passage): learned from as well.
# pairs = "pairs.tsv"

"""

_BOTH_SCRIPTS: Final = """
# Some of the text is in Traditional characters and some in Simplified ones.
# "simplified" has the model read both alike; "keep" does not. It needs
# `pip install 'bertpipe[chinese]'`.
# chinese = "simplified"
"""

_IMPORTED: Final = """\
[tokenize]
# The imported model's tokenizer.
imported = {model}

[pretrain]
# The imported model's weights.
imported = {model}

# Steps of training on your text before it learns to find. 0 takes the weights
# as they are; without this line, the budget below counts.
steps = 0

# Time to learn the language of your text, which pays where it is a special one.
# It is turned into steps before the first one.
# budget = {budget}

[finetune]
# Steps of learning to find passages for queries. 0 finds as the imported model
# does; without this line, the budget below counts, and your text alone teaches.
steps = 0

# Time to learn to find.
# budget = {budget}

# Queries of yours with the passage that answers each (.tsv .csv .jsonl with the
# fields query and passage): learned from as well, without the line steps = 0.
# pairs = "pairs.tsv"

# Longest query, in tokens.
query_tokens = {query_tokens}

# Longest passage, in tokens, its title included.
passage_tokens = {passage_tokens}

"""

_WITH_FIELDS: Final = """\
# Fields of a record in .jsonl, .csv and .tsv files. Found: {found}.
# The text of a document:
text_field = {text}

# Its title, where a record has one:
{title_mark}title_field = {title}

# What identifies it; without it the line number does:
{id_mark}id_field = {id}

"""


def pipeline_text(
    source: Path, target: Path, seen: Inspection, budget: float, model: ImportedModel | None = None
) -> str:
    """The pipeline file.

    Args:
        source: The user's text, as given.
        target: The file that will hold it.
        seen: What the text looks like.
        budget: Time for the whole first run, in seconds.
        model: What to start from instead of from nothing.
    """
    written = relative(source, target)
    name = name_of(source)
    plain_target = target == Path(FILE_NAME)
    share = quoted(format_duration(_LEARNING_SHARE * budget))
    if model is None:
        learning = _learn(seen, share, short=budget <= _SHORT_SECONDS)
    else:
        learning = _IMPORTED.format(
            model=quoted(relative(model.folder, target)),
            budget=share,
            query_tokens=min(_QUERY_TOKENS, model.longest_text),
            passage_tokens=min(_PASSAGE_TOKENS, model.longest_text),
        )
    return _TEMPLATE.format(
        path_shown=plain(written),
        content=content_of(seen),
        run_command=run_command(target),
        pipeline_option="" if plain_target else f"-p {shlex.quote(str(target))} ",
        pipeline_option_last="" if plain_target else f" -p {shlex.quote(str(target))}",
        name=quoted(name),
        name_plain=name,
        path=quoted(written),
        fields=_fields(seen),
        learning=learning,
    )


def _learn(seen: Inspection, budget: str, *, short: bool) -> str:
    """The keys of a tokenizer and a BERT that begin with nothing."""
    little = seen.bytes < _SMALL_BYTES
    vocab_size, vocab_why = (4000, "4000 suits little text, 8000 more") if little else (8000, "8000 suits most")
    if seen.cjk_share > _CHINESE_SHARE:
        # Thousands of characters need a piece each before the first word gets one.
        vocab_size = 8000 if little else 16000
        vocab_why = "for Chinese, 8000 suits little text, 16000 more"
    return _LEARN.format(
        vocab_size=vocab_size,
        vocab_why=vocab_why,
        chinese=_BOTH_SCRIPTS if seen.both_scripts else "",
        layers_mark="" if short else "# ",
        dropout="0.0" if short else "0.1",
        budget=budget,
    )


def relative(path: Path, target: Path) -> str:
    """A path as the pipeline file writes it: relative paths start at the file's folder."""
    return path.as_posix() if path.is_absolute() else Path(os.path.relpath(path, target.parent)).as_posix()


def _fields(seen: Inspection) -> str:
    """The keys about fields; nothing where there are no records."""
    if not seen.fields:
        return ""
    shown = [plain(name) for name in list(seen.fields)[:8]]
    return _WITH_FIELDS.format(
        found=", ".join(shown) + (" ..." if len(seen.fields) > len(shown) else ""),
        text=quoted(seen.text_field or "text"),
        title=quoted(seen.title_field or "title"),
        title_mark="" if seen.title_field else "# ",
        id=quoted(seen.id_field or "id"),
        id_mark="" if seen.id_field else "# ",
    )


def content_of(seen: Inspection) -> str:
    """What there is, in words: ``1,204 .md, 3 .txt, 4.2 MB, mostly Chinese``."""
    parts = [f"{number(count)} {ending}" for ending, count in seen.endings.items()]
    parts.append(size(seen.bytes))
    if seen.cjk_share > _CHINESE_SHARE:
        parts.append("much of it Chinese")
    return ", ".join(parts)


def run_command(target: Path) -> str:
    """How to run the pipeline of a file."""
    return "bertpipe run" if target == Path(FILE_NAME) else f"bertpipe run {shlex.quote(str(target))}"


def name_of(source: Path) -> str:
    """A folder name made of the source's name."""
    resolved = source.resolve()
    words = re.sub(r"[^\w.-]+", "-", resolved.name if resolved.is_dir() else resolved.stem)
    return words.strip(".-") or "pipeline"


def quoted(text: str) -> str:
    """A TOML string. JSON's escapes are TOML's, but for a character that JSON leaves alone."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
