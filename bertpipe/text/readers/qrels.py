"""Relevance judgements: which documents answer which query, and how well."""

from __future__ import annotations

import re
from pathlib import Path

from bertpipe.errors import InputError
from bertpipe.text.readers.file_text import read_lines
from bertpipe.text.readers.problem import without_skipping

Qrels = dict[str, dict[str, int]]
"""The grade of each judged document, by query and document; what is not above zero is not relevant."""

HEADER = ("query-id", "corpus-id", "score")
"""The first row of BEIR's files."""

_LIMIT = 2**20  # bytes of a line
_SHAPES = "TREC has four columns (query 0 document grade); BEIR has three with tabs, under query-id, corpus-id, score."


def read_qrels(path: Path) -> Qrels:
    """Reads judgements as TREC or BEIR write them, told apart by BEIR's first row.

    Args:
        path: TREC's columns are separated by white space, or by tabs where ids have spaces.

    Raises:
        InputError: The file cannot be read or is empty; a line has other columns or a grade that is no whole number; a
            pair is judged twice, differently.
    """
    qrels: Qrels = {}
    beir = False
    for item in read_lines(path, _LIMIT):
        if isinstance(item, InputError):
            raise without_skipping(item)
        line, text = item
        if not text.strip():
            continue
        cells = [cell.strip() for cell in text.split("\t")]
        if not qrels and not beir and [cell.lower() for cell in cells] == list(HEADER):
            beir = True
            continue
        query, document, written = _columns(cells if beir or len(cells) == 4 else text.split(), beir, path, line)
        if not re.fullmatch(r"[+-]?\d{1,6}(\.0*)?", written):
            raise InputError(f"the grade {written[:20]!r} is no whole number", path=path, line=line, hint=_SHAPES)
        grade = int(float(written))
        if qrels.setdefault(query, {}).setdefault(document, grade) != grade:
            what = f"document {document!r} is judged twice for query {query!r}, differently"
            raise InputError(what, path=path, line=line, hint="Keep one of the lines.")
    if not qrels:
        raise InputError("there is no judgement in the file", path=path, hint=_SHAPES)
    return qrels


def _columns(cells: list[str], beir: bool, path: Path, line: int) -> tuple[str, str, str]:
    if len(cells) != (3 if beir else 4) or not all(cells):
        raise InputError(f"{len(cells)} columns", path=path, line=line, hint=_SHAPES)
    return cells[0], cells[-2], cells[-1]
