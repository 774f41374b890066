"""A cheap first look at a folder, for the commented pipeline file that `bertpipe init` writes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from bertpipe.errors import InputError
from bertpipe.text.readers.fields import lines_of
from bertpipe.text.readers.file_text import not_text
from bertpipe.text.readers.json_lines import read_json_lines
from bertpipe.text.readers.problem import unreadable
from bertpipe.text.readers.record import Record
from bertpipe.text.readers.source_files import RECORDS, SourceFile, find_files
from bertpipe.text.readers.table import read_table

_HEAD = 1 << 16  # bytes of a file
_MOST_FILES = 200  # files opened
_MOST_RECORDS = 200  # of a file
# Of the characters that only one of the two Chinese scripts has: fewer of the other one are quotations and names.
_BOTH_SCRIPTS = 0.05
_LONGEST_LINE = 4 << 20  # bytes
_KANA = re.compile("[\u3040-\u30ff]")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_TEXT_NAMES = (
    "text",
    "body",
    "content",
    "answer",
    "article",
    "passage",
    "document",
    "review",
    "abstract",
    "正文",
)
_TITLE_NAMES = ("title", "headline", "heading", "subject", "question", "name", "query", "标题", "问题")
_ID_NAMES = ("id", "_id", "doc_id", "docid", "uuid", "qid", "key", "编号")


@dataclass(slots=True)
class Inspection:
    """What a folder seems to hold.

    Attributes:
        endings: How many readable files there are, by ending.
        ignored: How many others, by ending.
        bytes: The size of the readable files together.
        cjk_share: Chinese characters among all letters of the sample, 0 to 1.
        both_scripts: There is Chinese text in Traditional characters, and other in Simplified ones.
        fields: The fields of the records looked at, with the share of records that have each, in order of
            appearance.
        text_field: The guessed field with the text, or None where there are no records.
        title_field: The guessed field with the title, or None.
        id_field: The guessed field with an id of its own for every record, or None.
        problems: The first few things that could not be read.
    """

    endings: dict[str, int] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    cjk_share: float = 0.0
    both_scripts: bool = False
    fields: dict[str, float] = field(default_factory=dict)
    text_field: str | None = None
    title_field: str | None = None
    id_field: str | None = None
    problems: list[str] = field(default_factory=list)


def inspect_source(path: Path) -> Inspection:
    """Looks at the first bytes and records of a folder's files; the same folder gives the same answer.

    Args:
        path: A folder or a file.

    Raises:
        InputError: There is nothing at the path, or it is a file that cannot be read by its ending.
    """
    found = find_files(path)
    seen = Inspection(ignored=dict(sorted(found.ignored.items())))
    seen.endings = dict(sorted(Counter(file.ending for file in found.files).items()))
    for file in found.files:
        try:
            seen.bytes += file.path.stat().st_size
        except OSError:
            continue  # counted as a problem when its content is looked at
    problems = list(found.problems)
    # Spread over the folder, since neighbours are alike.
    step = -(-len(found.files) // _MOST_FILES) or 1
    letters = 0
    cjk: Counter[str] = Counter()
    records: list[Record] = []
    for file in found.files[::step]:
        head = _head(file, problems)
        chinese = _CJK.findall(head)
        cjk.update(chinese)
        letters += sum(map(str.isalpha, head)) if chinese else len(head)
        if file.ending in RECORDS and head:
            records.extend(_records(file, problems))
    seen.cjk_share = cjk.total() / letters if letters else 0.0
    seen.both_scripts = _both_scripts(cjk)
    seen.problems = [str(problem) for problem in problems[:5]]
    if records:
        _guess(seen, records)
    return seen


def _both_scripts(counts: Counter[str]) -> bool:
    """Whether characters of both Chinese scripts are among some, by what the older encodings of each can write."""
    if sum(count for character, count in counts.items() if _KANA.match(character)) > _BOTH_SCRIPTS * counts.total():
        return False  # Japanese has characters that look like either's
    simplified = traditional = 0
    for character, count in counts.items():
        in_gb, in_big5 = (_can_write(encoding, character) for encoding in ("gb2312", "big5"))
        simplified += count if in_gb and not in_big5 else 0
        traditional += count if in_big5 and not in_gb else 0
    return min(simplified, traditional) > _BOTH_SCRIPTS * (simplified + traditional)


def _can_write(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _head(file: SourceFile, problems: list[InputError]) -> str:
    try:
        with file.path.open("rb") as stream:
            data = stream.read(_HEAD)
    except OSError as error:
        problems.append(unreadable(file.path, error))
        return ""
    wrong = not_text(data, file.path)
    if wrong is not None:
        problems.append(wrong)
        return ""
    return data.decode("utf-8", "ignore")


def _records(file: SourceFile, problems: list[InputError]) -> list[Record]:
    is_table = RECORDS[file.ending] == "table"
    if is_table:
        items = read_table(file.path, _LONGEST_LINE, header=False)
    else:
        items = read_json_lines(file.path, _LONGEST_LINE)
    records = []
    for item in islice(items, _MOST_RECORDS):
        if isinstance(item, InputError):
            problems.append(item)
        else:
            records.append(item)
    if is_table and records and _names_columns(records):
        names = [cell.replace("\ufeff", "").strip() for cell in records[0].fields.values()]
        return [Record(line, dict(zip(names, row.values(), strict=True))) for line, row in records[1:]]
    return records


def _names_columns(rows: list[Record]) -> bool:
    """Whether the first row looks like the columns' names.

    They are short, differ, are no sentences, numbers or file names, and do not come again below.
    """
    first = rows[0].fields
    if len(set(first.values())) < len(first):
        return False
    return all(
        0 < len(cell.strip()) <= 30
        and len(cell.split()) <= 3
        and not re.search(r"\d[.,]?\d|\w\.\w", cell)
        and all(row.fields[place] != cell for row in rows[1:])
        for place, cell in first.items()
    )


def _guess(seen: Inspection, records: list[Record]) -> None:
    counts: Counter[str] = Counter()
    lengths: Counter[str] = Counter()  # characters in strings
    strings: Counter[str] = Counter()
    values: dict[str, set[str]] = {}
    for record in records:
        for name, value in record.fields.items():
            counts[name] += 1
            lines = lines_of(value)
            if lines is not None:
                strings[name] += 1
                lengths[name] += sum(map(len, lines))
            if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
                values.setdefault(name, set()).add(str(value)[:200])
    seen.fields = {name: count / len(records) for name, count in counts.items()}

    textual = {name: lengths[name] / strings[name] for name in strings if strings[name] >= 0.9 * counts[name]}
    usual = {name: mean for name, mean in textual.items() if counts[name] >= 0.5 * len(records)} or textual
    if usual:
        # A name that says "text" wins unless another field is several times longer.
        longest = max(usual, key=lambda name: (usual[name], name))
        named = [name for name in _by_name(_TEXT_NAMES, usual) if usual[name] * 4 >= usual[longest]]
        seen.text_field = named[0] if named else longest
    rest = [name for name in usual if name != seen.text_field]
    titles = [name for name in _by_name(_TITLE_NAMES, rest) if 0 < usual[name] <= 200]
    if not titles:
        titles = [name for name in rest if name.isdecimal() and 8 <= usual[name] <= 200]
    seen.title_field = titles[0] if titles else None
    own = [
        name
        for name in counts
        if name != seen.text_field and counts[name] == len(records) == len(values.get(name, ())) and len(records) > 1
    ]
    ids = _by_name(_ID_NAMES, own) or [name for name in own if name.lower().endswith("id")]
    seen.id_field = ids[0] if ids else None


def _by_name(names: tuple[str, ...], fields: dict[str, float] | list[str]) -> list[str]:
    """The fields that are called like one of the names, best name first."""
    return [name for wanted in names for name in fields if name.lower() == wanted]
